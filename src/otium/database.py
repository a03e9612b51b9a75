"""Open a database of operational state: SQLite, or another of SQLAlchemy's by its URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, MetaData, create_engine, event


def open_database(url: str, tables: MetaData) -> Engine:
    """Open the database at *url*, ``sqlite:///PATH`` or another, and make what *tables* it lacks.

    SQLite flushes at each commit, so that what was said to be kept survives a power cut.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _use_wal)
    tables.create_all(engine)
    return engine


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite database at *path*, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _use_wal(connection: object, _record: object) -> None:
    """Set SQLite to write-ahead logging, and to flush at each commit."""
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DBAPI connection has no type
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
