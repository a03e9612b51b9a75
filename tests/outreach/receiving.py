"""Those who are told: a real mail server and a real webhook receiver, on this machine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Letter(NamedTuple):
    """An e-mail that a server accepted."""

    to: str
    read: EmailMessage
    raw: bytes

    @property
    def key(self) -> str:
        return str(self.read["Message-ID"]).strip("<>").partition("@")[0]


class Post:
    """A mail server's handler. It gives each answer in *answers* first, then accepts."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.letters: list[Letter] = []
        self.port = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        raw = envelope.original_content
        assert raw is not None
        read = message_from_bytes(raw, policy=policy.default)
        assert isinstance(read, EmailMessage)
        self.letters.append(Letter(envelope.rcpt_tos[0], read, raw))
        return "250 taken"


@contextmanager
def post(*answers: str, tls: SSLContext | None = None, **more: Any) -> Iterator[Post]:
    """Run a mail server, over *tls* from the first byte; *more* are options of aiosmtpd's SMTP."""
    handler, loop, ready = Post(*answers), asyncio.new_event_loop(), Event()

    async def serve() -> asyncio.Server:
        def session() -> SMTP:
            return SMTP(handler, hostname="localhost", loop=loop, **more)

        server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
        handler.port = server.sockets[0].getsockname()[1]
        ready.set()
        return server

    def run() -> None:
        server = loop.run_until_complete(serve())
        loop.run_forever()
        server.close()
        loop.run_until_complete(_end_all())
        loop.close()

    thread = Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield handler
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _end_all() -> None:
    """End the sessions that are still open."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def only(user: str, password: str) -> Any:
    """Return an authenticator that knows one user."""

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, said: Any) -> Any:
        known = LoginPassword(user.encode(), password.encode())
        return AuthResult(success=said == known, handled=said == known)

    return check


class Call(NamedTuple):
    """What a webhook received."""

    key: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed(self, secret: str = SECRET) -> bool:
        """Verify as the Standard Webhooks specification tells receivers to."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        head = self.headers
        signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        return f"v1,{wanted}" in head["webhook-signature"].split()


class Answer(NamedTuple):
    """How a receiver answers, other than by taking it."""

    status: int
    headers: dict[str, str] = {}


class Receiver(ThreadingHTTPServer):
    """A webhook's receiver. It gives each answer in *answers* first, then takes all."""

    daemon_threads = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.calls: list[Call] = []
        self.refused: list[Call] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"

    def handle_error(self, _request: object, _address: object) -> None:
        """Say nothing: a sender that is killed breaks its connection."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # its sender died
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(headers["idempotency-key"].strip('"'), headers, body)
        answer = self.server.answers.pop(0) if self.server.answers else Answer(204)
        (self.server.calls if answer.status == 204 else self.server.refused).append(call)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(*answers: Answer) -> Iterator[Receiver]:
    """Run a webhook's receiver."""
    server = Receiver(*answers)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
