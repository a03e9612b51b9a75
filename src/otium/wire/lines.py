"""The client of our own: one parser of llhttp for each connection, and nothing between.

A connection carries one request at a time, and is used again if the server keeps it open.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

import httptools

from otium.wire.reply import WireError

_MOST_AHEAD = 1 << 16
"""Bytes that may wait for a slow reader before the server is made to wait."""


class _Line(asyncio.Protocol):
    """One connection. Ten thousand may be open, so it has slots."""

    __slots__ = (
        "_ahead",
        "_loop",
        "_parser",
        "_parts",
        "_paused",
        "_sized",
        "_waiter",
        "closed",
        "done",
        "fault",
        "headed",
        "lasting",
        "status",
        "transport",
        "uses",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser: Any = None
        self._sized = False
        self._parts: list[bytes] = []
        self._ahead = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.transport: Any = None
        self.status = 0
        self.headed = False
        self.done = True
        self.lasting = True
        """Whether the server keeps the connection after this answer."""
        self.fault: BaseException | None = None
        self.closed = False
        self.uses = 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.done:
            self.break_off(WireError("the server spoke unasked"))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.break_off(WireError(f"not HTTP: {error}"))
        except httptools.HttpParserUpgrade:
            self.break_off(WireError("the server wants another protocol"))

    def eof_received(self) -> None:
        # A body without a length ends here; any other that is not done has broken off.
        if self.headed and not self.done and not self._sized:
            self.lasting = False
            self.on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.done:
            self.fault = self.fault or WireError(f"the connection was lost ({exc or 'closed'})")
            self._wake()

    # llhttp's side

    def on_header(self, name: bytes, _: bytes) -> None:
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.lasting = self._parser.should_keep_alive()
        self.headed = self.status >= 200  # noqa: PLR2004  # not an interim answer
        self._wake()

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._ahead += len(body)
        if self._ahead > _MOST_AHEAD and not self._paused and not self.closed:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self.headed:
            self.done = True
            self._wake()

    # The asker's side

    def ask(self, request: bytes) -> None:
        """Send a request over a connection that is idle."""
        self._parser = httptools.HttpResponseParser(self)
        self._sized = False
        self.done = self.headed = False
        self.fault = None
        self.uses += 1
        self.transport.write(request)

    def break_off(self, why: BaseException) -> None:
        """Close the connection and tell whoever waits why."""
        self.fault = self.fault or why
        self.closed = True
        if self.transport is not None:
            self.transport.abort()
        self._wake()

    async def head(self) -> None:
        """Wait for the status."""
        while not self.headed:
            await self._change()

    async def read(self) -> bytes:
        while not self.done:
            self._resume()
            await self._change()
        return self._taken()

    async def part(self) -> bytes:
        while not self._parts and not self.done:
            await self._change()
        return self._taken()

    def _taken(self) -> bytes:
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._ahead = 0
        self._resume()
        return data

    def _resume(self) -> None:
        if self._paused and not self.closed:
            self.transport.resume_reading()
        self._paused = False

    async def _change(self) -> None:
        if self.fault is not None:
            raise self.fault
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self.fault is not None:
            raise self.fault

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Lines:
    """Asks over connections of its own. Make it on the event loop that uses it."""

    def __init__(self) -> None:
        """Begin without connections."""
        self._loop = asyncio.get_running_loop()
        self._idle: dict[str, list[_Line]] = {}
        self._all: set[_Line] = set()
        self._heads: dict[tuple[str, str], bytes] = {}

    def post(self, url: str, body: bytes, *, key: str, seconds: float) -> _Asking:
        """Post JSON, as `Client` says."""
        head = self._heads.get((url, key)) or self._head(url, key)
        request = b"%b%d\r\n\r\n%b" % (head, len(body), body)
        return _Asking(self, url, request, seconds)

    def _head(self, url: str, key: str) -> bytes:
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
        self._heads[url, key] = head
        return head

    async def line(self, url: str, *, fresh: bool) -> _Line:
        """Return an idle connection, or open one."""
        idle = self._idle.get(url)
        while idle and not fresh:
            line = idle.pop()
            if not line.closed:
                return line
            self._all.discard(line)
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        try:
            _, line = await self._loop.create_connection(
                lambda: _Line(self._loop),
                parts.hostname or "",
                parts.port or (443 if secure else 80),
                ssl=ssl.create_default_context() if secure else None,
            )
        except OSError as error:
            raise WireError(f"{type(error).__name__}: {error}") from error
        self._all.add(line)
        return line

    def rest(self, url: str, line: _Line) -> None:
        """Keep a connection for the next request, if it can be."""
        if line.done and line.lasting and not line.closed:
            self._idle.setdefault(url, []).append(line)
            return
        line.done = True
        self._all.discard(line)
        line.break_off(WireError("closed"))

    async def close(self) -> None:
        """Close every connection."""
        for line in self._all:
            line.break_off(WireError("the client was closed"))
        self._all.clear()
        self._idle.clear()


class _Asking:
    """One request: the block in which its answer is read."""

    def __init__(self, lines: Lines, url: str, request: bytes, seconds: float) -> None:
        self._lines = lines
        self._url = url
        self._request = request
        self._seconds = seconds
        self._line: _Line | None = None
        self._late = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> _Line:
        loop = self._lines._loop  # noqa: SLF001  # its own room's
        self._timer = loop.call_later(self._seconds, self._expire)
        try:
            line = await self._open(fresh=False)
            try:
                await line.head()
            except WireError:
                # A server may close an idle connection in the very moment it is used again.
                if line.uses == 1 or line.headed or self._late:
                    raise
                line = await self._open(fresh=True)
                await line.head()
            self._request = b""  # it may be large, and a stream is long
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return line

    async def _open(self, *, fresh: bool) -> _Line:
        self._line = line = await self._lines.line(self._url, fresh=fresh)
        if self._late:
            raise TimeoutError
        line.ask(self._request)
        return line

    def _expire(self) -> None:
        self._late = True
        if self._line is not None:
            self._line.break_off(TimeoutError())

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        line, self._line = self._line, None
        if line is not None:
            self._lines.rest(self._url, line)
