"""Other providers' tables of their models' lives, read strictly: what is no date stays unknown.

Known are our own ``lifecycle.json``, endoflife.date (v0 and v1), lists of models as OpenAI's and
Azure's servers give them, and litellm's map of prices. Names of dates are the provider's meaning
in plain words; none is worked out from another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from otium.errors import BadData
from otium.records import Part

MOST_BYTES = 16 << 20
"""More than any public table has; litellm's, the largest, has two million."""
_MOST_MODELS = 50_000
_MOST_DOUBTS = 20
_LONGEST_NAME = 200
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]{5,15}(Z|[+-][0-9]{2}:?[0-9]{2})?")
_FIRST, _LAST = date(1990, 1, 1), date(2200, 1, 1)

Kind = Literal["otium", "endoflife-0", "endoflife-1", "list", "litellm"]
Fields = Mapping[str, object]


class Outside(Part):
    """What a table says of one model."""

    model: str
    dates: dict[str, str] = {}
    """By what happens then, ``retires`` or ``retires (api)``: the day, ``2026-06-30``."""
    over: bool | None = None
    """Whether the table says that it has ended; None if it does not say."""
    replacement: str | None = None
    replacement_stated: bool = False
    doubts: tuple[str, ...] = ()
    """What stands in the place of a date and is none, in words."""


class Table(Part):
    """What could be read of a provider's table."""

    kind: Kind
    models: dict[str, Outside]
    doubts: tuple[str, ...] = ()
    """Rows that could not be read, in words."""


def read_table(data: bytes, source: str) -> Table:
    """Return what the table in *data* says; raise BadData, which names *source*."""
    if len(data) > MOST_BYTES:
        raise BadData(path=source, why=f"it has more than {MOST_BYTES >> 20} MiB")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(path=source, why=f"it is not JSON ({error})") from error
    kind, rows = _recognised(value, source)
    if len(rows) > _MOST_MODELS:
        raise BadData(path=source, why=f"it names more than {_MOST_MODELS:,} models")
    return _Reader(kind).read(rows)


def _recognised(value: object, source: str) -> tuple[Kind, Sequence[tuple[object, object]]]:
    """Return which kind of table it is, and each model's name with what is said of it."""
    if isinstance(value, dict):
        if value.get("schema") == "otium.lifecycle-feed/1":
            return "otium", _named(value.get("models"), "id")
        if isinstance(value.get("result"), dict):
            return "endoflife-1", _named(value["result"].get("releases"), "name")
        for field in ("data", "models"):
            if isinstance(value.get(field), list):
                return "list", _named(value[field], *_NAMES)
        if value and all(isinstance(one, dict) for one in value.values()):
            return "litellm", [(k, v) for k, v in value.items() if k != "sample_spec"]
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if all("cycle" in one for one in value):
            return "endoflife-0", _named(value, "cycle")
        if any(field in value[0] for field in _NAMES):
            return "list", _named(value, *_NAMES)
    raise BadData(path=source, why="it is no table of models' lives that otium knows")


_NAMES = ("id", "model_id", "model", "name")


def _named(rows: object, *fields: str) -> list[tuple[object, object]]:
    found: list[tuple[object, object]] = []
    for row in rows if isinstance(rows, list) else []:
        names = row if isinstance(row, dict) else {}
        found.append((next((names[field] for field in fields if field in names), None), row))
    return found


class _Reader:
    """Reads the rows of one table, and keeps what is in doubt."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.doubts: list[str] = []

    def read(self, rows: Sequence[tuple[object, object]]) -> Table:
        """Return the table of *rows*; of two with one name the first."""
        models: dict[str, Outside] = {}
        odd: list[str] = []
        for name, fields in rows:
            if not (isinstance(name, str) and _is_name(name) and isinstance(fields, dict)):
                odd.append(f"a row without a usable name: {str(name)[:40]!r}")
            elif name in models:
                odd.append(f"{name} is named twice; the first is taken")
            else:
                self.doubts = []
                found = _READERS[self.kind](self, name, fields)
                models[name] = replace(found, doubts=tuple(self.doubts[:_MOST_DOUBTS]))
        return Table(kind=self.kind, models=models, doubts=tuple(odd[:_MOST_DOUBTS]))

    def day(self, field: str, value: object) -> str | None:
        """Return a day, or None with a doubt for what is neither that nor nothing."""
        if value is None or value == "" or isinstance(value, bool):
            return None
        found = _seconds(value) if isinstance(value, int) else _date(value)
        if found is None:
            self.doubts.append(f"{field} is no date: {str(value)[:40]!r}")
        return found

    def days(self, fields: Fields, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield what happens on which day, for each field that *names* translates."""
        for field, what in names.items():
            day = self.day(field, fields.get(field))
            if day is not None:
                yield what, day


