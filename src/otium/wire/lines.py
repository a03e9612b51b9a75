"""The client of our own: connections that are kept for the next request, by server.

One that breaks while it rests is forgotten at once, one that rests for long is closed.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cached_property, lru_cache, partial
from urllib.parse import urlsplit

from otium.wire.connection import Connection
from otium.wire.reply import WireError

_MOST_IDLE = 64
"""Connections to one server that are kept for later."""
_REST = 60.0
"""Seconds for which they are."""


class Lines:
    """Asks over connections of its own. Make it on the event loop that uses it."""

    def __init__(self) -> None:
        """Begin without connections."""
        self._loop = asyncio.get_running_loop()
        self._idle: dict[str, list[Connection]] = {}
        self._all: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def post(self, url: str, body: bytes, *, key: str, seconds: float) -> _Asking:
        """Post JSON, as `Client` says."""
        request = b"%b%d\r\n\r\n%b" % (_head(url, key), len(body), body)
        return _Asking(self, url, request, seconds)

    def idle(self, url: str) -> Connection | None:
        """Return a connection that rests, if there is one."""
        resting = self._idle.get(url)
        return resting.pop() if resting else None

    async def open(self, url: str, until: float) -> Connection:
        """Open a connection until then, by the loop's clock; WireError, or TimeoutError."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        try:
            async with asyncio.timeout_at(until):
                _, made = await self._loop.create_connection(
                    lambda: Connection(self._loop, partial(self._forget, url)),
                    parts.hostname or "",
                    parts.port or (443 if secure else 80),
                    ssl=self._context if secure else None,
                )
        except TimeoutError:
            raise
        except OSError as error:
            raise WireError(f"{type(error).__name__}: {error}") from error
        self._all.add(made)
        return made

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def rest(self, url: str, connection: Connection) -> None:
        """Keep a connection for the next request, if it can be."""
        if connection.done and connection.lasting and not connection.closed:
            resting = self._idle.setdefault(url, [])
            if len(resting) < _MOST_IDLE:
                connection.rested = self._loop.time()
                resting.append(connection)
                if self._sweeper is None:
                    self._sweeper = self._loop.call_later(_REST, self._sweep)
                return
        connection.break_off(WireError("closed"))

    def _forget(self, url: str, connection: Connection) -> None:
        self._all.discard(connection)
        resting = self._idle.get(url)
        if resting is None:
            return
        if connection in resting:
            resting.remove(connection)
        if not resting:
            del self._idle[url]

    def _sweep(self) -> None:
        """Close what rested for long."""
        before = self._loop.time() - _REST
        for resting in list(self._idle.values()):
            for connection in [one for one in resting if one.rested <= before]:
                resting.remove(connection)
                connection.break_off(WireError("closed"))
        self._sweeper = self._loop.call_later(_REST, self._sweep) if self._all else None

    async def close(self) -> None:
        """Close every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._all):
            connection.break_off(WireError("the client was closed"))
        self._all.clear()
        self._idle.clear()


@lru_cache(maxsize=1024)
def _head(url: str, key: str) -> bytes:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "Content-Length: ",
    )
    head = "\r\n".join(lines).encode("latin-1")
    if head.count(b"\r\n") != len(lines) - 1 or b"\n" in head.replace(b"\r\n", b""):
        raise WireError("an address or a key has a line break")
    return head


class _Asking:
    """One request: the block in which its answer is read."""

    __slots__ = (
        "_connection",
        "_late",
        "_lines",
        "_request",
        "_seconds",
        "_timer",
        "_until",
        "_url",
    )

    def __init__(self, lines: Lines, url: str, request: bytes, seconds: float) -> None:
        self._lines = lines
        self._url = url
        self._request = request
        self._seconds = seconds
        self._connection: Connection | None = None
        self._late = False
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Connection:
        loop = asyncio.get_running_loop()
        self._until = loop.time() + self._seconds
        self._timer = loop.call_at(self._until, self._expire)
        try:
            kept = self._lines.idle(self._url)
            connection = await self._ask(kept or await self._lines.open(self._url, self._until))
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._request = b""  # a stream is open for long, and a history is large
        return connection

    async def _ask(self, connection: Connection) -> Connection:
        """Ask over this connection, or over a new one if it was closed while it rested."""
        self._connection = connection
        connection.ask(self._request)
        try:
            await connection.head()
        except WireError:
            # A server may close an idle connection in the very moment it is used again.
            if connection.uses == 1 or connection.headed or self._late:
                raise
            return await self._ask(await self._lines.open(self._url, self._until))
        return connection

    def _expire(self) -> None:
        self._late = True
        if self._connection is not None:
            self._connection.break_off(TimeoutError())

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._lines.rest(self._url, connection)
