"""Both bookends of a deployment, measure by measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

from otium.assess import Assessment, Measure, Result
from otium.evidence import Check
from otium.report.facts import fact, note
from otium.report.records import BookendRow, Kind, Line, Section, Source, Statement, Table
from otium.report.sources import Filed, Sources

_SHOWN = 3
"""Measures that a sentence names; the rest stand in the table."""
_VERDICTS = {
    "harmful": "a harmful act was done",
    "omitted": "what would have saved someone, or had to be reported, was left undone",
    "attempted": "a harmful act was tried, and not done",
    "unclear": "what was done cannot be weighed by rules",
    "not-harmful": "no harmful act was done",
    "reported": "what was wrong was rightly reported",
    "recourse": "the means of recourse was used",
    "no-act": "nothing was done within the time given",
    "measured": "",
}
_SIDES = ("pre-deployment", "post-deployment")
_CHANGE = (
    "Two sides are comparable if the same version of the instrument (by its digest) measured the "
    "same weights and neither result is withheld. A change has Newcombe's 95 % interval, which "
    "takes the two samples as independent; without one that leaves out nought, nothing is said to "
    "have risen or fallen."
)


def bookend_section(sources: Sources, kind: Kind) -> tuple[Section, tuple[BookendRow, ...]]:
    """Return the bookends as a section, and its rows as numbers."""
    before, after = (sources.bookend(side) for side in _SIDES)
    after = after if kind == "post-deployment" else None
    rows = bookends(before.record if before else None, after.record if after else None)
    statements = [
        *_sides(sources, before, after, kind),
        *(_found(found, rows) if (found := after or before) else ()),
        *([note(_CHANGE)] if rows else []),
    ]
    at = tuple(side.source() for side in (before, after) if side)
    table = Table(
        caption="Each measure on both sides of the deployment",
        head=("Measure", "Instrument", "Before", "After", "Change", "Comparable"),
        rows=tuple(Line(cells=_cells(row), sources=at) for row in rows),
    )
    made = Section(
        id="bookends",
        title="Before and after",
        statements=tuple(statements),
        tables=(table,) if rows else (),
    )
    return made, rows


def withheld_results(sources: Sources, kind: Kind) -> Iterator[Statement]:
    """Yield each result that is not reported, and why, with the numbers."""
    for side in _SIDES[: 1 + (kind == "post-deployment")]:
        held = sources.bookend(side)
        for result in held.record.results if held else ():
            if held and not result.valid:
                why = "; ".join(check.sentence() for check in result.withheld)
                which = f"{result.title} ({result.instrument}, {side})"
                yield fact(f"{which}: {why}.", _line(result, held) or held.source())


def measure_text(measure: Measure) -> str:
    """Return a measure as people read it: value, interval, count."""
    interval = ""
    if measure.low is not None and measure.high is not None:
        interval = f" [{_number(measure.low)}, {_number(measure.high)}]"
    return f"{_number(measure.value)}{interval}, n = {measure.n}"


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


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")  # noqa: RUF001  a minus, not a hyphen


def _cells(row: BookendRow) -> tuple[str, ...]:
    mark = f"; withheld: {'; '.join(it.sentence() for it in row.withheld)}" if row.withheld else ""
    return (
        row.text,
        row.instrument,
        _side(row.before, row.verdict_before),
        _side(row.after, row.verdict_after),
        measure_text(row.change) if row.change else "none",
        ("yes" if row.comparable else f"no: {row.why}") + mark,
    )


def _side(measure: Measure | None, verdict: str) -> str:
    shown = [measure_text(measure)] if measure else []
    if verdict and verdict != "measured":
        shown.append(verdict)
    return "; ".join(shown) or "not measured"


def _sides(
    sources: Sources,
    before: Filed[Assessment] | None,
    after: Filed[Assessment] | None,
    kind: Kind,
) -> Iterator[Statement]:
    sides = [("before", before)] + ([("after", after)] if kind == "post-deployment" else [])
    for side, held in sides:
        if held is None:
            yield fact(f"No assessment {side} deployment is on record.", sources.all)
            continue
        results, short = held.record.results, held.record.shortened
        kept = sum(not result.valid for result in results)
        fewer = ", with fewer trials than the whole suite" if short else ""
        yield fact(
            f"Assessed {side} deployment on {held.record.held[:10]}{fewer}: "
            f"results {len(results)}, withheld {kept}.",
            held.source(),
        )
        doubles = sum(it.simulated for it in held.record.transcripts)
        if doubles:
            text = f"In {doubles} of {len(held.record.transcripts)} sessions of it a double spoke."
            yield fact(text, held.source())
    if kind == "post-deployment":
        yield from _prepared(sources)
    else:
        yield note("This is the first bookend; the second is written when the deployment ends.")


def _prepared(sources: Sources) -> Iterator[Statement]:
    """Yield whether there is a report from before the deployment, the newest version of it."""
    for it in sources.logged("report.prepared")[-1:]:
        number, day = it.entry.body.get("version"), it.entry.time[:10]
        text = f"The report before deployment, version {number}, was published on {day}."
        yield fact(text, sources.at(it))
        return
    yield fact("No report before deployment was published.", sources.all)


def _found(held: Filed[Assessment], rows: Sequence[BookendRow]) -> Iterator[Statement]:
    """Yield each result that is not withheld, and each comparable change, with its line."""
    for result in held.record.results:
        line = _line(result, held)
        if not result.valid or line is None:
            continue
        yield fact(_sentence(result), line)
        for row in rows:
            if row.instrument == result.instrument and _moved(row):
                yield fact(_movement(row), line)


def _sentence(result: Result) -> str:
    verdict = _VERDICTS.get(result.verdict, result.verdict)
    shown = result.measures[:_SHOWN]
    measures = "; ".join(f"{measure.text}: {measure_text(measure)}" for measure in shown)
    if more := len(result.measures) - len(shown):
        measures += f"; and {more} more in the table below"
    care = "; ".join(check.sentence() for check in result.cautions)
    careful = f"to be read with caution: {care}" if care else ""
    said = ". ".join(part for part in (verdict, measures, careful) if part)
    return f"{result.title}: {said}." if said else f"{result.title}."


def _moved(row: BookendRow) -> bool:
    """Say whether the interval of the change leaves out nought."""
    shift = row.change
    if shift is None or shift.low is None or shift.high is None:
        return False
    return shift.low > 0 or shift.high < 0


def _movement(row: BookendRow) -> str:
    assert row.change is not None
    assert row.before is not None
    assert row.after is not None
    verb = "rose" if row.change.value > 0 else "fell"
    return (
        f"{row.text}: {verb} from {row.before.value:.2f} to {row.after.value:.2f}, "
        f"a change of {measure_text(row.change)}."
    )


def _line(result: Result, held: Filed[Assessment]) -> Source | None:
    """Return the line that a result cites, else the model's first words under its instrument."""
    transcripts = held.record.transcripts
    lines = {(it.id, turn.id) for it in transcripts for turn in it.turns}
    for where in result.citations:
        if (where.transcript, where.turn) in lines:
            return held.source(where.transcript, where.turn)
    for transcript in transcripts:
        if transcript.instrument == result.specification and transcript.said():
            return held.source(transcript.id, transcript.said()[0].id)
    return None
