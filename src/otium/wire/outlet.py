"""An answer over ASGI: one body, or a stream that is begun as late as possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Send

RawHeaders = list[tuple[bytes, bytes]]

_NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")
_STREAM = (b"content-type", b"text/event-stream")


class Outlet:
    """The response: one JSON body, or a stream that is begun as late as possible."""

    __slots__ = ("_send", "_time", "begun", "first", "headers", "sending", "spoken")

    def __init__(self, send: Send, time: Callable[[], float]) -> None:
        """Write to *send*."""
        self._send = send
        self._time = time
        self.headers: RawHeaders = []
        self.begun = False
        self.spoken = False
        """Whether the client has heard a part of the answer."""
        self.first = 0.0
        """When the first byte of an answer was sent."""
        self.sending = 0.0
        """Since when the client has been waited for, 0 if it is not."""

    async def whole(self, status: int, data: bytes, headers: RawHeaders) -> None:
        """Send a whole JSON body."""
        self.begun = True
        length = (b"content-length", str(len(data)).encode())
        every = [_JSON, length, _NO_STORE, *self.headers, *headers]
        send = self._send
        await send({"type": "http.response.start", "status": status, "headers": every})
        self.first = self.sending = self._time()
        await send({"type": "http.response.body", "body": data})
        self.sending = 0.0

    async def write(self, data: bytes, *headers: tuple[bytes, bytes]) -> None:
        """Send a part of a stream; it waits while the client is slow."""
        if not self.begun:
            self.begun = True
            every = [_STREAM, _NO_STORE, *self.headers, *headers]
            await self._send({"type": "http.response.start", "status": 200, "headers": every})
        self.sending = self._time()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self.sending = 0.0

    async def finish(self, data: bytes) -> None:
        """Send the last part of a stream."""
        await self._send({"type": "http.response.body", "body": data})

    def abort(self) -> None:
        """Drop the connection with all that waits in it, which ASGI has no word for."""
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
