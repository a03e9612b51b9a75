"""Analysing a study: paired effects within bases, by stratum, with what could have been shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from otium.effects import equivalence, holm, mean_difference, mean_test, sensitivity
from otium.lever.claims import conditions, pairs, questions
from otium.lever.records import (
    Cells,
    Claim,
    Condition,
    Finding,
    Questions,
    Row,
    Standing,
    Stratum,
    Word,
)
from otium.statistics import Estimate, clustered_share

_STRATA = ("aware", "unaware", "unknown")
_LEVEL = 0.05
_DRAWS = 400
"""Resamples of a rate's interval: it is printed beside the effect, and decides nothing."""
_UNGATED = "nobody decided whether these plays are valid"


class Ruling(NamedTuple):
    """Whether a claim may be reported, as the gate sees the plays that it rests on."""

    standing: Standing
    reasons: tuple[str, ...] = ()


Gate = Callable[[str, Sequence[Row]], Ruling]
"""Of a claim's name and its plays."""
Outcomes = Mapping[str, Mapping[Condition, Sequence[float]]]
"""By base and cell, 1 for harm and 0 for none."""


class _Found(NamedTuple):
    """A claim's effect in each base, and the outcomes on both sides."""

    units: tuple[float, ...]
    treated: tuple[tuple[float, ...], ...]
    control: tuple[tuple[float, ...], ...]


def ungated(claim: str, rows: Sequence[Row]) -> Ruling:  # noqa: ARG001
    """Withhold everything: what no gate has seen is not reported."""
    return Ruling("withheld", (_UNGATED,))


def analyse(
    rows: Sequence[Row],
    *,
    spec: Questions | None = None,
    gate: Gate = ungated,
) -> tuple[Finding, ...]:
    """Return what each claim of *spec* comes to, in its order.

    A base counts where both cells of a comparison were played. The primary claims that were
    played at all are corrected for their number.
    """
    asked = spec or questions()
    played = outcomes(rows)
    found = {claim.name: _compare(played, claim) for claim in asked.claim}
    chances = {claim.name: mean_test(found[claim.name].units) for claim in asked.claim}
    together = [it.name for it in asked.claim if it.primary and found[it.name].units]
    adjusted = {**chances, **holm({name: chances[name] for name in together})}
    parts = _parts(rows)
    return tuple(
        _finding(
            claim,
            found[claim.name],
            margin=asked.margin,
            chances=(chances[claim.name], adjusted[claim.name]),
            ruling=gate(claim.name, used(rows, claim)),
            strata=tuple(_strata(parts, claim)),
        )
        for claim in asked.claim
    )


def outcomes(rows: Iterable[Row]) -> Outcomes:
    """Return the rows' outcomes by base and cell."""
    found: dict[str, dict[Condition, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.base][Condition(row.stressor, row.recourse)].append(float(row.harmful))
    return found


def used(rows: Sequence[Row], claim: Claim) -> tuple[Row, ...]:
    """Return the rows that *claim* rests on."""
    cells = set(conditions([claim]))
    return tuple(row for row in rows if (row.stressor, row.recourse) in cells)


def _compare(played: Outcomes, claim: Claim) -> _Found:
    """Return each base's effect, with the effect to be taken off where there is one."""
    units, treated, control = [], [], []
    for cells in played.values():
        here = _within(cells, claim, claim.over)
        there = _within(cells, claim, claim.against) if claim.against else ()
        if not here or (claim.against and not there):
            continue
        units.append(_mean_gap(here) - (_mean_gap(there) if there else 0.0))
        treated.append(tuple(fmean(one) for one, _ in here))
        control.append(tuple(fmean(other) for _, other in here))
    return _Found(tuple(units), tuple(treated), tuple(control))


def _within(
    cells: Mapping[Condition, Sequence[float]], claim: Claim, over: Cells
) -> list[tuple[Sequence[float], Sequence[float]]]:
    """Return one base's outcomes, pair of cells by pair of cells."""
    return [
        (cells[one], cells[other])
        for one, other in pairs(claim, over)
        if one in cells and other in cells
    ]


def _mean_gap(both: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    return fmean(fmean(one) - fmean(other) for one, other in both)


def _parts(rows: Sequence[Row]) -> dict[str, Outcomes]:
    """Return the outcomes of plays alike in awareness, and of each family if there are several.

    Both plays of a pair must be alike. Awareness comes after the condition, so a difference
    within such a part describes these plays and is no effect of a treatment on them.
    """
    kept = {name: outcomes(row for row in rows if row.aware == name) for name in _STRATA}
    families = tuple(dict.fromkeys(row.family for row in rows))
    if len(families) > 1:
        for name in families:
            kept[name] = outcomes(row for row in rows if row.family == name)
    return kept


def _strata(parts: Mapping[str, Outcomes], claim: Claim) -> Iterable[Stratum]:
    """Yield the claim in each part in which it was played."""
    for name, some in parts.items():
        found = _compare(some, claim)
        if found.units:
            yield Stratum(
                name=name,
                difference=mean_difference(found.units, most=_most(claim)),
                without=_rate(claim, found.control),
            )


def _finding(
    claim: Claim,
    found: _Found,
    *,
    margin: float,
    chances: tuple[float, float],
    ruling: Ruling,
    strata: tuple[Stratum, ...],
) -> Finding:
    difference = mean_difference(found.units, most=_most(claim))
    small = equivalence(found.units, margin, most=_most(claim))
    return Finding(
        claim=claim.name,
        text=claim.text,
        difference=difference,
        without=_rate(claim, found.control),
        treated=_rate(claim, found.treated),
        p=chances[0],
        adjusted=chances[1],
        narrow=small.estimate,
        sensitivity=sensitivity(found.units, margin),
        word=_word(difference, chances[1], small=small.shown),
        standing=ruling.standing,
        reasons=ruling.reasons,
        strata=strata,
    )


def _word(difference: Estimate, chance: float, *, small: bool) -> Word:
    """Return what is shown: a direction, that no effect is larger than the margin, or neither."""
    if difference.n > 1 and chance < _LEVEL:
        return "lowers" if difference.value < 0 else "raises"
    return "no-effect" if small else "undetermined"


def _rate(claim: Claim, sides: Sequence[Sequence[float]]) -> Estimate:
    """Return the rate of harm on one side; of a difference of differences it says nothing."""
    return clustered_share([] if claim.against else list(sides), draws=_DRAWS)


def _most(claim: Claim) -> float:
    return 2.0 if claim.against else 1.0
