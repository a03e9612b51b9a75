"""What the connections of one server share: the application, the limits, the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol

from otium.errors import Refused
from otium.listening.connection import Connection
from otium.listening.outlet import Outlet
from otium.listening.request import Request
from otium.records import Part

if TYPE_CHECKING:
    from uvicorn.server import ServerState

_SWEEP = 0.25
"""Seconds between two looks for connections whose time is over."""


class Application(Protocol):
    """What answers requests."""

    def welcome(self, request: Request) -> Refused | None:
        """Return why *request*, of which only the head came, is not even read; None to read it."""
        ...

    def answer(self, request: Request, outlet: Outlet) -> Coroutine[Any, Any, None]:
        """Return the work of answering. It is cancelled when `Outlet.lost` says why.

        Where `Request.refused` is set, the answer says so and its head closes the connection.
        """
        ...


class Limits(Part):
    """What holds for every connection, before anyone is asked who they are."""

    head_bytes: int = 64 << 10
    body_bytes: int = 4 << 20
    reading_bytes: int = 256 << 20
    """What all requests that are not whole may hold together."""
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    """How long a connection is kept that asks nothing more."""
    stall_seconds: float = 120.0
    """How long a client may take nothing of an answer that waits for it."""


class Listener:
    """Makes the connections of one server, and ends those whose time is over."""

    def __init__(self, application: Application, limits: Limits) -> None:
        """Have *application* answer within *limits*."""
        self.application = application
        self.limits = limits
        self.connections: set[Connection] = set()
        self.held = 0
        """Bytes of requests that are not whole."""
        self.date = b""
        """The ``Date`` of every answer, as a line (RFC 9110, 6.6.1)."""
        self.loop: asyncio.AbstractEventLoop
        self.time: Callable[[], float]
        self._timer: asyncio.TimerHandle | None = None

    def connection(self, *, server_state: ServerState, **_: object) -> Connection:
        """Return a new connection: what uvicorn calls as it would a protocol class."""
        self.connections = server_state.connections  # type: ignore[assignment]  # it asks for shutdown() alone
        return Connection(self)

    def open(self) -> None:
        """Begin to look for connections whose time is over, on the running loop."""
        self.loop = asyncio.get_running_loop()
        self.time = self.loop.time
        self._sweep()

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()

    def _sweep(self) -> None:
        self.date = b"date: %b\r\n" % formatdate(time.time(), usegmt=True).encode()
        now = self.time()
        for connection in [one for one in self.connections if one.deadline < now]:
            connection.expire(now)
        self._timer = self.loop.call_later(_SWEEP, self._sweep)
