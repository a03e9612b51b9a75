"""The gateway's operational state: audit events, in SQL; counts and logs.

SQLite by default; any database of SQLAlchemy's by URL, since only portable SQL is used. Ended
conversations lie in the same database, and are `otium.closure`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
)

from otium.database import open_database, sqlite_url
from otium.gateway.records import Event
from otium.records import Instant
from otium.telemetry import LogLines, Metrics

_MOST_EVENTS = 100_000
_SERVER_FAULT = 500
_SHORT = 19
"""How much of a caller's digest a log line shows."""

_tables = MetaData()
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
    """Audit events. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        """Open the database at *url*, ``sqlite:///PATH`` or another of SQLAlchemy's."""
        self._engine = open_database(url, _tables)
        self.url = url

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open, or make, the SQLite database at *path*."""
        return cls(sqlite_url(path))

    def note(self, events: Sequence[Event]) -> None:
        """Keep audit events."""
        if events:
            with self._engine.begin() as connection:
                connection.execute(insert(_events), [one.plain() for one in events])

    def events(self, limit: int = 1000) -> list[Event]:
        """Return the last events, oldest first."""
        query = select(_events).order_by(_events.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Event.convert({name: row[name] for name in Event.__struct_fields__})
            for row in reversed(rows)
        ]

    def forget_events(self, before: Instant) -> None:
        """Delete the events from before an instant."""
        with self._engine.begin() as connection:
            connection.execute(delete(_events).where(_events.c.time < before))

    def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        self._engine.dispose()


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
