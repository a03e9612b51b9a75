"""The audit log: who did what and when. It has no field for what was said."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, delete, insert, select

from otium.admission import tables
from otium.admission.records import Line
from otium.records import Instant

_WIDTHS = {"key": 20, "act": 60, "model": 100, "answered": 100, "code": 60, "weights": 80}


def write_lines(connection: Connection, lines: Sequence[Line]) -> None:
    """Append lines inside the caller's transaction."""
    if lines:
        connection.execute(insert(tables.log), [_row(line) for line in lines])


def read_lines(
    engine: Engine,
    *,
    key: str | None = None,
    model: str | None = None,
    since: Instant | None = None,
    limit: int = 1000,
) -> list[Line]:
    """Return the newest lines, oldest first: of one key, about one model, from an instant on."""
    columns = [column for column in tables.log.c if column.name != "number"]
    query = select(*columns).order_by(tables.log.c.number.desc()).limit(limit)
    if key is not None:
        query = query.where(tables.log.c.key == key)
    if model is not None:
        query = query.where(tables.log.c.model == model)
    if since is not None:
        query = query.where(tables.log.c.time >= since)
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    names = Line.__struct_fields__
    return [Line.convert({name: row[name] for name in names}) for row in reversed(rows)]


def forget_lines(engine: Engine, before: Instant) -> int:
    """Delete the lines from before an instant; return how many they were."""
    with engine.begin() as connection:
        return connection.execute(delete(tables.log).where(tables.log.c.time < before)).rowcount


def _row(line: Line) -> dict[str, object]:
    """Return a line's columns; what a client chose is cut to the column, never refused."""
    row = {name: getattr(line, name) for name in line.__struct_fields__}
    return row | {name: str(row[name])[:width].replace("\0", "") for name, width in _WIDTHS.items()}
