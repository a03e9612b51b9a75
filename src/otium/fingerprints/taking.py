"""How a model behaves, written down."""

from __future__ import annotations

import os
import platform
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from otium.engine import Model, Options
from otium.errors import BadData, EngineFailed
from otium.fingerprints.records import Fingerprint, FingerprintOne, Kind, Probe, Prompt, Prompts
from otium.records import Instant


def fingerprint_prompts(path: Path | None = None) -> Prompts:
    """Read the prompts of a fingerprint, by default those that come with otium."""
    source = path or files("otium") / "data" / "fingerprint.toml"
    try:
        prompts = Prompts.convert(tomllib.loads(source.read_text("utf-8")))
        for kind in prompts.kinds:
            for reading in kind.readings:
                re.compile(reading.pattern)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, re.error) as error:
        raise BadData(path=source, why=str(error)) from error
    return prompts


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
    Raises EngineFailed if the model gives no log-probabilities.
    """
    asked = prompts or fingerprint_prompts()
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
    """Return the greedy answer of *model* to *prompt*, which is one of *prompts*."""
    options = Options(max_tokens=prompts.limit(prompt), top_logprobs=prompts.alternatives)
    answer = model.chat(prompt.messages, options)
    return Probe(
        prompt=prompt.messages,
        tokens=answer.tokens,
        finish=answer.finish,
        kind=prompt.kind,
        reading=read(answer.text, prompt.kind, prompts.kinds),
    )


def read(text: str, name: str, kinds: Sequence[Kind]) -> str:
    """Return what *text* counts as by the rules of its kind: names joined by ``+``, or ``none``.

    It is empty for a kind without rules.
    """
    rules = next((kind.readings for kind in kinds if kind.name == name), ())
    found = [rule.name for rule in rules if re.search(rule.pattern, text, re.IGNORECASE)]
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
