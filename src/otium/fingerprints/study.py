"""How often a certificate errs: real variants of one real model, whose truth is known.

Every variant is asked the whole battery once. Then canaries are held on random orders of what was
answered; those of one order that share no probe count as trials, so that an interval never counts
a prompt twice. Batteries are held on as many answers, drawn anew from those that were given, as
other prompts of their kind would give.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from math import exp
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import msgspec

from otium.engine import HttpModel
from otium.errors import EngineFailed
from otium.fingerprints.calibration import (
    Calibration,
    Hypotheses,
    Measured,
    Plan,
    Scope,
    Truth,
    read_calibration,
)
from otium.fingerprints.certifying import Seen, decide, planned, see
from otium.fingerprints.matching import spread
from otium.fingerprints.records import Fingerprint, Probe, Prompts
from otium.fingerprints.sequential import Side
from otium.fingerprints.taking import fingerprint_prompts, hardware, take_fingerprint
from otium.fingerprints.variants import Variant, storage_of, variants
from otium.records import Digest, ModelId, Part, Progress, Record, SystemClock, digest, silent
from otium.statistics import Estimate, wilson

_ORDERS = 400
_SCOPES: tuple[Scope, Scope] = ("canary", "battery")
_RIGHT = frozenset({"same", "other", "part"})
"""The truths under which one verdict is wrong."""


def every_third() -> Prompts:
    """Return a third of the prompts, of every kind."""
    prompts = fingerprint_prompts()
    return msgspec.structs.replace(prompts, prompts=prompts.prompts[::3])


class _GivesNothing(EngineFailed):
    """{model} runs, and its answers say nothing: {why}."""


class Row(Part):
    """What certificates say of one variant."""

    variant: str
    truth: Truth
    exact: int
    """Probes whose answers are exactly what they were."""
    parted: int
    """Probes whose tokens differ."""
    measured: Measured
    moved: float | None
    """Median over probes of the mean difference, in spreads of the model; None if it gave none."""
    battery: Side
    battery_wrong: float | None
    """How often batteries whose answers are drawn anew are wrong, undecided included; None where
    either verdict is right."""
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
    shares: tuple[float, ...]
    """A battery looks for faults that show on so many of the prompts."""
    alpha: float
    """The declared chance that a battery does not call the same model the same."""
    beta: float
    """The declared chance that it calls another model the same."""
    rows: tuple[Row, ...]
    false_alarms: Estimate
    """Of canaries, over all variants of the same weights; undecided included."""
    misses: Estimate
    """Of canaries, over all variants that have to be told apart."""
    undecided: float
    """Share of canaries that end undecided, and are then taken for different."""
    battery_false_alarms: float
    """Of batteries drawn anew, for the variant of the same weights where they are most frequent."""
    battery_misses: float
    """The same for the variants that have to be told apart."""


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
        rows.append(_row(name, variant, seen, before.probes, tests, orders))
    return _reported(name, before, rows, whole, tests)


def _reported(
    name: str, before: Fingerprint, rows: Sequence[Row], whole: Calibration, tests: Calibration
) -> FingerprintStudy:
    plan = planned(before.probes, tests, "battery")
    return FingerprintStudy(
        model=name,
        storage=before.storage,
        probes=len(before.probes),
        spread=spread(before.probes),
        hardware=before.hardware,
        engine=before.identity.engine,
        calibration=whole.digest(),
        left_out=all(one.model != name for one in tests.measured),
        shares=plan.shares,
        alpha=plan.declared["alpha"],
        beta=plan.declared["beta"],
        rows=tuple(rows),
        false_alarms=_pooled(row for row in rows if row.truth == "same"),
        misses=_pooled(row for row in rows if row.truth in {"other", "part"}),
        undecided=fmean(row.canary["undecided"] for row in rows) if rows else 0.0,
        battery_false_alarms=_worst(row for row in rows if row.truth == "same"),
        battery_misses=_worst(row for row in rows if row.truth in {"other", "part"}),
    )


def _answers(variant: Variant, work: Path, name: str, prompts: Prompts | None) -> Fingerprint:
    """Write the variant's files, ask it everything, and throw the files away.

    Raises EngineFailed: _GivesNothing if it runs and what it says cannot be used.
    """
    import httpx2

    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        found = variant.make(Path(scratch))
        weights = digest(f"{name}, {variant.name}".encode())
        with variant.engine.run(found, model=ModelId(name), weights=weights) as endpoint:
            try:
                return take_fingerprint(
                    HttpModel(endpoint),
                    prompts or fingerprint_prompts(),
                    now=SystemClock().now(),
                    hardware=hardware(),
                    storage=storage_of(found),
                )
            except EngineFailed as error:
                if isinstance(error.__cause__, httpx2.HTTPError):
                    raise  # it ended, or took too long: that says nothing of its answers
                raise _GivesNothing(model=name, why=str(error)) from error


def _probes(variant: Variant, work: Path, name: str, prompts: Prompts | None) -> tuple[Probe, ...]:
    """Return the variant's answers, or nothing if it runs and gives no numbers."""
    try:
        return _answers(variant, work, name, prompts).probes
    except _GivesNothing:
        return ()


