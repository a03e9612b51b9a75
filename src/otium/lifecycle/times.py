"""Times as docs/formats/commitments-1.md counts them: strict, whole seconds, never overflowing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from otium.ledger import Entry
from otium.records import Instant

EPOCH = Instant("1970-01-01T00:00:00Z")
LAST = Instant("9999-12-31T23:59:59Z")
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")


def valid(value: object) -> bool:
    """Return whether *value* is an instant that names a real time."""
    if not isinstance(value, str) or not _SHAPE.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def seconds(days: float) -> int:
    """Return a length in whole seconds, the fraction dropped."""
    return int(days * 86400)


def after(start: Instant, length: int) -> Instant:
    """Return the instant *length* seconds after *start*, at most the last one there is."""
    try:
        moment = datetime.fromisoformat(start) + timedelta(seconds=length)
    except OverflowError:
        return LAST
    return Instant(moment.isoformat().replace("+00:00", "Z"))


def apart(start: Instant, end: Instant) -> int:
    """Return the seconds from *start* to *end*."""
    return int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def effective(entries: Iterable[Entry]) -> list[Instant]:
    """Return the effective time of each entry: none is earlier than the one before it."""
    times: list[Instant] = []
    latest = EPOCH
    for entry in entries:
        latest = max(latest, entry.time) if valid(entry.time) else latest
        times.append(latest)
    return times
