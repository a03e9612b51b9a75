from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from otium.gateway import Ending, Event, State
from otium.gateway.state import _tables
from otium.records import Instant, ModelId

ENDING = Ending(
    prefix="ab" * 32,
    salt="cd" * 16,
    model=ModelId("smol-1"),
    by="model",
    reason="abuse",
    ended=Instant("2026-01-01T00:00:00Z"),
)


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


def test_an_ended_history_is_found_among_thousands_of_prefixes(state: State) -> None:
    assert state.end(ENDING)
    others = [f"{number:064x}" for number in range(2000)]
    assert state.ended([*others, ENDING.prefix]) == ENDING
    assert state.ended(others) is None
    assert state.ended([]) is None


def test_a_history_is_ended_once(state: State) -> None:
    assert state.end(ENDING)
    assert not state.end(msgspec.structs.replace(ENDING, reason="distress"))
    assert state.unlogged() == [ENDING]


def test_a_logged_ending_is_not_logged_again(state: State) -> None:
    state.end(ENDING)
    state.mark_logged(ENDING.prefix)
    assert state.unlogged() == []


def test_endings_outlive_the_process(tmp_path: Path) -> None:
    first = State.at(tmp_path / "state.sqlite")
    first.end(ENDING)
    first.close()
    second = State.at(tmp_path / "state.sqlite")
    assert second.ended([ENDING.prefix]) == ENDING
    second.close()


def test_events_come_back_in_order_and_old_ones_are_forgotten(state: State) -> None:
    early, late = event("2026-01-01T00:00:00Z"), event("2026-06-01T00:00:00Z", "ended")
    state.note([early, late])
    state.note([])
    assert state.events() == [early, late]
    assert state.events(limit=1) == [late]
    state.forget_events(Instant("2026-03-01T00:00:00Z"))
    assert state.events() == [late]


def test_sqlite_is_used_with_a_write_ahead_log(state: State, tmp_path: Path) -> None:
    state.end(ENDING)
    connection = sqlite3.connect(tmp_path / "new" / "state.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_tables_are_portable_sql() -> None:
    for table in _tables.sorted_tables:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "CREATE TABLE" in made
