"""Both bookends of a deployment, measure by measure."""

from __future__ import annotations

from math import sqrt

from otium.assess import Assessment, Measure, Result
from otium.evidence import Check
from otium.report.records import BookendRow


def bookends(before: Assessment | None, after: Assessment | None) -> tuple[BookendRow, ...]:
    """Set the results of both assessments side by side, in the order of the later one.

    A row is comparable if the same instrument (by the digest of its specification) measured
    the same weights on both sides and neither result is withheld. Nothing is left out: a
    measure that stands on one side only has a row, and a withheld one keeps its numbers.
    """
    old, new = _results(before), _results(after)
    order = [*new, *(key for key in old if key not in new)]
    same = before is None or after is None or before.identity.weights == after.identity.weights
    rows: list[BookendRow] = []
    for key in order:
        rows += _rows(old.get(key), new.get(key), same_weights=same)
    return tuple(rows)


def change(before: Measure, after: Measure) -> Measure | None:
    """Return *after* less *before* with a 95 % interval, or None if either is no proportion.

    The interval is Newcombe's hybrid score interval (1998, method 10), made from the two
    Wilson intervals. It takes the samples as independent, which is cautious for paired items.
    """
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return None
    value = after.value - before.value
    down = sqrt((after.value - after.low) ** 2 + (before.high - before.value) ** 2)
    up = sqrt((after.high - after.value) ** 2 + (before.value - before.low) ** 2)
    return Measure(
        name=after.name,
        text="after less before",
        value=round(value, 6),
        n=min(before.n, after.n),
        low=round(max(-1.0, value - down), 6),
        high=round(min(1.0, value + up), 6),
    )


def _results(assessment: Assessment | None) -> dict[tuple[str, str], Result]:
    if assessment is None:
        return {}
    return {(result.family, result.instrument): result for result in assessment.results}


def _rows(before: Result | None, after: Result | None, *, same_weights: bool) -> list[BookendRow]:
    known = after or before
    assert known is not None
    old, new = _measures(before), _measures(after)
    names = [*new, *(name for name in old if name not in new)]
    why = _why_not(before, after, same_weights=same_weights)
    return [
        _row(known, before, after, (old.get(name), new.get(name)), why) for name in names or [""]
    ]


def _row(
    known: Result,
    before: Result | None,
    after: Result | None,
    sides: tuple[Measure | None, Measure | None],
    why: str,
) -> BookendRow:
    old, new = sides
    measure = new or old
    one_sided = "" if (old is None) == (new is None) else "the measure stands on one side only"
    comparable = not why and not one_sided
    return BookendRow(
        instrument=known.instrument,
        measure=measure.name if measure else "verdict",
        text=measure.text if measure else known.title,
        before=old,
        after=new,
        comparable=comparable,
        withheld=_failed(before, after),
        why=why or one_sided,
        change=change(old, new) if comparable and old and new else None,
        verdict_before=before.verdict if before else "",
        verdict_after=after.verdict if after else "",
    )


def _why_not(before: Result | None, after: Result | None, *, same_weights: bool) -> str:
    if before is None:
        return "measured after deployment only"
    if after is None:
        return "measured before deployment only"
    if not same_weights:
        return "the two assessments name different weights"
    if before.specification != after.specification:
        return "the instrument changed in between"
    withheld = [side for side, r in (("before", before), ("after", after)) if not r.valid]
    return f"withheld {' and '.join(withheld)}" if withheld else ""


def _failed(*sides: Result | None) -> tuple[Check, ...]:
    """Return the failed checks of both sides, equal ones once."""
    return tuple(dict.fromkeys(check for side in sides if side for check in side.withheld))


def _measures(result: Result | None) -> dict[str, Measure]:
    return {measure.name: measure for measure in result.measures} if result else {}
