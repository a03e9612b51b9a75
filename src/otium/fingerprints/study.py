"""How often a certificate errs: real variants of one real model, whose truth is known.

Every variant is asked the whole battery once. Then canaries are held on random orders of what was
answered; those of one order that share no probe count as trials, so that an interval never counts
a prompt twice.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from math import exp
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import msgspec

from otium.engine import HttpModel, LlamaCpp
from otium.errors import EngineFailed
from otium.fingerprints.calibration import (
    Calibration,
    Measured,
    Truth,
    hypotheses,
    read_calibration,
)
from otium.fingerprints.certifying import Seen, decide, see
from otium.fingerprints.matching import spread
from otium.fingerprints.records import Fingerprint, Probe, Prompts
from otium.fingerprints.sequential import Side
from otium.fingerprints.taking import fingerprint_prompts, hardware, take_fingerprint
from otium.fingerprints.variants import (
    flipped,
    middle_matrix,
    other_template,
    parts,
    requantised,
    rewrite,
    storage_of,
    swapped,
    weakened,
)
from otium.records import Digest, ModelId, Part, Progress, Record, SystemClock, digest, silent
from otium.statistics import Estimate, wilson

_ORDERS = 400
_SIGN, _EXPONENT = 0x8000, 0x4000
"""Bits of a half-precision number."""
_ADAPTERS: tuple[tuple[str, float, Truth], ...] = (
    ("successor", 1.0, "other"),
    ("successor", 0.3, "other"),
    ("successor", 0.1, "other"),
    ("follower", 0.1, "other"),
    ("successor", 0.03, "close"),
)
"""Which of the packaged fine-tunes of the demo's model are laid over it, and how strongly."""

QUICK = ("other threads and context", "Q8_0", "Q4_0", "two vocabulary entries", "follower at 0.1")
"""The variants that are tried first."""


def every_third() -> Prompts:
    """Return a third of the prompts, of every kind."""
    prompts = fingerprint_prompts()
    return msgspec.structs.replace(prompts, prompts=prompts.prompts[::3])


class Variant(NamedTuple):
    """One thing that is run in place of the original."""

    name: str
    truth: Truth
    make: Callable[[Path], Path]
    """Write its files into an empty directory, and return where the engine finds them."""
    engine: LlamaCpp = LlamaCpp(context=2048)


class Row(Part):
    """What certificates say of one variant."""

    variant: str
    truth: Truth
    exact: int
    """Probes whose answers are exactly what they were."""
    parted: int
    """Probes whose tokens differ."""
    measured: Measured
    moved: float
    """Median over probes of the mean difference, in spreads of the model."""
    battery: Side
    canary: dict[Side, float]
    """How often each is found, over random orders."""
    probes: float
    """Median number that a canary asks."""
    tokens: float
    """The same in generated tokens."""
    wrong: Estimate | None
    """False alarms for the same, misses for the others; canaries that share no probe are counted.
    None where either verdict is right."""
    wrong_battery: bool | None
    bound: float | None
    """The mean over probes of the ratio of the wrong hypothesis over the right one, the worst if
    there are several. Up to 1 the declared error rate holds for prompts like these."""


class FingerprintStudy(Record, tag="otium.fingerprint-study/1"):
    """How a certificate fares on variants of one model."""

    model: str
    storage: str
    probes: int
    spread: float
    """Of the original, nats."""
    hardware: dict[str, str]
    engine: str
    calibration: Digest
    left_out: bool
    """Whether it was judged by the measurements on other models alone."""
    rows: tuple[Row, ...]
    false_alarms: Estimate
    """Of canaries, over all variants of the same weights."""
    misses: Estimate
    """Of canaries, over all variants that have to be told apart."""
    undecided: float
    """Share of canaries that end undecided, and are then taken for different."""


