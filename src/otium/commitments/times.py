"""Times as docs/formats/commitments-2.md counts them: strict, whole seconds, never overflowing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeVar

from otium.errors import BadInstant
from otium.ledger import Entry
from otium.records import Instant

EPOCH = Instant("1970-01-01T00:00:00Z")
LAST = Instant("9999-12-31T23:59:59Z")
_DAY = 86400
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):")
_K = TypeVar("_K")
_V = TypeVar("_V")
_FIRST = date(1970, 1, 1).toordinal()


def moment(value: object) -> int | None:
    """Return the seconds since 1970 of an instant, or None if *value* names no real time."""
    if not isinstance(value, str):
        return None
    hour, second = _HOURS[value[:14]], _SECONDS.get(value[14:])
    return None if hour is None or second is None else hour + second


def text(second: int) -> Instant:
    """Return the instant so many seconds after 1970, at most the last one there is."""
    if second > _LAST:
        return LAST
    clock = second % _DAY
    return Instant(f"{_DATES[second // _DAY]}{_MINUTES[clock // 60]}{_ENDS[clock % 60]}")


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


# A log has few dates: most conversions are look-ups in tables, which are small because a large
# one would be slower than the processor's cache. What is found in them has been checked.


class _Hours(dict[str, int | None]):
    def __missing__(self, value: str) -> int | None:
        if not _HOUR.fullmatch(value):
            return None
        try:
            day = date.fromisoformat(value[:10]).toordinal() - _FIRST
        except ValueError:
            return None
        return _kept(self, value, day * _DAY + int(value[11:13]) * 3600)


class _Dates(dict[int, str]):
    def __missing__(self, day: int) -> str:
        return _kept(self, day, date.fromordinal(day + _FIRST).isoformat())


def _kept(table: dict[_K, _V], key: _K, value: _V) -> _V:
    if len(table) >= _MOST:
        table.clear()
    table[key] = value
    return value


_MOST = 1 << 17
_HOURS, _DATES = _Hours(), _Dates()
_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_ENDS = [f"{second:02}Z" for second in range(60)]
_SECONDS = {f"{second // 60:02}:{second % 60:02}Z": second for second in range(3600)}
_LAST = since_epoch(LAST)
