"""The gateway's operational state: ended conversations and audit events, in SQL; counts and logs.

SQLite by default; any database of SQLAlchemy's by URL, since only portable SQL is used.
It holds hashes and counts, never what was said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
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
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from otium.database import open_database, sqlite_url
from otium.gateway.records import Ending, Event
from otium.records import Instant, Part
from otium.telemetry import LogLines, Metrics

P = TypeVar("P", bound=Part)

_AT_ONCE = 500
"""How many values a query may compare with: every database allows at least so many."""

_MOST_EVENTS = 100_000
_SERVER_FAULT = 500
_SHORT = 19
"""How much of a caller's digest a log line shows."""

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
        self._reader = _reader(url)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open, or make, the SQLite database at *path*."""
        return cls(sqlite_url(path))

    @property
    def quick(self) -> bool:
        """Whether `ended` takes microseconds and never waits, so that it needs no thread.

        So it is with SQLite: in its write-ahead mode a reader waits for nobody.
        """
        return self._reader is not None

    def ended(self, prefixes: Sequence[str]) -> Ending | None:
        """Return how the history with these prefix hashes ended, or None if it is open."""
        if self._reader is not None and not self._any(self._reader, prefixes):
            return None
        with self._engine.connect() as connection:
            for start in range(0, len(prefixes), _AT_ONCE):
                some = prefixes[start : start + _AT_ONCE]
                query = select(_ended).where(_ended.c.prefix.in_(some))
                row = connection.execute(query).mappings().first()
                if row is not None:
                    return _read(row, Ending)
        return None

    @staticmethod
    def _any(reader: sqlite3.Connection, prefixes: Sequence[str]) -> bool:
        for start in range(0, len(prefixes), _AT_ONCE):
            some = prefixes[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT 1 FROM ended_prefixes WHERE prefix IN ({marks}) LIMIT 1"  # noqa: S608
            if reader.execute(query, some).fetchone():
                return True
        return False

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
        """Close all connections. The next use opens new ones, and `quick` is over."""
        self._engine.dispose()
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _reader(url: str) -> sqlite3.Connection | None:
    """Return a connection that only reads, if *url* is a file of SQLite's."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or parts.database in {None, "", ":memory:"}:
        return None
    path = Path(str(parts.database)).resolve().as_uri()
    return sqlite3.connect(f"{path}?mode=ro", uri=True, check_same_thread=False, timeout=5)


class Asked:
    """What is noted of one request while it runs. Nothing that was said is in it."""

    __slots__ = (
        "api",
        "caller",
        "code",
        "first",
        "id",
        "known",
        "model",
        "read",
        "seconds",
        "status",
        "streamed",
        "weights",
        "written",
    )

    def __init__(self, api: str, ident: str) -> None:
        """Begin to note a request by *api* under the id *ident*."""
        self.api = api
        self.id = ident
        self.model = ""
        self.known = False
        """Whether the model is registered: strangers' names are not counted one by one."""
        self.caller = ""
        self.status = 200
        self.code = "gone"
        self.weights = ""
        self.streamed = False
        self.seconds = 0.0
        self.first = 0.0
        """Seconds to the answer's first byte, 0 if there was none."""
        self.read = 0
        """Tokens of the question."""
        self.written = 0
        """Tokens of the answer."""


class Watch:
    """Counts, logs and audits requests. What it notes is written a moment later."""

    def __init__(self, state: State, now: Callable[[], Instant], lines: LogLines) -> None:
        """Keep audit events in *state*, write log lines to *lines*."""
        self.metrics = Metrics()
        self._state = state
        self._now = now
        self._lines = lines
        self._events: list[Event] = []
        of_metrics = self.metrics
        self._requests = of_metrics.counter(
            "otium_requests_total", "Requests by what became of them.", ("api", "model", "code")
        )
        self._tokens = of_metrics.counter(
            "otium_tokens_total", "Tokens read and written.", ("model", "kind")
        )
        self._seconds = of_metrics.histogram(
            "otium_request_seconds", "Time to the last byte.", ("api",)
        )
        self._first = of_metrics.histogram(
            "otium_first_byte_seconds", "Time to the answer's first byte.", ("api",)
        )
        self._revivals = of_metrics.counter(
            "otium_revivals_total", "Starts of engines.", ("result",)
        )
        self._revival_seconds = of_metrics.histogram(
            "otium_revival_seconds", "Time of starts.", ("result",)
        )
        self._dropped = of_metrics.counter("otium_audit_dropped_total", "Audit events not kept.")

    def request(self, asked: Asked) -> None:
        """Note a request that came to its end."""
        model = asked.model if asked.known else ""
        self._requests.add((asked.api, model, asked.code))
        self._seconds.add((asked.api,), asked.seconds)
        if asked.first:
            self._first.add((asked.api,), asked.first)
        if asked.written or asked.read:
            self._tokens.add((model, "read"), asked.read)
            self._tokens.add((model, "written"), asked.written)
        now = self._now()
        self.audit(
            Event(
                time=now,
                model=asked.model[:100],
                status=asked.status,
                code=asked.code,
                weights=asked.weights,
                milliseconds=round(asked.seconds * 1000),
                streamed=asked.streamed,
            )
        )
        if self._lines.wanted:
            self._lines.write(self._line(asked, now))

    def _line(self, asked: Asked, now: Instant) -> Mapping[str, object]:
        return {
            "time": now,
            "level": "error" if asked.status >= _SERVER_FAULT else "info",
            "event": "request",
            "id": asked.id,
            "api": asked.api,
            "model": asked.model[:100],
            "caller": asked.caller[:_SHORT],
            "status": asked.status,
            "code": asked.code,
            "weights": asked.weights,
            "ms": round(asked.seconds * 1000, 3),
            "first_ms": round(asked.first * 1000, 3),
            "streamed": asked.streamed,
            "read": asked.read,
            "written": asked.written,
        }

    def audit(self, event: Event) -> None:
        """Keep an audit event."""
        if len(self._events) < _MOST_EVENTS:
            self._events.append(event)
        else:
            self._dropped.add()

    def log(self, event: str, **facts: object) -> None:
        """Write a log line about the service itself."""
        if self._lines.wanted:
            self._lines.write({"time": self._now(), "level": "info", "event": event, **facts})

    def revival(self, result: str, seconds: float) -> None:
        """Note the start of an engine."""
        self._revivals.add((result,))
        self._revival_seconds.add((result,), seconds)
        self.log("revival", result=result, seconds=round(seconds, 3))

    def flush(self) -> None:
        """Write what was noted."""
        events, self._events = self._events, []
        self._state.note(events)
        self._lines.flush()


def _read(row: RowMapping, kind: type[P]) -> P:
    return kind.convert({name: row[name] for name in kind.__struct_fields__})
