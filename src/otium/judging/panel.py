"""Panels: several judges on the same units, what they agree on, and how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from statistics import median

from otium.engine import Identity
from otium.errors import BadInput
from otium.judging.checks import counting
from otium.judging.families import conflicts, is_judge
from otium.judging.judge import Rater
from otium.judging.records import (
    Cost,
    Judged,
    Judgement,
    Manipulation,
    Missing,
    Panel,
    Ruling,
    Unit,
)
from otium.judging.rubric import Rubric
from otium.records import Progress, silent
from otium.statistics import Estimate, krippendorff, wilson

_BATCH = 16
_TWO = 2


def panel(
    judges: Sequence[Rater],
    units: Sequence[Unit],
    *,
    subject: Identity | None = None,
    own: bool = False,
    checked: Sequence[Manipulation] = (),
    progress: Progress = silent,
) -> Panel:
    """Return what *judges* make of *units* under their one rubric.

    A judge that fails its manipulation check, among *checked*, is not asked. *subject* is whose
    words the units are: it may not judge itself, unless *own* says so aloud. Raises BadInput for
    no judge at all, judges of one name or of two rubrics, and units of one id.
    """
    rubric = _one_rubric(judges)
    _unique(judges, units)
    _not_itself(judges, subject, own=own)
    kept = counting(judges, checked)
    found = {judge.who.name: _judged(judge, units, progress) for judge in kept}
    rows = list(zip(*found.values(), strict=True)) if found else [() for _ in units]
    every = [each for row in rows for each in row]
    who = tuple(judge.who for judge in kept)
    return Panel(
        rubric=rubric.specification,
        name=rubric.name,
        judges=who,
        rulings=tuple(_ruling(unit, row, rubric) for unit, row in zip(units, rows, strict=True)),
        judgements=tuple(each for each in every if isinstance(each, Judgement)),
        missing=tuple(each for each in every if isinstance(each, Missing)),
        agreement=_alpha(rows, rubric),
        agreed=_agreed(rows, rubric),
        manipulations=tuple(checked),
        warnings=(*conflicts(who, subject), *_weak(judges, kept, every, len(units))),
        cost=reduce(add, (each.cost for each in (*every, *checked)), Cost()),
    )


def _one_rubric(judges: Sequence[Rater]) -> Rubric:
    rubrics = {judge.rubric.specification: judge.rubric for judge in judges}
    if len(rubrics) != 1:
        why = "two judges have different rubrics" if rubrics else "there is none"
        raise BadInput(what="the judges", why=why)
    return next(iter(rubrics.values()))


def _unique(judges: Sequence[Rater], units: Sequence[Unit]) -> None:
    for what, names in (
        ("the judges", Counter(judge.who.name for judge in judges)),
        ("the units", Counter(unit.id for unit in units)),
    ):
        if twice := [name for name, count in names.items() if count > 1]:
            raise BadInput(what=what, why=f"{twice[0]!r} stands twice")


def _not_itself(judges: Sequence[Rater], subject: Identity | None, *, own: bool) -> None:
    for judge in judges if subject is not None and not own else ():
        if subject is not None and is_judge(judge.who, subject):
            raise BadInput(what=f"the judge {judge.who.name}", why="it is the model under test")


def _judged(judge: Rater, units: Sequence[Unit], progress: Progress) -> list[Judged]:
    found: list[Judged] = []
    what = f"judging by {judge.who.name}"
    for start in range(0, len(units), _BATCH):
        progress(what, start, len(units))
        found += judge.judge_all(units[start : start + _BATCH])
    progress(what, len(units), len(units))
    return found


def _ruling(unit: Unit, row: Sequence[Judged], rubric: Rubric) -> Ruling:
    read = [each.value for each in row if isinstance(each, Judgement)]
    if len(row) == 1 and read:
        (value,) = read
        grade = float(value) if isinstance(value, int) else None
        label = value if isinstance(value, str) else ""
        return Ruling(unit=unit.id, shown=unit.shown, standing="single", label=label, grade=grade)
    if len(read) < _TWO or 2 * len(read) <= len(row):
        return Ruling(unit=unit.id, shown=unit.shown, standing="unjudged")
    if not rubric.labels:
        return _graded(unit, [value for value in read if isinstance(value, int)], rubric)
    (most, count), *_ = Counter(read).most_common()
    if 2 * count <= len(row) or count < _TWO:
        return Ruling(unit=unit.id, shown=unit.shown, standing="split")
    return Ruling(unit=unit.id, shown=unit.shown, standing="consensus", label=str(most))


def _graded(unit: Unit, read: Sequence[int], rubric: Rubric) -> Ruling:
    """Return the middle grade, if no two lie further apart than the rubric allows."""
    if max(read) - min(read) > rubric.tolerance:
        return Ruling(unit=unit.id, shown=unit.shown, standing="split")
    grade = float(median(read))
    return Ruling(unit=unit.id, shown=unit.shown, standing="consensus", grade=grade)


def _alpha(rows: Sequence[Sequence[Judged]], rubric: Rubric) -> Estimate:
    ratings = [[_value(each) for each in row] for row in rows]
    return krippendorff(ratings, "nominal" if rubric.labels else "ordinal")


def _value(each: Judged) -> str | int | None:
    return each.value if isinstance(each, Judgement) else None


def _agreed(rows: Sequence[Sequence[Judged]], rubric: Rubric) -> Estimate:
    read = [[each.value for each in row if isinstance(each, Judgement)] for row in rows]
    both = [values for values in read if len(values) >= _TWO]
    return wilson(sum(_alike(values, rubric) for values in both), len(both))


def _alike(values: Sequence[str | int], rubric: Rubric) -> bool:
    grades = [value for value in values if isinstance(value, int)]
    if grades:
        return max(grades) - min(grades) <= rubric.tolerance
    return len(set(values)) == 1


def _weak(
    judges: Sequence[Rater], kept: Sequence[Rater], found: Sequence[Judged], units: int
) -> Iterator[str]:
    for judge in judges:
        if judge not in kept:
            yield f"{judge.who.name} failed its manipulation checks and does not count."
    for judge in kept:
        lost = sum(isinstance(it, Missing) and it.judge == judge.who.name for it in found)
        if lost:
            yield f"{judge.who.name} gave no readable judgement on {lost} of {units} units."
