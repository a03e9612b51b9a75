"""One connection to a server: a parser of llhttp, and nothing between.

It carries one request at a time, and is used again if the server keeps it open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools

from otium.wire.reply import MOST_WHOLE, WireError

_MOST_AHEAD = 1 << 16
"""Bytes that may wait for a slow reader before the server is made to wait."""


class Connection(asyncio.Protocol):
    """One connection. Ten thousand may be open, so it has slots."""

    __slots__ = (
        "_ahead",
        "_loop",
        "_lost",
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
        "rested",
        "status",
        "transport",
        "uses",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, lost: Callable[[Connection], None]) -> None:
        """*lost* is told when the connection is no more."""
        self._loop = loop
        self._lost = lost
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
        self.rested = 0.0
        """Since when nobody uses it, by the loop's clock."""

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
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
        """End a body that has no length; any other that is not done has broken off."""
        if self.headed and not self.done and not self._sized:
            self.lasting = False
            self.on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, and whoever keeps connections."""
        self.closed = True
        if not self.done:
            self.fault = self.fault or WireError(f"the connection was lost ({exc or 'closed'})")
            self._wake()
        self._lost(self)

    # llhttp's side

    def on_header(self, name: bytes, _: bytes) -> None:
        """Note whether the body has a length."""
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:
        """Note the status."""
        self.status = self._parser.get_status_code()
        self.lasting = self._parser.should_keep_alive()
        self.headed = self.status >= 200  # noqa: PLR2004  # not an interim answer
        self._wake()

    def on_body(self, body: bytes) -> None:
        """Keep a part; make the server wait for a slow reader."""
        self._parts.append(body)
        self._ahead += len(body)
        if self._ahead > _MOST_AHEAD and not self._paused and not self.closed:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """End the answer."""
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
        """Return the whole body, as `Reply` says."""
        while not self.done:
            if self._ahead > MOST_WHOLE:
                raise WireError(f"a body of more than {MOST_WHOLE} bytes")
            self._resume()
            await self._change()
        return self._taken()

    async def part(self) -> bytes:
        """Return what came since the last call, as `Reply` says."""
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
