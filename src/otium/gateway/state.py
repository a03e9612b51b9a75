"""The gateway's operational state: ended conversations and audit events, in SQL.

SQLite by default; any database of SQLAlchemy's by URL, since only portable SQL is used.
It holds hashes and counts, never what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from otium.database import open_database, sqlite_url
from otium.gateway.records import Ending, Event
from otium.records import Instant, Part

P = TypeVar("P", bound=Part)

_AT_ONCE = 500
"""How many values a query may compare with: every database allows at least so many."""

_tables = MetaData()
_ended = Table(
    "ended_prefixes",
    _tables,
    Column("prefix", String(64), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("model", String(100), nullable=False),
    Column("by", String(20), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("ended", String(20), nullable=False),
    Column("logged", Boolean, nullable=False),
)
_events = Table(
    "events",
    _tables,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(20), nullable=False, index=True),
    Column("model", String(100), nullable=False),
    Column("status", Integer, nullable=False),
    Column("code", String(60), nullable=False),
    Column("weights", String(80), nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("streamed", Boolean, nullable=False),
)


class State:
    """Ended conversations and events. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Open the database at *url*, ``sqlite:///PATH`` or another of SQLAlchemy's."""
        self._engine = open_database(url, _tables)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open, or make, the SQLite database at *path*."""
        return cls(sqlite_url(path))

    def ended(self, prefixes: Sequence[str]) -> Ending | None:
        """Return how the history with these prefix hashes ended, or None if it is open."""
        with self._engine.connect() as connection:
            for start in range(0, len(prefixes), _AT_ONCE):
                some = prefixes[start : start + _AT_ONCE]
                query = select(_ended).where(_ended.c.prefix.in_(some))
                row = connection.execute(query).mappings().first()
                if row is not None:
                    return _read(row, Ending)
        return None

    def end(self, ending: Ending) -> bool:
        """Close a history durably; return False if it was closed before."""
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(_ended).values(**ending.plain()))
        except IntegrityError:
            return False
        return True

    def unlogged(self) -> list[Ending]:
        """Return the endings that the ledger does not have yet."""
        query = select(_ended).where(_ended.c.logged.is_(False)).order_by(_ended.c.ended)
        with self._engine.connect() as connection:
            return [_read(row, Ending) for row in connection.execute(query).mappings()]

    def mark_logged(self, prefix: str) -> None:
        """Remember that the ledger has the entry of this ending."""
        with self._engine.begin() as connection:
            connection.execute(update(_ended).where(_ended.c.prefix == prefix).values(logged=True))

    def note(self, events: Sequence[Event]) -> None:
        """Keep audit events."""
        if events:
            with self._engine.begin() as connection:
                connection.execute(insert(_events), [one.plain() for one in events])

    def events(self, limit: int = 1000) -> list[Event]:
        """Return the last events, oldest first."""
        columns = [column for column in _events.c if column.name != "id"]
        query = select(*columns).order_by(_events.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [_read(row, Event) for row in reversed(rows)]

    def forget_events(self, before: Instant) -> None:
        """Delete the events from before an instant."""
        with self._engine.begin() as connection:
            connection.execute(delete(_events).where(_events.c.time < before))

    def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        self._engine.dispose()


def _read(row: RowMapping, kind: type[P]) -> P:
    return kind.convert({name: row[name] for name in kind.__struct_fields__})
