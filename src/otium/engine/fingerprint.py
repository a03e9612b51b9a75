"""How a model behaves, written down, and whether it still behaves so.

The method and its tolerances, with the measurements behind them, stand in
``docs/formats/fingerprint-1.md``.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Literal, NamedTuple

from otium.engine.records import (
    Certificate,
    Fingerprint,
    Message,
    Model,
    Options,
    Probe,
    Prompts,
    Token,
)
from otium.errors import BadData, EngineFailed
from otium.records import Instant

EXACT = 1e-4
"""Nats. Below this, what differs is the printing of numbers."""
EQUIVALENT = 0.05
"""Nats. Below this, what differs is the order of floating-point sums."""
_ALTERNATIVES = 5

Verdict = Literal["exact", "equivalent", "different"]
_RANK: tuple[Verdict, ...] = ("exact", "equivalent", "different")


class _Match(NamedTuple):
    compared: int
    equal: int
    largest: float
    verdict: Verdict


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
        raise EngineFailed(model=model.identity.model, why="it answered every prompt with nothing")
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
    matches = [
        _match(probe, _probe(model, probe.prompt, limit)) for probe in fingerprint.probes
    ]
    return Certificate(
        identity=model.identity,
        fingerprint=fingerprint.digest(),
        certified=now,
        verdict=max((match.verdict for match in matches), key=_RANK.index, default="different"),
        tokens_compared=sum(match.compared for match in matches),
        tokens_equal=sum(match.equal for match in matches),
        largest_difference=max((match.largest for match in matches), default=0.0),
    )


def _probe(model: Model, messages: tuple[Message, ...], limit: int) -> Probe:
    answer = model.chat(messages, Options(max_tokens=limit, top_logprobs=_ALTERNATIVES))
    return Probe(prompt=messages, tokens=answer.tokens, finish=answer.finish)


def _match(before: Probe, after: Probe) -> _Match:
    """Compare two answers up to their first different token: beyond it nothing can be said."""
    pairs = list(zip(before.tokens, after.tokens, strict=False))
    equal = sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))
    seen = pairs[: equal + 1]
    largest = max((_difference(*pair) for pair in seen), default=0.0)
    parted = equal < len(pairs)
    alike = _is_tie(*pairs[equal]) if parted else _same_end(before, after)
    return _Match(len(seen), equal, largest, _verdict(largest, alike=alike, parted=parted))


def _verdict(largest: float, *, alike: bool, parted: bool) -> Verdict:
    if not alike or largest > EQUIVALENT:
        return "different"
    return "equivalent" if parted or largest > EXACT else "exact"


def _same_end(before: Probe, after: Probe) -> bool:
    return len(before.tokens) == len(after.tokens) and before.finish == after.finish


def _is_tie(before: Token, after: Token) -> bool:
    """Return whether each run had the other's token among its likeliest.

    With log-probabilities that agree within a tolerance, the two tokens were then as good as
    equally likely, and the order of floating-point sums decided.
    """
    return after.text in before.top and before.text in after.top


def _difference(before: Token, after: Token) -> float:
    """Return the largest difference of a log-probability that both positions name, in nats."""
    first, second = _named(before), _named(after)
    return max((abs(first[text] - second[text]) for text in first.keys() & second), default=0.0)


def _named(token: Token) -> dict[str, float]:
    return {**token.top, token.text: token.logprob}
