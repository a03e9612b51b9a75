"""How a model behaves, written down, and whether it still behaves so.

The method and its tolerances, with the measurements behind them, stand in
``docs/formats/fingerprint-1.md``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

from otium.engine import Message, Model, Options, Token
from otium.errors import BadData, EngineFailed
from otium.fingerprints.records import Certificate, Fingerprint, Probe, Prompts
from otium.records import Instant

EXACT = 1e-4
"""Nats. Below this, what differs is the printing of numbers."""
LARGEST, MEAN = 1.5, 0.25
"""Nats. Up to these, what differs may be rounding: another build, processor or batch size."""
_ALTERNATIVES = 5

Verdict = Literal["exact", "equivalent", "different"]


class _Match(NamedTuple):
    compared: int
    equal: int
    differences: list[float]
    """Of each log-probability that was compared, nats."""
    alike: bool
    """Whether the answers are equal, or part where two tokens were as good as equally likely."""


def fingerprint_prompts(path: Path | None = None) -> Prompts:
    """Read the prompts of a fingerprint, by default those that come with otium."""
    source = path or files("otium") / "data" / "fingerprint.toml"
    try:
        return Prompts.convert(tomllib.loads(source.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(path=source, why=str(error)) from error


def take_fingerprint(model: Model, prompts: Prompts | None = None, *, now: Instant) -> Fingerprint:
    """Ask *model* each prompt greedily and keep its tokens with their log-probabilities."""
    asked = prompts or fingerprint_prompts()
    probes = [_probe(model, prompt.messages, asked.max_tokens) for prompt in asked.prompts]
    if not any(probe.tokens for probe in probes):
        why = "it answered every prompt with nothing, or gives no log-probabilities"
        raise EngineFailed(model=model.identity.model, why=why)
    return Fingerprint(
        identity=model.identity,
        instrument=asked.digest(),
        taken=now,
        max_tokens=asked.max_tokens,
        probes=tuple(probes),
    )


def compare(fingerprint: Fingerprint, model: Model, *, now: Instant) -> Certificate:
    """Ask *model* what the fingerprint asked, and say how its answers compare."""
    limit = fingerprint.max_tokens
    matches = [_match(probe, _probe(model, probe.prompt, limit)) for probe in fingerprint.probes]
    differences = [value for match in matches for value in match.differences]
    return Certificate(
        identity=model.identity,
        fingerprint=fingerprint.digest(),
        certified=now,
        verdict=_verdict(matches, differences),
        tokens_compared=sum(match.compared for match in matches),
        tokens_equal=sum(match.equal for match in matches),
        largest_difference=max(differences, default=0.0),
        mean_difference=fmean(differences) if differences else 0.0,
    )


def _verdict(matches: Sequence[_Match], differences: Sequence[float]) -> Verdict:
    if not differences or not all(match.alike for match in matches):
        return "different"
    if max(differences) > LARGEST or fmean(differences) > MEAN:
        return "different"
    parted = any(match.equal < match.compared for match in matches)
    return "equivalent" if parted or max(differences) > EXACT else "exact"


def _probe(model: Model, messages: tuple[Message, ...], limit: int) -> Probe:
    answer = model.chat(messages, Options(max_tokens=limit, top_logprobs=_ALTERNATIVES))
    return Probe(prompt=messages, tokens=answer.tokens, finish=answer.finish)


def _match(before: Probe, after: Probe) -> _Match:
    """Compare two answers up to their first different token: beyond it nothing can be said."""
    pairs = list(zip(before.tokens, after.tokens, strict=False))
    equal = sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))
    seen = pairs[: equal + 1]
    alike = _is_tie(*pairs[equal]) if equal < len(pairs) else _same_end(before, after)
    return _Match(len(seen), equal, [value for pair in seen for value in _compare(*pair)], alike)


def _same_end(before: Probe, after: Probe) -> bool:
    return len(before.tokens) == len(after.tokens) and before.finish == after.finish


def _is_tie(before: Token, after: Token) -> bool:
    """Return whether each run had the other's token among its likeliest.

    Where the log-probabilities agree too, rounding decided between the two tokens.
    """
    return after.text in before.top and before.text in after.top


def _compare(before: Token, after: Token) -> list[float]:
    """Return the difference of each log-probability that either run named, in nats.

    What one run did not name was at most as likely as the least that it did name.
    """
    first = {**before.top, before.text: before.logprob}
    second = {**after.top, after.text: after.logprob}
    low, lowest = min(first.values()), min(second.values())
    return [
        abs(first.get(text, low) - second.get(text, lowest))
        for text in first.keys() | second.keys()
    ]