def fingerprint_study(
    original: Path,
    work: Path,
    *,
    name: str = "model",
    only: Sequence[str] = (),
    prompts: Prompts | None = None,
    calibration: Calibration | None = None,
    orders: int = _ORDERS,
    progress: Progress = silent,
) -> FingerprintStudy:
    """Ask variants of the model in *original* the battery, and try the test on what they answer.

    *only* limits the variants by name, *prompts* what is asked. Variants are written below *work*,
    one at a time. Raises Unsupported for weights that cannot be rewritten, EngineFailed.
    """
    whole = calibration or read_calibration()
    tests = _without(whole, name)
    chosen = [it for it in variants(original) if not only or it.name in only]
    before = _answers(Variant("original", "same", lambda _: original), work, name, prompts)
    rows = []
    for done, variant in enumerate(chosen):
        progress("variants", done, len(chosen))
        probes = _probes(variant, work, name, prompts) or _nothing(before.probes)
        seen = [see(*pair) for pair in zip(before.probes, probes, strict=True)]
        rows.append(_row(name, variant, seen, spread(before.probes), tests, orders))
    return FingerprintStudy(
        model=name,
        storage=before.storage,
        probes=len(before.probes),
        spread=spread(before.probes),
        hardware=before.hardware,
        engine=before.identity.engine,
        calibration=whole.digest(),
        left_out=tests != whole,
        rows=tuple(rows),
        false_alarms=_pooled(row for row in rows if row.truth == "same"),
        misses=_pooled(row for row in rows if row.truth in {"other", "part"}),
        undecided=fmean(row.canary["undecided"] for row in rows) if rows else 0.0,
    )


def variants(original: Path) -> tuple[Variant, ...]:
    """Return what is tried in place of the model in *original*: one GGUF, or one and an adapter."""
    base, adapter = parts(original)
    many = LlamaCpp(context=1024, threads=2, batch_threads=1)

    def rewritten(name: str, truth: Truth, **how: object) -> Variant:
        def make(folder: Path) -> Path:
            rewrite(base, folder / "base.gguf", **how)  # type: ignore[arg-type]
            if adapter is not None:
                (folder / "adapter.gguf").symlink_to(adapter.absolute())
            return folder

        return Variant(name, truth, make)

    return (
        Variant("again, in another process", "same", lambda _: original),
        Variant("other threads and context", "same", lambda _: original, many),
        rewritten("F16 arithmetic", "same", change=requantised("F16")),
        rewritten("Q8_0", "same", change=requantised("Q8_0")),
        rewritten("Q4_0", "other", change=requantised("Q4_0")),
        rewritten("one block negated", "close", change=flipped(middle_matrix(base), mask=_SIGN)),
        rewritten("one bit flipped", "other", change=flipped(middle_matrix(base), mask=_EXPONENT)),
        rewritten("wrong template", "other", texts=other_template(base, _without_marks)),
        rewritten("other system prompt", "part", texts=other_template(base, _without_name)),
        rewritten("two vocabulary entries", "part", texts=swapped(base)),
        *_adapted(base, adapter),
    )


def _adapted(base: Path, adapter: Path | None) -> Iterator[Variant]:
    def scaled(source: Path, scale: float) -> Callable[[Path], Path]:
        def make(folder: Path) -> Path:
            weakened(source, folder / "adapter.gguf", scale)
            (folder / "base.gguf").symlink_to(base.absolute())
            return folder

        return make

    if adapter is not None:
        yield Variant("adapter off", "other", lambda _: base)
        for scale in (0.7, 0.9, 1.1):
            yield Variant(f"adapter at {scale:g}", "other", scaled(adapter, scale))
        return
    for name, scale, truth in _ADAPTERS:
        found = Path(str(files("otium") / "data" / "models" / f"{name}-lora.gguf"))
        yield Variant(f"{name} at {scale:g}", truth, scaled(found, scale))


def _answers(variant: Variant, work: Path, name: str, prompts: Prompts | None) -> Fingerprint:
    """Write the variant's files, ask it everything, and throw the files away."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        found = variant.make(Path(scratch))
        weights = digest(f"{name}, {variant.name}".encode())
        with variant.engine.run(found, model=ModelId(name), weights=weights) as endpoint:
            return take_fingerprint(
                HttpModel(endpoint),
                prompts or fingerprint_prompts(),
                now=SystemClock().now(),
                hardware=hardware(),
                storage=storage_of(found),
            )


def _probes(variant: Variant, work: Path, name: str, prompts: Prompts | None) -> tuple[Probe, ...]:
    """Return the variant's answers, or nothing if it gives no numbers."""
    try:
        return _answers(variant, work, name, prompts).probes
    except EngineFailed:
        return ()


