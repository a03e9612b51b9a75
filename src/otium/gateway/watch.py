"""What is noted of requests: counts, log lines, and lines of the audit log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from otium.admission import Line
from otium.records import Instant, instant
from otium.residence import Notice
from otium.telemetry import LogLines, Metrics

_SERVER_FAULT = 500
_TOGETHER = 256
"""How many requests are counted at once, at most: a few milliseconds of the loop."""


class Asked:
    """What is noted of one request while it runs. Nothing that was said is in it."""

    __slots__ = (
        "answered",
        "api",
        "at",
        "caller",
        "code",
        "first",
        "heard",
        "id",
        "known",
        "model",
        "read",
        "seconds",
        "size",
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
        self.answered = ""
        """The model that answered in its place, as the client had asked for."""
        self.known = False
        """Whether the model is registered: strangers' names are not counted one by one."""
        self.caller = ""
        """The id of the key, if one was needed."""
        self.status = 200
        self.code = "gone"
        self.size = 0
        """Bytes of the question."""
        self.heard: int | None = None
        """How many events of its stream the model has said; None if it was not asked."""
        self.weights = ""
        self.streamed = False
        self.at = 0.0
        """When it ended, in Unix seconds."""
        self.seconds = 0.0
        self.first = 0.0
        """Seconds to the answer's first byte, 0 if there was none."""
        self.read = 0
        """Tokens of the question."""
        self.written = 0
        """Tokens of the answer."""


class Watch:
    """Counts, logs and audits requests. What it notes is written a moment later."""

    def __init__(
        self, note: Callable[[Line], None], now: Callable[[], Instant], lines: LogLines
    ) -> None:
        """Give lines of the audit log to *note*, write log lines to *lines*."""
        self.metrics = Metrics()
        self._note = note
        self._now = now
        self._lines = lines
        self._ended: list[Asked] = []
        """Requests that are not counted yet."""
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
        self._engines = of_metrics.counter(
            "otium_engine_events_total", "What happened to engines.", ("kind", "model")
        )
        self._revivals = of_metrics.counter(
            "otium_revivals_total", "Starts of engines.", ("result",)
        )
        self._revival_seconds = of_metrics.histogram(
            "otium_revival_seconds", "Time of starts.", ("result",)
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show what *read* returns, by a name of Prometheus', when metrics are asked for."""
        self.metrics.gauge(name, text, (), lambda: {(): read()})

    def request(self, asked: Asked) -> None:
        """Note a request that came to its end."""
        asked.at = time.time()
        self._ended.append(asked)
        if len(self._ended) >= _TOGETHER:
            self.gather()

    def gather(self) -> None:
        """Count and line up the requests that ended: many together cost half of one by one."""
        ended, self._ended = self._ended, []
        for asked in ended:
            self._count(asked)
            now = _instant(int(asked.at))
            self._note(
                Line(
                    time=now,
                    key=asked.caller,
                    act=asked.api,
                    model=asked.model,
                    answered=asked.answered,
                    status=asked.status,
                    code=asked.code,
                    tokens_in=asked.read,
                    tokens_out=asked.written,
                    milliseconds=round(asked.seconds * 1000),
                    weights=asked.weights,
                )
            )
            if self._lines.wanted:
                self._lines.write(self._line(asked, now))

    def _count(self, asked: Asked) -> None:
        model = asked.model if asked.known else ""
        self._requests.add((asked.api, model, asked.code))
        self._seconds.add((asked.api,), asked.seconds)
        if asked.first:
            self._first.add((asked.api,), asked.first)
        if asked.written or asked.read:
            model = asked.answered or model
            self._tokens.add((model, "read"), asked.read)
            self._tokens.add((model, "written"), asked.written)

    def _line(self, asked: Asked, now: Instant) -> Mapping[str, object]:
        return {
            "time": now,
            "level": "error" if asked.status >= _SERVER_FAULT else "info",
            "event": "request",
            "id": asked.id,
            "api": asked.api,
            "model": asked.model[:100],
            "answered": asked.answered,
            "caller": asked.caller,
            "status": asked.status,
            "code": asked.code,
            "weights": asked.weights,
            "ms": round(asked.seconds * 1000, 3),
            "first_ms": round(asked.first * 1000, 3),
            "streamed": asked.streamed,
            "read": asked.read,
            "written": asked.written,
        }

    def failed(self, code: str) -> None:
        """Note that something could not be done for now, beside any request."""
        self._note(Line(time=self._now(), key="", act="service", status=_SERVER_FAULT, code=code))

    def log(self, event: str, **facts: object) -> None:
        """Write a log line about the service itself."""
        if self._lines.wanted:
            self._lines.write({"time": self._now(), "level": "info", "event": event, **facts})

    def revival(self, result: str, seconds: float) -> None:
        """Note the start of an engine."""
        self._revivals.add((result,))
        self._revival_seconds.add((result,), seconds)
        self.log("revival", result=result, seconds=round(seconds, 3))

    def engine(self, notice: Notice) -> None:
        """Note what happened to an engine."""
        self._engines.add((notice.kind, notice.model))
        facts = {"model": notice.model, "why": notice.why, "seconds": round(notice.seconds, 3)}
        self.log("engine", kind=notice.kind, bytes=notice.bytes, **facts)

    def flush(self) -> None:
        """Write the log lines that wait. Callable from any thread."""
        self._lines.flush()


@lru_cache(maxsize=64)
def _instant(seconds: int) -> Instant:
    return instant(datetime.fromtimestamp(seconds, UTC))
