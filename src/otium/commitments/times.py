"""Times as docs/formats/commitments-2.md counts them: strict, whole seconds, never overflowing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from otium.errors import BadInstant
from otium.ledger import Entry
from otium.records import Instant

EPOCH = Instant("1970-01-01T00:00:00Z")
LAST = Instant("9999-12-31T23:59:59Z")
_DAY = 86400
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])Z")
_K = TypeVar("_K")
_V = TypeVar("_V")
_FIRST = date(1970, 1, 1).toordinal()


def moment(value: object) -> int | None:
    """Return the seconds since 1970 of an instant, or None if *value* names no real time."""
    if not isinstance(value, str):
        return None
    day, second = _DAYS[value[:10]], _SECONDS[value[10:]]
    return None if day is None or second is None else day + second


def text(second: int) -> Instant:
    """Return the instant so many seconds after 1970, at most the last one there is."""
    if second > _LAST:
        return LAST
    return Instant(_DATES[second // _DAY] + _CLOCKS[second % _DAY])


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
    return counted(entries)[0]


def counted(entries: Iterable[Entry], now: Instant = LAST) -> tuple[list[Instant], list[int]]:
    """Return the effective times up to *now*, as instants and in seconds since 1970."""
    last, latest, second = since_epoch(now), EPOCH, 0
    times: list[Instant] = []
    moments: list[int] = []
    for entry in entries:
        time = entry.time
        if time != latest:
            found = moment(time)
            if found is not None and found > second:
                latest, second = time, found
        if second > last:
            break
        times.append(latest)
        moments.append(second)
    return times, moments


# A log has few dates and a day has few seconds: most conversions are look-ups in plain
# dictionaries, which cost a third of a call through `lru_cache`. Only what is real is kept.


class _Days(dict[str, int | None]):
    def __missing__(self, value: str) -> int | None:
        if not _DATE.fullmatch(value):
            return None
        try:
            day = (date.fromisoformat(value).toordinal() - _FIRST) * _DAY
        except ValueError:
            return None
        return _kept(self, value, day)


class _Seconds(dict[str, int | None]):
    def __missing__(self, value: str) -> int | None:
        match = _CLOCK.fullmatch(value)
        if match is None:
            return None
        hour, minute, second = map(int, match.groups())
        return _kept(self, value, hour * 3600 + minute * 60 + second)


class _Dates(dict[int, str]):
    def __missing__(self, day: int) -> str:
        return _kept(self, day, date.fromordinal(day + _FIRST).isoformat())


class _Clocks(dict[int, str]):
    def __missing__(self, second: int) -> str:
        clock = f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        return _kept(self, second, clock)


def _kept(table: dict[_K, _V], key: _K, value: _V) -> _V:
    if len(table) >= _MOST:
        table.clear()
    table[key] = value
    return value


_MOST = 1 << 17
_DAYS, _SECONDS, _DATES, _CLOCKS = _Days(), _Seconds(), _Dates(), _Clocks()
_LAST = since_epoch(LAST)
