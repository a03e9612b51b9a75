"""What a witness remembers: the newest tree of each log, and proofs that a log forked.

SQLite with a write-ahead log that is synced at every commit: what was answered survives a
power cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    create_engine,
    event,
    select,
)
from sqlalchemy.dialects.sqlite import insert

from otium.witness.records import Fork, Seen

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_PATIENCE = 30
"""Seconds that a request waits for its turn to write."""

_tables = MetaData()
_latest = Table(
    "latest",
    _tables,
    Column("origin", String, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("cosignatures", Text, nullable=False),
    Column("time", String(20), nullable=False),
)
_split_views = Table(
    "split_views",
    _tables,
    Column("origin", String, primary_key=True),
    Column("size", Integer, primary_key=True),
    Column("time", String(20), nullable=False),
    Column("cosigned", Text, nullable=False),
    Column("refused", Text, nullable=False),
)


class State:
    """The memory of one witness. Any number of threads and processes may use it."""

    def __init__(self, path: Path) -> None:
        """Open, or make, the database at *path*."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _PATIENCE})
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        _tables.create_all(self._engine)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Hold all other writers off; when the block ends, what it kept is on the disk.

        If the block raises, nothing of it is kept.
        """
        with self._engine.connect() as connection:
            writer = connection.execution_options(writer=True)
            with writer.begin():
                yield Turn(writer)

    def latest(self) -> list[tuple[str, Seen]]:
        """Return the newest tree of each log, by origin."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_latest).order_by(_latest.c.origin)).mappings()
            return [(row["origin"], _seen(row)) for row in rows]

    def forks(self) -> list[Fork]:
        """Return each proof that a log forked."""
        query = select(_split_views).order_by(_split_views.c.origin, _split_views.c.size)
        with self._engine.connect() as connection:
            return [Fork(**row) for row in connection.execute(query).mappings()]

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class Turn:
    """One request's turn to read and write."""

    def __init__(self, connection: Connection) -> None:
        """Write through *connection*, in its transaction."""
        self._connection = connection

    def latest(self, origin: str) -> Seen | None:
        """Return the newest tree of a log, or None if it has never been seen."""
        query = select(_latest).where(_latest.c.origin == origin)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _seen(row)

    def keep(self, origin: str, seen: Seen) -> None:
        """Remember *seen* as the newest tree of a log."""
        values = {name: getattr(seen, name) for name in Seen.__struct_fields__}
        added = insert(_latest).values(origin=origin, **values)
        self._connection.execute(added.on_conflict_do_update(["origin"], set_=values))

    def accuse(self, fork: Fork) -> None:
        """Keep the proof that a log forked; the first for each size is enough."""
        added = insert(_split_views).values(**fork.plain())
        self._connection.execute(added.on_conflict_do_nothing())


def _seen(row: RowMapping) -> Seen:
    return Seen(
        size=row["size"],
        root=row["root"],
        note=row["note"],
        cosignatures=row["cosignatures"],
        time=row["time"],
    )


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver opens transactions late and as readers; we open them ourselves, as writers.
    connection.isolation_level = None
    cursor = connection.cursor()
    for line in ("journal_mode=WAL", "synchronous=FULL", "checkpoint_fullfsync=ON", "fullfsync=ON"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin(connection: Connection) -> None:
    is_writer = connection.get_execution_options().get("writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")
