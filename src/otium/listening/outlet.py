"""An answer: one body, or a stream of chunks that is begun as late as possible."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, Protocol

STATUS_LINES = {one.value: b"HTTP/1.1 %d %b\r\n" % (one, one.phrase.encode()) for one in HTTPStatus}
_JSON = b"content-type: application/json\r\ncache-control: no-store\r\n"
_STREAM = (
    b"content-type: text/event-stream\r\ncache-control: no-store\r\ntransfer-encoding: chunked\r\n"
)


class Line(Protocol):
    """What an answer is written to: a connection."""

    full: Future[None] | None
    """Done when the reader has taken enough; None while it is not behind."""

    @property
    def date(self) -> bytes:
        """The header line that dates an answer."""
        ...

    def send(self, data: bytes) -> None:
        """Send a part of an answer."""
        ...

    def end(self, data: bytes, *, lasting: bool) -> None:
        """Send the last part; *lasting* tells whether the connection may carry another answer."""
        ...

    def abort(self) -> None:
        """Drop the connection with all that waits in it."""
        ...


class Outlet:
    """The answer to one request. It is begun once and ended once."""

    __slots__ = ("_line", "begun", "ended", "head", "lost")

    def __init__(self, line: Line) -> None:
        """Write to *line*."""
        self._line = line
        self.head = b""
        """Header lines that every answer to this request has."""
        self.begun = False
        self.ended = False
        self.lost: Literal["", "gone", "stalled"] = ""
        """Why there is nobody to hear the rest: the client left, or takes nothing."""

    def whole(self, status: int, data: bytes, head: bytes = b"") -> None:
        """Send a whole JSON body, with the lines of *head* besides."""
        self.begun = True
        lines = b"%bcontent-length: %d\r\n" % (_JSON + self.head + head, len(data))
        self.plain(status, lines, data)

    def plain(self, status: int, lines: bytes, data: bytes) -> None:
        """Send an answer whose header lines, length and all, are *lines*."""
        self.begun = self.ended = True
        line = self._line
        start = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        lasting = status < HTTPStatus.BAD_REQUEST or b"connection: close\r\n" not in lines
        line.end(start + line.date + lines + b"\r\n" + data, lasting=lasting)

    async def write(self, data: bytes, head: bytes = b"") -> None:
        """Send a part of a stream; wait while the reader is behind."""
        line = self._line
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if not self.begun:
            self.begun = True
            start = STATUS_LINES[200] + line.date + _STREAM + self.head + head + b"\r\n"
            chunk, self.head = start + chunk, b""
        line.send(chunk)
        if line.full is not None:
            await line.full

    def finish(self, data: bytes) -> None:
        """Send the last part of a stream that was begun."""
        self.ended = True
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._line.end(chunk + b"0\r\n\r\n", lasting=True)

    def abort(self) -> None:
        """Break the answer off, unless it came to its end: the client sees that it is not whole."""
        if not self.ended:
            self.ended = True
            self._line.abort()


def block(headers: Mapping[str, str]) -> bytes:
    """Return headers as the lines of a head; raise ValueError for a line break in one."""
    lines = "".join([f"{name.lower()}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header has a line break")
    return lines.encode("latin-1")
