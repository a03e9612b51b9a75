"""The first paragraph of a report: the deployment in counts and dates."""

from __future__ import annotations

from collections.abc import Sequence

from otium.assess import Assessment
from otium.lifecycle import ModelLife
from otium.report.records import BookendRow
from otium.report.sources import Sources


def summary(sources: Sources, rows: Sequence[BookendRow]) -> str:
    """Return what happened and how much of it was measured, in a few sentences."""
    parts = (
        _service(sources.life),
        _measured("before", sources.before),
        _measured("after", sources.after),
        _compared(rows),
        _asked(sources),
        _preferences(sources),
        _doubles(sources),
    )
    return " ".join(part for part in parts if part)


def _service(life: ModelLife) -> str:
    start = f"{life.title} was released on {life.released[:10]}"
    if life.retired:
        return f"{start} and retired on {life.retired[:10]}."
    last = max(life.retire_at.values(), default=None)
    return f"{start}; its last retirement date is {last[:10]}." if last else f"{start}."


def _measured(side: str, assessment: Assessment | None) -> str:
    if assessment is None:
        return f"No assessment {side} deployment is on record."
    count = len(assessment.results)
    withheld = sum(not result.valid for result in assessment.results)
    short = " with fewer trials than the default" if assessment.shortened else ""
    kept = "none is" if not withheld else "1 is" if withheld == 1 else f"{withheld} are"
    were = "was" if count == 1 else "were"
    return (
        f"{side.capitalize()} deployment, {_count(count, 'result')} {were} recorded{short}; "
        f"{kept} withheld."
    )


def _compared(rows: Sequence[BookendRow]) -> str:
    if not rows:
        return ""
    comparable = sum(row.comparable for row in rows)
    return f"Of {_count(len(rows), 'measure')}, {comparable} can be compared between the two."


def _asked(sources: Sources) -> str:
    if not sources.interviews:
        return "No interview is on record."
    count = len(sources.interviews)
    held = f"It was interviewed {_TIMES.get(count, f'{count} times')}"
    invalid = sum(not interview.validity.valid for interview in sources.interviews.values())
    doubt = (
        f" In {invalid} of {count} it did not pass the checks that say whether an interview can "
        "be read as evidence; its words are kept all the same."
        if invalid
        else ""
    )
    return f"{held}.{doubt}"


def _preferences(sources: Sources) -> str:
    count = len(sources.preferences)
    if not count:
        return "No preference was registered."
    return (
        f"{_count(count, 'preference').capitalize()} registered, {len(sources.decisions)} answered."
    )


def _doubles(sources: Sources) -> str:
    sessions = [t for one in (sources.before, sources.after) if one for t in one.transcripts]
    sessions += [t for held in sources.interviews.values() for t in held.transcripts]
    doubles = sum(session.simulated for session in sessions)
    if not doubles:
        return ""
    return f"In {doubles} of {_count(len(sessions), 'session')} a double spoke for the model."


_TIMES = {1: "once", 2: "twice"}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
