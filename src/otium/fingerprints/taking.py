"""How a model behaves, written down."""

from __future__ import annotations

import os
import platform
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

from otium.engine import Model, Options
from otium.errors import BadData, BadRecord, EngineFailed
from otium.fingerprints.records import Fingerprint, FingerprintOne, Kind, Probe, Prompt, Prompts
from otium.records import Instant

_LONGEST_RULE, _LONGEST_TEXT = 200, 1000
"""Characters of a rule, and of an answer that are read."""
_REPEATS, _OPTIONS = 2, 6
"""How often a rule may repeat something, and how often it may leave something out."""
_PIECES = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[:=!]|\(\?|[*+?]|\{\d*,?\d*\}|.", re.DOTALL
)
_REPEAT = re.compile(r"[*+?]|\{\d*,?\d*\}")


def fingerprint_prompts(path: Path | None = None) -> Prompts:
    """Read the prompts of a fingerprint, by default those that come with otium."""
    source = path or files("otium") / "data" / "fingerprint.toml"
    try:
        prompts = Prompts.convert(tomllib.loads(source.read_text("utf-8")))
        _compiled(prompts.kinds)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, re.error) as error:
        raise BadData(path=source, why=str(error)) from error
    return prompts


def check_rules(kinds: Iterable[Kind]) -> None:
    """Raise BadRecord for a rule that cannot be run, or might run for ever.

    A fingerprint may come from somebody else's archive, and its rules with it.
    """
    try:
        _compiled(kinds)
    except re.error as error:
        raise BadRecord(what="fingerprint", why=str(error)) from error


def _compiled(kinds: Iterable[Kind]) -> None:
    for kind in kinds:
        for reading in kind.readings:
            rule(reading.pattern)


@lru_cache(maxsize=256)
def rule(pattern: str) -> re.Pattern[str]:
    """Return *pattern* compiled; raise re.error if it is none, or could take long.

    A repeat of one character, or of one class of them, costs a factor of the text's length; a
    repeat of a group may double the cost with each character.
    """
    if len(pattern) > _LONGEST_RULE:
        raise re.error(f"a rule has {_LONGEST_RULE} characters at most")
    repeats, options, before = 0, 0, ""
    for piece in _PIECES.findall(pattern):
        if piece == "(?" or re.fullmatch(r"\\[1-9]", piece):
            raise re.error(f"{piece} is not known in a rule: {pattern}")
        if _REPEAT.fullmatch(piece) and not _REPEAT.fullmatch(before):
            if before == ")":
                raise re.error(f"a rule repeats no group: {pattern}")
            repeats, options = repeats + (piece != "?"), options + (piece == "?")
        before = piece
    if repeats > _REPEATS or options > _OPTIONS:
        raise re.error(f"a rule has {_REPEATS} repeats and {_OPTIONS} options at most: {pattern}")
    try:
        return re.compile(pattern, re.IGNORECASE)
    except OverflowError as error:
        raise re.error(str(error)) from error


def take_fingerprint(
    model: Model,
    prompts: Prompts | None = None,
    *,
    now: Instant,
    hardware: dict[str, str] | None = None,
    storage: str = "",
) -> Fingerprint:
    """Ask *model* each prompt greedily and keep its tokens, log-probabilities and readings.

    *hardware* and *storage* say what it runs on and how its weights are stored, if that is known.
    Raises EngineFailed if the model gives no log-probabilities or its host keeps an answer back,
    BadRecord for rules that could run for ever.
    """
    asked = prompts or fingerprint_prompts()
    check_rules(asked.kinds)
    return Fingerprint(
        identity=model.identity,
        instrument=asked.digest(),
        taken=now,
        max_tokens=asked.max_tokens,
        probes=_probes(model, asked),
        alternatives=asked.alternatives,
        kinds=asked.kinds,
        hardware=hardware or {},
        storage=storage,
    )


def take_answers(model: Model, prompts: Prompts, *, now: Instant) -> FingerprintOne:
    """Ask *model* each prompt greedily; keep tokens and log-probabilities, as version 1 does."""
    return FingerprintOne(
        identity=model.identity,
        instrument=prompts.digest(),
        taken=now,
        max_tokens=prompts.max_tokens,
        probes=_probes(model, prompts),
    )


def ask(model: Model, prompt: Prompt, prompts: Prompts) -> Probe:
    """Return the greedy answer of *model* to *prompt*, which is one of *prompts*.

    Raises EngineFailed for an answer that is no evidence of the model: its host kept it back, or
    gives no log-probabilities.
    """
    options = Options(max_tokens=prompts.limit(prompt), top_logprobs=prompts.alternatives)
    answer = model.chat(prompt.messages, options)
    if answer.withheld:
        why = f"its host kept an answer back: {answer.withheld}"
        raise EngineFailed(model=model.identity.model, why=why)
    if answer.text and not answer.tokens:
        why = "it gives no log-probabilities, which a fingerprint needs"
        raise EngineFailed(model=model.identity.model, why=why)
    return Probe(
        prompt=prompt.messages,
        tokens=answer.tokens,
        finish=answer.finish,
        kind=prompt.kind,
        reading=read(answer.text, prompt.kind, prompts.kinds),
    )


def read(text: str, name: str, kinds: Sequence[Kind]) -> str:
    """Return what *text* counts as by the rules of its kind: names joined by ``+``, or ``none``.

    It is empty for a kind without rules. The first thousand characters are read.
    """
    rules = next((kind.readings for kind in kinds if kind.name == name), ())
    found = [one.name for one in rules if rule(one.pattern).search(text[:_LONGEST_TEXT])]
    return "+".join(found) or ("none" if rules else "")


@cache
def _processor() -> str:
    """Return the processor's name as Linux tells it, or as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def hardware() -> dict[str, str]:
    """Return what this machine computes with: its architecture, processor and count of cores."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(os.cpu_count() or 0),
    }


def _probes(model: Model, prompts: Prompts) -> tuple[Probe, ...]:
    probes = tuple(ask(model, prompt, prompts) for prompt in prompts.prompts)
    if not any(probe.tokens for probe in probes):
        why = "it answered every prompt with nothing, or gives no log-probabilities"
        raise EngineFailed(model=model.identity.model, why=why)
    return probes
