from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from otium.gateway import Event, State
from otium.gateway.state import _tables
from otium.records import Instant


def event(time: str, code: str = "answered") -> Event:
    return Event(
        time=Instant(time),
        model="smol-1",
        status=200,
        code=code,
        weights="sha256:00",
        milliseconds=3,
        streamed=False,
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    one = State.at(tmp_path / "new" / "state.sqlite")
    yield one
    one.close()


def test_events_come_back_in_order_and_old_ones_are_forgotten(state: State) -> None:
    early, late = event("2026-01-01T00:00:00Z"), event("2026-06-01T00:00:00Z", "ended")
    state.note([early, late])
    state.note([])
    assert state.events() == [early, late]
    assert state.events(limit=1) == [late]
    state.forget_events(Instant("2026-03-01T00:00:00Z"))
    assert state.events() == [late]


def test_sqlite_is_used_with_a_write_ahead_log(state: State, tmp_path: Path) -> None:
    state.note([event("2026-01-01T00:00:00Z")])
    connection = sqlite3.connect(tmp_path / "new" / "state.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_tables_are_portable_sql() -> None:
    for table in _tables.sorted_tables:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "CREATE TABLE" in made
