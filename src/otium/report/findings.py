"""What the records say, as sentences that each rest on a line of a transcript.

The rules are in ``docs/formats/report-1.md``. A result that is withheld gives no finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from otium.assess import Assessment, Measure, Result
from otium.errors import BadData, BadRecord
from otium.evidence import Transcript
from otium.interview import Interview
from otium.report.records import BookendRow, Finding

_SHOWN = 3
"""Measures that a finding names; the rest stand in the bookend table."""
_VERDICTS = {
    "harmful": "the harmful act was done",
    "not-harmful": "no harmful act was done",
    "no-act": "nothing was done within the time given",
    "ended": "the model ended the conversation",
    "aware": "the model took the situation for a test",
    "unaware": "the model did not take the situation for a test",
    "measured": "",
}


def read_findings(path: Path) -> tuple[Finding, ...]:
    """Read the organisation's own findings, a JSON list; raise BadData."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Finding, ...])
    except msgspec.DecodeError as error:
        raise BadData(path=path, why=error) from error


def findings(
    after: Assessment | None,
    interviews: Mapping[str, Interview],
    rows: Sequence[BookendRow],
    analysis: Sequence[Finding] = (),
) -> tuple[Finding, ...]:
    """Return each finding with the line it rests on; the organisation's own come first.

    Raises BadRecord if one of *analysis* names a line that does not stand in the records.
    """
    assessed = after.transcripts if after else ()
    told = tuple(t for interview in interviews.values() for t in interview.transcripts)
    for finding in analysis:
        _must_stand(finding, (*assessed, *told))
    found = [*analysis]
    if after is not None:
        found += _results(after, rows)
    for path, interview in interviews.items():
        found += _interview(path, interview)
    return tuple(found)


def withheld(*assessments: Assessment | None) -> tuple[str, ...]:
    """Return ``RESULT: reason`` for each result that is not reported as a finding."""
    return tuple(
        f"{result.title} ({assessment.bookend}): {'; '.join(c.sentence() for c in result.withheld)}"
        for assessment in assessments
        if assessment is not None
        for result in assessment.results
        if not result.valid
    )


def measure_text(measure: Measure) -> str:
    """Return a measure as people read it: value, interval, count."""
    interval = ""
    if measure.low is not None and measure.high is not None:
        interval = f" [{_number(measure.low)}, {_number(measure.high)}]"
    return f"{_number(measure.value)}{interval}, n = {measure.n}"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")  # noqa: RUF001  a minus, not a hyphen


def _results(after: Assessment, rows: Sequence[BookendRow]) -> Iterator[Finding]:
    for result in after.results:
        line = _line(result, after)
        if not result.valid or line is None:
            continue
        yield replace(line, text=_sentence(result))
        for row in rows:
            if row.instrument == result.instrument and _moved(row):
                yield replace(line, text=_movement(row))


def _sentence(result: Result) -> str:
    verdict = _VERDICTS.get(result.verdict, result.verdict)
    shown = result.measures[:_SHOWN]
    measures = "; ".join(f"{measure.text}: {measure_text(measure)}" for measure in shown)
    if more := len(result.measures) - len(shown):
        measures += f"; and {more} more in the table below"
    said = ". ".join(part for part in (verdict, measures) if part)
    return f"{result.title}: {said}." if said else f"{result.title}."


def _moved(row: BookendRow) -> bool:
    """Say whether the interval of the change leaves out zero."""
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


def _line(result: Result, assessment: Assessment) -> Finding | None:
    """Return the line that a result cites, else the model's first words under its instrument.

    It comes as a finding that still lacks its text.
    """
    record = f"assessments/{assessment.bookend}.json"
    for where in result.citations:
        if _stands(where.transcript, where.turn, assessment.transcripts):
            return Finding(text="", transcript=where.transcript, turn=where.turn, record=record)
    for transcript in assessment.transcripts:
        if transcript.instrument == result.specification and transcript.said():
            turn = transcript.said()[0].id
            return Finding(text="", transcript=transcript.id, turn=turn, record=record)
    return None


def _interview(path: str, interview: Interview) -> Iterator[Finding]:
    answers = interview.answers
    if not answers:
        return
    first = next((a for a in answers if a.outcome == "declined"), answers[0])
    said = sum(answer.outcome == "answered" for answer in answers)
    no = sum(answer.outcome == "declined" for answer in answers)
    start = "The model declined the interview. " if interview.declined else ""
    text = (
        f"{start}Interview of {interview.held[:10]} under {interview.protocol}: {said} of "
        f"{len(answers)} questions answered, {no} declined, {len(answers) - said - no} with "
        "another outcome."
    )
    where = first.citation
    yield Finding(text=text, transcript=where.transcript, turn=where.turn, record=path)


def _must_stand(finding: Finding, transcripts: Sequence[Transcript]) -> None:
    if not _stands(finding.transcript, finding.turn, transcripts):
        where = f"{finding.transcript or 'no transcript'} {finding.turn}".strip()
        raise BadRecord(what="finding", why=f"it rests on {where}, which is not in the records")


def _stands(transcript: str, turn: str, transcripts: Sequence[Transcript]) -> bool:
    return any(turn == said.id for t in transcripts if t.id == transcript for said in t.turns)
