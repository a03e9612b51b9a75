"""An S3 server on loopback that fails as a test plans, in front of a real one."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = Callable[["Relay", "Flaky"], None]


def lose_the_answer(relay: Relay, _flaky: Flaky) -> None:
    relay.ask()
    relay.hang_up()


def fail_after(relay: Relay, _flaky: Flaky) -> None:
    relay.ask()
    relay.answer(500, b"<Error><Code>InternalError</Code></Error>")


def hang_up_before(relay: Relay, _flaky: Flaky) -> None:
    relay.hang_up()


def be_busy(relay: Relay, _flaky: Flaky) -> None:
    relay.answer(503, b"<Error><Code>SlowDown</Code></Error>")


def report_a_conflict(relay: Relay, _flaky: Flaky) -> None:
    relay.answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")


def answer_too_late(relay: Relay, flaky: Flaky) -> None:
    relay.ask()
    flaky.over.wait(20)
    relay.hang_up()


def cut_the_answer(relay: Relay, _flaky: Flaky) -> None:
    status, headers, body = relay.ask()
    relay.answer(status, body[: len(body) // 2], headers, promised=len(body))


def pass_on(relay: Relay, _flaky: Flaky) -> None:
    status, headers, body = relay.ask()
    relay.answer(status, body, headers)


_OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Relay(BaseHTTPRequestHandler):
    """Hands each request on to the real server, unless the plan has a fault for its method."""

    protocol_version = "HTTP/1.1"
    server: Flaky

    def ask(self) -> tuple[int, dict[str, str], bytes]:
        """Return the real server's answer: status, headers, body."""
        real = http.client.HTTPConnection(self.server.real, timeout=30)
        headers = {name: value for name, value in self.headers.items() if self.passes(name)}
        real.request(self.command, self.path, self.body, headers)
        got = real.getresponse()
        answer = got.status, dict(got.getheaders()), got.read()
        real.close()
        return answer

    def passes(self, header: str) -> bool:
        return not (self.server.drops_metadata and header.lower().startswith("x-amz-meta-"))

    def answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        promised: int | None = None,
    ) -> None:
        """Send an answer that promises *promised* bytes, as many as there are by default."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        length = len(body) if promised is None else promised
        if self.command == "HEAD" and headers:
            length = int(headers.get("Content-Length", 0))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if promised is not None:
            self.hang_up()

    def hang_up(self) -> None:
        """End the connection with this request."""
        self.close_connection = True

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(f"{self.command} {urlsplit(self.path).path.rpartition('/')[2]}")
        faults = self.server.plan.get(self.command, [])
        if faults:
            faults.pop(0)(self, self.server)
            return
        status, headers, body = self.ask()
        self.answer(status, body, headers)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  # http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class Flaky(ThreadingHTTPServer):
    """A server on loopback between otium and a real one, that fails as it is told."""

    daemon_threads = True

    def __init__(self, real: str) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.real = urlsplit(real).netloc
        self.plan: dict[str, list[Fault]] = {}
        self.seen: list[str] = []
        self.drops_metadata = False
        self.over = threading.Event()
