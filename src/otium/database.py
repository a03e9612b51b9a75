"""Open a database of operational state: SQLite, or another of SQLAlchemy's by its URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateColumn

from otium.errors import BadInput, Unsupported

_MAKING = 0x6F7469756D
"""The lock under which PostgreSQL's tables are made: two at once would both try."""


def open_database(url: str, tables: MetaData) -> Engine:
    """Open the database at *url*, ``sqlite:///PATH`` or another; make what of *tables* it lacks.

    SQLite flushes at each commit, so that what was said to be kept survives a power cut. Several
    processes may open it at once. Raises Unsupported if the database's driver is not installed,
    and BadInput for what is no URL.
    """
    try:
        address = make_url(url)
        if address.drivername in {"postgres", "postgresql"}:
            address = address.set(drivername="postgresql+psycopg")
        engine = create_engine(address)
    except ModuleNotFoundError as error:
        why = f"{error.name} is not installed; pip install 'otium[postgres]'"
        raise Unsupported(what="this database", why=why) from error
    except ArgumentError as error:
        raise BadInput(what="the database's URL", why=str(error)) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _use_wal)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
        tables.create_all(connection)
        _complete(connection, tables)
    return engine


def _complete(connection: Connection, tables: MetaData) -> None:
    """Add the columns that a database of an earlier version lacks; they have a default."""
    look = inspect(connection)
    for table in tables.sorted_tables:
        there = {column["name"] for column in look.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                made = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {made}")


def scrub(engine: Engine, *tables: str) -> None:
    """Have the database give up the bytes of what was deleted from *tables*, as far as it can."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.exec_driver_sql(f"VACUUM {', '.join(tables)}")


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite database at *path*, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _use_wal(connection: object, _record: object) -> None:
    """Set SQLite to write-ahead logging, to flush at each commit, to overwrite what is deleted."""
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DBAPI connection has no type
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()