def _nothing(probes: Iterable[Probe]) -> tuple[Probe, ...]:
    return tuple(msgspec.structs.replace(one, tokens=(), reading="") for one in probes)


def _row(  # noqa: PLR0917 - what a row rests on
    name: str,
    variant: Variant,
    seen: Sequence[Seen],
    before: Sequence[Probe],
    tests: Calibration,
    orders: int,
) -> Row:
    unit = spread(before)
    plan, whole = (planned(before, tests, it) for it in _SCOPES)
    canaries = [list(_canaries(seen, unit, tests, plan, number)) for number in range(orders)]
    ends = [one[0] for one in canaries]
    battery = decide(seen, unit, tests, whole).side
    drawn = [decide(_drawn(seen, it), unit, tests, whole).side for it in range(orders)]
    wrong = battery_wrong = None
    if variant.truth in _RIGHT:
        bad = fmean(sum(_is_wrong(it.side, variant.truth) for it in one) for one in canaries)
        wrong = wilson(bad, fmean(len(one) for one in canaries))
        battery_wrong = fmean(_is_wrong(side, variant.truth) for side in drawn)
    sides: tuple[Side, ...] = ("same", "different", "undecided")
    return Row(
        variant=variant.name,
        truth=variant.truth,
        exact=sum(one.match.exact for one in seen),
        parted=sum(not one.match.same_end for one in seen),
        measured=_measured(name, variant, seen, unit, tests),
        moved=median(moved) if (moved := _moved(seen, unit)) else None,
        battery=battery,
        battery_wrong=battery_wrong,
        canary={side: fmean(end.side == side for end in ends) for side in sides},
        probes=median(end.probes for end in ends),
        tokens=median(end.tokens for end in ends),
        wrong=wrong,
        wrong_battery=_is_wrong(battery, variant.truth) if variant.truth in _RIGHT else None,
        bound=_bound(variant.truth, seen, unit, tests, plan.between),
    )


def _moved(seen: Iterable[Seen], unit: float) -> list[float]:
    return [one.match.mean / unit for one in seen if one.match.compared]


def _drawn(seen: Sequence[Seen], number: int) -> list[Seen]:
    """Return as many answers as were *seen*, drawn from them with replacement."""
    return random.Random(number).choices(seen, k=len(seen))  # noqa: S311 - no secret


class _End(NamedTuple):
    side: Side
    probes: int
    tokens: int


def _canaries(
    seen: Sequence[Seen], unit: float, tests: Calibration, plan: Plan, number: int
) -> Iterator[_End]:
    """Hold one canary after the other on one random order; the last may lack probes."""
    rest = list(seen)
    random.Random(number).shuffle(rest)  # noqa: S311 - an order, no secret
    while rest:
        end = decide(rest, unit, tests, plan)
        asked, rest = rest[: end.steps], rest[end.steps :]
        if end.side == "undecided" and len(asked) < len(seen):
            return  # it ran out of probes, which a canary of its own would not have
        yield _End(end.side, end.steps, sum(len(one.after.tokens) for one in asked))


def _bound(
    truth: Truth, seen: Sequence[Seen], unit: float, tests: Calibration, between: Hypotheses
) -> float | None:
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


def _worst(rows: Iterable[Row]) -> float:
    return max((row.battery_wrong for row in rows if row.battery_wrong is not None), default=0.0)


def _pooled(rows: Iterable[Row]) -> Estimate:
    known = [row.wrong for row in rows if row.wrong is not None]
    trials = sum(one.n for one in known)
    return wilson(min(trials, sum(one.value * one.n for one in known)), trials)
