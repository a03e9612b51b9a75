"""Web servers on loopback: a witness that lies, and the files of a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from otium.store import Store

Say = Callable[[bytes], tuple[int, str, str | bytes]]
See = Callable[[str], None]


@contextmanager
def liar(say: Say) -> Iterator[str]:
    """Yield the address of a server that answers a POST as *say* has it."""

    class Handler(_Handler):
        def do_POST(self) -> None:
            status, kind, text = say(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(status, kind, text.encode() if isinstance(text, str) else text)

    with _running(Handler) as url:
        yield url


@contextmanager
def served(store: Store, see: See = lambda _: None) -> Iterator[str]:
    """Yield the address of a plain web server of a store's files; *see* is told their names."""

    class Handler(_Handler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            see(name)
            there = name in set(store.list())
            self.answer(200 if there else 404, "", store.get(name) if there else b"")

    with _running(Handler) as url:
        yield url


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that hang up or are killed."""


@contextmanager
def _running(handler: type[_Handler]) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
