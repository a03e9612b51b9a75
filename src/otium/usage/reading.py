"""Read the two files that an organisation hands in, and refuse what is not as it must be."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

import msgspec

from otium.errors import BadInput
from otium.lifecycle import is_surface
from otium.records import Part
from otium.usage.records import MEASURES, Counted, Incident, Measure

_KEYS = ("period", "surface", "region")
_LARGEST = 4 << 20
"""Bytes of a file."""
_MOST = 5000
"""Rows of a file."""
_LONGEST = 2000
"""Characters of a summary."""
_COUNT = re.compile(r"0|[1-9][0-9]{0,14}")
_PERIOD = re.compile(r"([0-9]{4})(-[0-9]{2})?(-[0-9]{2})?")
_REGION = re.compile(r"([a-z0-9][a-z0-9._-]{0,39})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Plain(Part):
    """A row of a JSON file."""

    period: str
    surface: str
    region: str = ""
    requests: int | None = None
    users: int | None = None
    tokens: int | None = None
    thumbs_up: int | None = None
    thumbs_down: int | None = None
    complaints: int | None = None


def read_usage(data: bytes, surfaces: Sequence[str] = ()) -> tuple[Counted, ...]:
    """Read a usage file: CSV with a header, or a JSON list of objects with the same names.

    *surfaces* are those that may be named, any if empty. Raises BadInput that names the row.
    """
    text = _text(data, "the usage file")
    rows = _json(text) if text.lstrip().startswith("[") else _csv(text)
    if not 0 < len(rows) <= _MOST:
        raise _bad("the usage file", f"it has {len(rows)} rows, between 1 and {_MOST} are read")
    counted = tuple(_counted(number, row, surfaces) for number, row in enumerate(rows, 1))
    _check_apart(counted)
    return tuple(sorted(counted, key=lambda row: row.key))


def read_incidents(data: bytes, surfaces: Sequence[str], today: str) -> tuple[Incident, ...]:
    """Read a JSON list of incidents, none of them after *today*; raise BadInput."""
    text = _text(data, "the incidents file")
    try:
        found = msgspec.json.decode(text, type=tuple[Incident, ...])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _bad("the incidents file", error) from error
    if len(found) > _MOST:
        raise _bad("the incidents file", f"it has {len(found)} incidents, {_MOST} are read")
    for number, one in enumerate(found, 1):
        _check_incident(f"incident {number}", one, surfaces, today)
    return tuple(sorted(found, key=lambda one: (one.date, one.surface, one.summary)))


def _check_incident(what: str, one: Incident, surfaces: Sequence[str], today: str) -> None:
    _check_surface(what, one.surface, surfaces)
    if not _is_day(one.date) or one.date > today:
        raise _bad(what, f"{one.date[:20]!r} is no day up to today, such as 2026-01-31")
    for name, text in (("summary", one.summary), ("done", one.done)):
        if not text.strip() or len(text) > _LONGEST:
            raise _bad(what, f"its {name} has {len(text)} characters, 1 to {_LONGEST} are read")


def _text(data: bytes, what: str) -> str:
    if len(data) > _LARGEST:
        raise _bad(what, f"it has {len(data)} bytes, at most {_LARGEST} are read")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(what, "it is not UTF-8") from error


def _json(text: str) -> list[Mapping[str, str]]:
    try:
        rows = msgspec.json.decode(text, type=list[_Plain])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _bad("the usage file", error) from error
    return [
        {name: str(value) for name, value in row.plain().items() if value is not None}
        for row in rows
    ]


def _csv(text: str) -> list[Mapping[str, str]]:
    """Read strictly: known columns once each, and in each row a cell for each of them."""
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise _bad("the usage file", error) from error
    head = [name.strip() for name in lines[0]] if lines else []
    odd = [name for name in head if name not in {*_KEYS, *MEASURES}]
    if odd or len(set(head)) < len(head) or not {"period", "surface"} <= set(head):
        why = f"its columns are period, surface, region and some of {', '.join(MEASURES)}"
        raise _bad("the usage file", why)
    rows: list[Mapping[str, str]] = []
    for number, line in enumerate(lines[1:], 1):
        if line and len(line) != len(head):
            raise _bad(f"row {number}", f"it has {len(line)} cells, the header {len(head)}")
        if line:
            cells = zip(head, (cell.strip() for cell in line), strict=True)
            rows.append({name: cell for name, cell in cells if cell or name in _KEYS})
    return rows


def _counted(number: int, row: Mapping[str, str], surfaces: Sequence[str]) -> Counted:
    what = f"row {number}"
    period, surface, region = (row.get(name, "") for name in _KEYS)
    _check_surface(what, surface, surfaces)
    if not _is_period(period):
        raise _bad(what, f"{period[:20]!r} is no period: 2026, 2026-01 or 2026-01-31")
    if not _REGION.fullmatch(region):
        raise _bad(what, f"{region[:40]!r} is no region: small letters, digits, '.', '_' and '-'")
    counts: dict[Measure, int] = {}
    for name in MEASURES:
        if (cell := row.get(name)) is not None:
            if not _COUNT.fullmatch(cell):
                raise _bad(what, f"{name} is {cell[:20]!r}, not a count in plain digits")
            counts[name] = int(cell)
    if not counts:
        raise _bad(what, "it counts nothing")
    return Counted(period=period, surface=surface, region=region, counts=counts)


def _check_surface(what: str, surface: str, surfaces: Sequence[str]) -> None:
    if not is_surface(surface) or (surfaces and surface not in surfaces):
        known = ", ".join(surfaces) or "api, app, partner:NAME"
        raise _bad(what, f"{surface[:40]!r} is not one of the model's surfaces: {known}")


def _check_apart(rows: Iterable[Counted]) -> None:
    """Refuse rows that are about the same, wholly or in part: their difference would say more."""
    seen: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for other in seen.setdefault((row.surface, row.region), []):
            if other.startswith(row.period) or row.period.startswith(other):
                what = f"the rows of {row.surface} {row.region}".strip()
                raise _bad(what, f"the periods {other} and {row.period} overlap")
        seen[row.surface, row.region].append(row.period)
    _check_same_periods(seen)


def _check_same_periods(seen: Mapping[tuple[str, str], Sequence[str]]) -> None:
    """Refuse a year here and its months there on one surface: no sum could be protected."""
    for surface in {surface for surface, _ in seen}:
        periods = sorted({p for (on, _), all_ in seen.items() if on == surface for p in all_})
        for one, other in pairwise(periods):
            if other.startswith(one):
                raise _bad(f"the rows of {surface}", f"the periods {one} and {other} overlap")


def _is_period(text: str) -> bool:
    found = _PERIOD.fullmatch(text)
    return bool(found) and _is_day(text + "-01" * (2 - text.count("-")))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _bad(what: str, why: object) -> BadInput:
    return BadInput(what=what, why=_CONTROL.sub("?", str(why)))