def _otium(reader: _Reader, name: str, fields: Fields) -> Outside:
    names = {
        "released": "released",
        "legacy_at": "legacy",
        "deprecated_at": "deprecated",
        "retired_at": "retired",
        "withdrawn_at": "withdrawn",
    }
    dates = dict(reader.days(fields, names))
    surfaces = fields.get("surfaces")
    for row in surfaces if isinstance(surfaces, list) else []:
        surface = row.get("surface") if isinstance(row, dict) else None
        if isinstance(surface, str) and _is_name(surface):
            each = {"not_before": "not before", "retire_at": "retires", "ended": "ended"}
            dates |= {f"{what} ({surface})": day for what, day in reader.days(row, each)}
    return Outside(
        model=name,
        dates=dates,
        over=fields.get("state") in {"retired", "withdrawn"},
        replacement=_text(fields.get("replacement")),
        replacement_stated=fields.get("replacement_stated") is True,
    )


def _endoflife_0(reader: _Reader, name: str, fields: Fields) -> Outside:
    names = {
        "releaseDate": "released",
        "support": "support ends",
        "eol": "retires",
        "discontinued": "discontinued",
    }
    eol = fields.get("eol")
    dates = dict(reader.days(fields, names))
    return Outside(model=name, dates=dates, over=eol if isinstance(eol, bool) else None)


def _endoflife_1(reader: _Reader, name: str, fields: Fields) -> Outside:
    names = {
        "releaseDate": "released",
        "eoasFrom": "support ends",
        "eolFrom": "retires",
        "discontinuedFrom": "discontinued",
    }
    over = fields.get("isEol")
    dates = dict(reader.days(fields, names))
    return Outside(model=name, dates=dates, over=over if isinstance(over, bool) else None)


def _listed(reader: _Reader, name: str, fields: Fields) -> Outside:
    names = {
        "deprecation_date": "deprecated",
        "deprecated_at": "deprecated",
        "announcement_date": "announced",
        "shutdown_date": "retires",
        "retirement_date": "retires",
        "sunset_date": "retires",
    }
    dates = dict(reader.days(fields, names))
    ends = fields.get("deprecation")
    if isinstance(ends, dict):  # Azure: Unix times at which each use of the model ends
        each = {"inference": "retires (inference)", "fine_tune": "retires (fine-tuning)"}
        dates |= dict(reader.days(ends, each))
    replacements = [fields.get(one) for one in ("replacement", "successor", "replacement_models")]
    known = next((one for one in map(_text, replacements) if one), None)
    return Outside(model=name, dates=dates, replacement=known, replacement_stated=bool(known))


def _litellm(reader: _Reader, name: str, fields: Fields) -> Outside:
    dates = dict(reader.days(fields, {"deprecation_date": "deprecation (litellm)"}))
    return Outside(model=name, dates=dates)


_READERS: dict[Kind, Callable[[_Reader, str, Fields], Outside]] = {
    "otium": _otium,
    "endoflife-0": _endoflife_0,
    "endoflife-1": _endoflife_1,
    "list": _listed,
    "litellm": _litellm,
}


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()


def _text(value: object) -> str | None:
    """Return a name, or the names in a list as one text."""
    names = value if isinstance(value, list) else [value]
    fit = [one for one in names if isinstance(one, str) and _is_name(one)]
    return ", ".join(fit)[:_LONGEST_NAME] or None


def _date(value: object) -> str | None:
    """Return the day of an ISO date, or of a complete ISO time as it is written in UTC."""
    if not isinstance(value, str):
        return None
    try:
        if _DAY.fullmatch(value):
            found = date.fromisoformat(value)
        elif _MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            found = (moment.astimezone(UTC) if moment.tzinfo else moment).date()
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return found.isoformat() if _FIRST <= found <= _LAST else None


def _seconds(value: int) -> str | None:
    """Return the day of a Unix time."""
    try:
        found = datetime.fromtimestamp(value, UTC).date()
    except (ValueError, OverflowError, OSError):
        return None
    return found.isoformat() if _FIRST <= found <= _LAST else None
