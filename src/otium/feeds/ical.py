"""Calendars (RFC 5545): floors and dates of models, duties, and models that one depends on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from otium.commitments import Duty
from otium.feeds.records import Publisher
from otium.lifecycle import ModelLife, Revision
from otium.records import Instant, Part

_OCTETS = 75
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_LAST_DAY = "9999-12-31"


class Event(Part):
    """Something that concerns a whole day."""

    uid: str
    """The same for ever, whatever becomes of the day."""
    day: str
    """``2026-06-30``, in UTC."""
    summary: str
    stamp: Instant
    """When this was said."""
    description: str = ""
    category: str = ""
    sequence: int = 0
    """How often it was said anew."""
    cancelled: bool = False


def calendar(name: str, events: Iterable[Event]) -> str:
    """Return a calendar of whole-day events, in the order given."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//otium//feeds 1//EN",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for event in events:
        lines += _event(event)
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _fold(line))


def lifecycle_calendar(lives: Iterable[ModelLife], publisher: Publisher) -> str:
    """Return the floors, the announced dates and the ends of each model's surfaces.

    A date that was called off stays, as cancelled. The text depends on nothing but its
    arguments, so that it only changes when they do.
    """
    events = [event for life in lives for event in _events(life, publisher.host)]
    return calendar(f"{publisher.name}: lives of models", events)


def duties_calendar(duties: Sequence[Duty], publisher: Publisher, now: Instant) -> str:
    """Return the days by which something is still to be done, as they stand at *now*."""
    seen: Counter[str] = Counter()
    events = []
    for duty in duties:
        if duty.due is None or not _open(duty, now):
            continue
        key = "-".join(filter(None, ("duty", duty.commitment, duty.subject, duty.about)))
        seen[key] += 1
        count = f"-{seen[key]}" if seen[key] > 1 else ""
        events.append(
            Event(
                uid=f"{key}{count}@{publisher.host}",
                day=duty.due[:10],
                summary=f"{duty.state}: {duty.commitment}, {duty.subject}",
                stamp=now,
                description="\n".join(filter(None, (duty.text, f"Owner: {duty.owner}", duty.why))),
                category=duty.state,
            )
        )
    return calendar(f"{publisher.name}: duties", events)


def _open(duty: Duty, now: Instant) -> bool:
    """Whether something is still to be done; what was once late may be due again."""
    assert duty.due is not None
    return duty.state in {"due", "overdue"} or (duty.state == "breached" and duty.due >= now)


def _events(life: ModelLife, host: str) -> Iterator[Event]:
    said: dict[tuple[str, str], list[Revision]] = {}
    for revision in life.revisions:
        said.setdefault((revision.kind, revision.surface), []).append(revision)
    for (kind, surface), revisions in said.items():
        yield _planned(life, kind, surface, revisions, host)
    for surface, ended in life.ended.items():
        withdrawn = ended == life.withdrawn
        yield Event(
            uid=f"ended-{life.model}-{surface}@{host}",
            day=ended[:10],
            summary=f"{life.title}: {surface} {'withdrawn' if withdrawn else 'ended'}",
            stamp=ended,
            description=life.reason if withdrawn else "",
            category="ended",
        )


def _planned(
    life: ModelLife, kind: str, surface: str, revisions: Sequence[Revision], host: str
) -> Event:
    """Return the day that was said last, cancelled if it was called off or came to nothing."""
    last = revisions[-1]
    day = last.now or last.was or last.at
    ended = life.ended.get(surface)
    overtaken = ended is not None and last.now is not None and ended < last.now
    words = "retires" if kind == "date" else "does not retire before this day"
    return Event(
        uid=f"{kind}-{life.model}-{surface}@{host}",
        day=day[:10],
        summary=f"{life.title}: {surface} {words}",
        stamp=ended if overtaken and ended else last.at,
        description=last.reason,
        category=kind,
        sequence=len(revisions) - 1 + overtaken,
        cancelled=last.now is None or overtaken,
    )


def _event(event: Event) -> list[str]:
    stamp = re.sub("[-:]", "", event.stamp)
    lines = [
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"DTSTAMP:{stamp}",
        f"LAST-MODIFIED:{stamp}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTART;VALUE=DATE:{event.day.replace('-', '')}",
        *_end(event.day),
        f"SUMMARY:{_text(event.summary)}",
        f"STATUS:{'CANCELLED' if event.cancelled else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
    ]
    if event.description:
        lines.append(f"DESCRIPTION:{_text(event.description)}")
    if event.category:
        lines.append(f"CATEGORIES:{_text(event.category)}")
    return [*lines, "END:VEVENT"]


def _end(day: str) -> list[str]:
    """Return the day after, which an event ends before; the last of all days has none."""
    if day >= _LAST_DAY:
        return []
    after = date.fromisoformat(day) + timedelta(days=1)
    return [f"DTEND;VALUE=DATE:{after.isoformat().replace('-', '')}"]


def _text(value: str) -> str:
    """Return *value* as a TEXT value (section 3.3.11), without what may not stand in one."""
    clean = _CONTROL.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    for sign in ("\\", ";", ","):
        clean = clean.replace(sign, f"\\{sign}")
    return clean.replace("\n", "\\n")


def _fold(line: str) -> Iterator[str]:
    """Yield the parts of a content line, each of at most 75 octets (section 3.1).

    A character is never cut in two.
    """
    part, used = "", 0
    for sign in line:
        size = len(sign.encode())
        if used + size > _OCTETS:
            yield part
            part, used = " ", 1
        part, used = part + sign, used + size
    yield part
