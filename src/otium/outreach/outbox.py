"""The outbox: how each telling stands, in SQL.

SQLite by default, or any database of SQLAlchemy's by URL, since only portable SQL is used. It
can be deleted: what was sent stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from msgspec.structs import replace
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from otium.database import open_database, sqlite_url
from otium.outreach.records import Delivery, DeliveryState

_tables = MetaData()
_deliveries = Table(
    "deliveries",
    _tables,
    Column("key", String(64), primary_key=True),
    Column("event", Text, nullable=False),
    Column("channel", String(20), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("next_try", String(20), nullable=False),
    Column("why", Text, nullable=False),
)


class Outbox:
    """The deliveries of one home; one writer at a time."""

    def __init__(self, url: str) -> None:
        """Open the database at *url*, ``sqlite:///PATH`` or another of SQLAlchemy's."""
        self._engine = open_database(url, _tables)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open, or make, the SQLite database at *path*."""
        return cls(sqlite_url(path))

    def deliveries(self) -> dict[str, Delivery]:
        """Return every delivery, by key."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_deliveries)).mappings()
            return {one.key: one for one in map(_read, rows)}

    def settle(
        self,
        wanted: Iterable[Delivery],
        logged: Mapping[str, DeliveryState],
        *,
        retry: bool = False,
    ) -> list[Delivery]:
        """Make the outbox hold just what is *wanted*, as the ledger has it; return it in order.

        *logged* says what the ledger has by key: ``sent`` or ``failed``. A delivery that is still
        in ``sending`` is one whose sender died: it is queued again, as what was given up is if
        *retry*. What is not wanted is dropped.
        """
        again = {"sending", "failed"} if retry else {"sending"}
        there = self.deliveries()
        rows = {}
        for one in wanted:
            old = there.get(one.key, one)
            state = logged.get(one.key, old.state)
            rows[one.key] = replace(old, state="queued" if state in again else state)
        stale = [key for key, old in there.items() if rows.get(key) != old]
        fresh = [row.plain() for key, row in rows.items() if there.get(key) != row]
        with self._engine.begin() as connection:
            if stale:
                gone = delete(_deliveries).where(_deliveries.c.key == bindparam("gone"))
                connection.execute(gone, [{"gone": key} for key in stale])
            if fresh:
                connection.execute(insert(_deliveries), fresh)
        return list(rows.values())

    def note(self, delivery: Delivery) -> None:
        """Note durably how a delivery stands."""
        change = update(_deliveries).where(_deliveries.c.key == delivery.key)
        with self._engine.begin() as connection:
            connection.execute(change.values(**delivery.plain()))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _read(row: RowMapping) -> Delivery:
    return Delivery.convert({name: row[name] for name in Delivery.__struct_fields__})
