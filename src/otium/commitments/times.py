"""Times as docs/formats/commitments-2.md counts them: strict, whole seconds, never overflowing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

from otium.errors import BadInstant
from otium.ledger import Entry
from otium.records import Instant

EPOCH = Instant("1970-01-01T00:00:00Z")
LAST = Instant("9999-12-31T23:59:59Z")
_DAY = 86400
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])Z")
_FIRST = date(1970, 1, 1).toordinal()


def moment(value: object) -> int | None:
    """Return the seconds since 1970 of an instant, or None if *value* names no real time."""
    if not isinstance(value, str):
        return None
    day, second = _day(value[:10]), _second(value[10:])
    return None if day is None or second is None else day + second


def text(second: int) -> Instant:
    """Return the instant so many seconds after 1970, at most the last one there is."""
    if second > _LAST:
        return LAST
    return Instant(_day_text(second // _DAY) + _second_text(second % _DAY))


def valid(value: object) -> bool:
    """Return whether *value* is an instant that names a real time."""
    return moment(value) is not None


def since_epoch(value: Instant) -> int:
    """Return the seconds since 1970, or raise BadInstant."""
    found = moment(value)
    if found is None:
        raise BadInstant(text=value)
    return found


def seconds(days: float) -> int:
    """Return a length in whole seconds, the fraction dropped."""
    return int(days * _DAY)


def after(start: Instant, length: int) -> Instant:
    """Return the instant *length* seconds after *start*, at most the last one there is."""
    return text(since_epoch(start) + length)


def apart(start: Instant, end: Instant) -> int:
    """Return the seconds from *start* to *end*."""
    return since_epoch(end) - since_epoch(start)


def effective(entries: Iterable[Entry]) -> list[Instant]:
    """Return the effective time of each entry: none is earlier than the one before it."""
    return [time for time, _ in counted(entries)]


def counted(entries: Iterable[Entry]) -> Iterator[tuple[Instant, int]]:
    """Yield the effective time of each entry, as an instant and in seconds since 1970."""
    latest, second = EPOCH, 0
    for entry in entries:
        time = entry.time
        if time != latest:
            found = moment(time)
            if found is not None and found > second:
                latest, second = time, found
        yield latest, second


# A log has few dates and a day has few seconds: most of these calls are look-ups.


@lru_cache(maxsize=1 << 15)
def _day(value: str) -> int | None:
    if not _DATE.fullmatch(value):
        return None
    try:
        return (date.fromisoformat(value).toordinal() - _FIRST) * _DAY
    except ValueError:
        return None


@lru_cache(maxsize=1 << 17)
def _second(value: str) -> int | None:
    match = _CLOCK.fullmatch(value)
    if match is None:
        return None
    hour, minute, second = map(int, match.groups())
    return hour * 3600 + minute * 60 + second


@lru_cache(maxsize=1 << 15)
def _day_text(day: int) -> str:
    return date.fromordinal(day + _FIRST).isoformat()


@lru_cache(maxsize=1 << 17)
def _second_text(second: int) -> str:
    return f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


_LAST = since_epoch(LAST)