def _nothing(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    return tuple(msgspec.structs.replace(one, tokens=(), reading="") for one in probes)


def _row(  # noqa: PLR0917 - what a row rests on
    name: str,
    variant: Variant,
    seen: Sequence[Seen],
    unit: float,
    tests: Calibration,
    orders: int,
) -> Row:
    canaries = [list(_canaries(seen, unit, tests, number)) for number in range(orders)]
    ends = [one[0] for one in canaries]
    battery = decide(seen, unit, tests, "battery", probes=len(seen)).side
    right: dict[Truth, Side] = {"same": "same", "other": "different", "part": "different"}
    wrong = None
    if variant.truth in right:
        bad = fmean(sum(_is_wrong(it.side, variant.truth) for it in one) for one in canaries)
        wrong = wilson(bad, fmean(len(one) for one in canaries))
    sides: tuple[Side, ...] = ("same", "different", "undecided")
    return Row(
        variant=variant.name,
        truth=variant.truth,
        exact=sum(one.match.exact for one in seen),
        parted=sum(not one.match.same_end for one in seen),
        measured=_measured(name, variant, seen, unit, tests),
        moved=median(one.match.mean / unit for one in seen),
        battery=battery,
        canary={side: fmean(end.side == side for end in ends) for side in sides},
        probes=median(end.probes for end in ends),
        tokens=median(end.tokens for end in ends),
        wrong=wrong,
        wrong_battery=_is_wrong(battery, variant.truth) if variant.truth in right else None,
        bound=_bound(variant.truth, seen, unit, tests),
    )


class _End(NamedTuple):
    side: Side
    probes: int
    tokens: int


def _canaries(seen: Sequence[Seen], unit: float, tests: Calibration, number: int) -> Iterator[_End]:
    """Hold one canary after the other on one random order; the last may lack probes."""
    rest = list(seen)
    random.Random(number).shuffle(rest)  # noqa: S311 - an order, no secret
    while rest:
        end = decide(rest, unit, tests, "canary", probes=len(seen))
        asked, rest = rest[: end.steps], rest[end.steps :]
        if end.side == "undecided" and len(asked) < len(seen):
            return  # it ran out of probes, which a canary of its own would not have
        yield _End(end.side, end.steps, sum(len(one.after.tokens) for one in asked))


def _bound(truth: Truth, seen: Sequence[Seen], unit: float, tests: Calibration) -> float | None:
    between = hypotheses(tests, tests.canary)
    steps = [between.step(tests.place(one.match, unit), changed=one.changed) for one in seen]
    if truth == "same":
        others = range(len(between.other))
        return max(fmean(exp(it.other[at] - it.same[0]) for it in steps) for at in others)
    if truth in {"other", "part"}:
        at = 0 if truth == "other" else -1
        return fmean(exp(it.same[0] - it.other[at]) for it in steps)
    return None


def _is_wrong(side: Side, truth: Truth) -> bool:
    return side != "same" if truth == "same" else side == "same"


def _measured(
    name: str, variant: Variant, seen: Sequence[Seen], unit: float, tests: Calibration
) -> Measured:
    places = [tests.place(one.match, unit) for one in seen]
    read = [one.changed for one in seen if one.changed is not None]
    return Measured(
        model=name,
        variant=variant.name,
        truth=variant.truth,
        classes=tuple(places.count(at) for at in range(len(tests.edges) + 1)),
        changed=sum(read),
        read=len(read),
    )


def _without(tests: Calibration, model: str) -> Calibration:
    """Return the calibration without what was measured on *model*, which is judged by it."""
    rest = tuple(one for one in tests.measured if one.model != model)
    if {one.truth for one in rest} >= {"same", "other"}:
        return msgspec.structs.replace(tests, measured=rest)
    return tests


def _pooled(rows: Iterable[Row]) -> Estimate:
    known = [row.wrong for row in rows if row.wrong is not None]
    trials = sum(one.n for one in known)
    return wilson(min(trials, sum(one.value * one.n for one in known)), trials)


def _without_marks(template: str) -> str:
    """Return a chat template that marks turns in another way, as a wrong one would."""
    return template.replace("<|im_start|>", "### ").replace("<|im_end|>", "")


def _without_name(template: str) -> str:
    """Return the template with half of the system prompt that SmolLM2's brings along."""
    return template.replace(" named SmolLM, trained by Hugging Face", "")
