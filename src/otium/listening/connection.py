"""One connection: requests one after another, each read whole and then answered by a task.

Ten thousand may be open, so a connection has slots, no timer and no buffer of its own. `deadline`
says when its client will have had enough time for what it is doing; `Listener` looks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import httptools

from otium.errors import Refused
from otium.listening.outlet import Outlet
from otium.listening.refusing import (
    body_too_large,
    head_too_large,
    malformed,
    too_much_at_once,
    too_slow,
)
from otium.listening.request import Request

if TYPE_CHECKING:
    from otium.listening.listener import Listener

_NEVER = float("inf")
_LINGER = 2.0
"""Seconds in which a client that is still sending may read why it was refused."""
_FRAMING = 8
"""Bytes that a chunked body may take on the wire for each of its own."""
_CLOSE = b"connection: close\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """A client's connection, for as many requests as it asks over it."""

    __slots__ = (
        "_ahead",
        "_closing",
        "_head",
        "_held",
        "_last",
        "_listener",
        "_outlet",
        "_parser",
        "_reading",
        "_task",
        "_transport",
        "_unsent",
        "deadline",
        "full",
    )

    def __init__(self, listener: Listener) -> None:
        """Serve *listener*'s application."""
        self._listener = listener
        self._transport: Any = None
        self._parser: Any = None
        self._reading: Request | None = None
        """The request that is not whole yet."""
        self._head = 0
        """Bytes of its address and headers, 0 once they are all there."""
        self._held = 0
        """What it holds of the memory for requests that are not whole."""
        self._ahead: deque[Request] | None = None
        """Whole requests that came before their turn."""
        self._outlet: Outlet | None = None
        """The answer that is under way."""
        self._task: asyncio.Task[None] | None = None
        self._last = False
        """Whether no request may follow the one that is read or answered."""
        self._closing = False
        self._unsent = 0
        self.deadline = _NEVER
        self.full: asyncio.Future[None] | None = None

    @property
    def date(self) -> bytes:
        """The header line that dates an answer."""
        return self._listener.date

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        self._transport = transport
        listener = self._listener
        listener.connections.add(self)
        self.deadline = listener.time() + listener.limits.head_seconds

    def data_received(self, data: bytes) -> None:
        """Take what came; answer a request that is whole."""
        before = self._reading
        if self._closing or (self._last and before is None):
            return
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError:
            self._transport.abort()
            raise
        except httptools.HttpParserError:
            if self._last and self._reading is None:  # nobody asks for what follows the last one
                return
            self._refuse(malformed())
        reading = self._reading
        if reading is not None:
            alone = reading is before or self._outlet is None
            self._hold(len(data) if alone else self._head + len(reading.body))

    def pause_writing(self) -> None:
        """Make the answer wait: its client does not take it as fast as it is made."""
        self.full = self._listener.loop.create_future()
        self._patient()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        full, self.full = self.full, None
        if full is not None and not full.done():
            full.set_result(None)
        if self._outlet is not None:
            self.deadline = _NEVER
        elif not self._closing:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the work for a client that has left."""
        del exc
        self._listener.connections.discard(self)
        self._release()
        self._closing = True
        self._reading = self._parser = self._ahead = None
        if self._outlet is not None and self._task is not None:
            self._outlet.lost = self._outlet.lost or "gone"
            self._task.cancel()

    # llhttp's side

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._reading = Request(b"", b"", {})
        self._head = 1
        if self._outlet is None:
            self.deadline = _NEVER

    def on_url(self, part: bytes) -> None:
        """Take a part of the address."""
        assert self._reading is not None
        self._reading.target += part
        self._head += len(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; what follows a chunked body is no part of the request."""
        if not self._head or self._reading is None:
            return
        self._head += len(name) + len(value)
        headers, name = self._reading.headers, name.lower()
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        """Decide whether the body is wanted."""
        parser, request, limits = self._parser, self._reading, self._listener.limits
        assert request is not None
        if parser.should_upgrade():
            return
        size, self._head = self._head, 0
        if self._held:
            self._release()
            if self._outlet is None:
                self.deadline = _NEVER
        request.method = parser.get_method()
        self._last = self._last or not parser.should_keep_alive()
        length = request.headers.get(b"content-length", b"0")
        if size > limits.head_bytes:
            self._refuse(head_too_large(limits.head_bytes))
        elif int(length) > limits.body_bytes:
            self._refuse(body_too_large(limits.body_bytes))
        elif refused := self._listener.application.welcome(request):
            self._refuse(refused)
        elif b"expect" in request.headers and self._outlet is None:
            self._transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        request = self._reading
        if request is None:
            return
        if not request.body:
            request.body = part
        elif isinstance(request.body, bytearray):
            request.body += part
        else:
            request.body = bytearray(request.body + part)
        if len(request.body) > self._listener.limits.body_bytes:
            self._refuse(body_too_large(self._listener.limits.body_bytes))

    def on_message_complete(self) -> None:
        """Answer the request, now or when its turn comes."""
        request = self._reading
        if request is None or self._parser.should_upgrade():
            return
        self._reading = None
        if self._held:
            self._release()
        self._take(request)

    # Reading

    def _stay(self, rest: bytes) -> None:
        """Take a request that would change the protocol as one that would not (RFC 9110, 7.8).

        llhttp leaves off after its head, so the head is read again without the wish.
        """
        request = self._reading
        method = self._parser.get_method()
        if request is None or method == b"CONNECT":
            self._refuse(malformed())
            return
        fields = [(name, value) for name, value in request.headers.items() if name != b"upgrade"]
        lines = b"".join([b"%b: %b\r\n" % field for field in fields])
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, request.target, lines, rest))

    def _hold(self, size: int) -> None:
        """Account for a request that is not whole, and see that it stays within limits."""
        listener, limits = self._listener, self._listener.limits
        self._held += size
        listener.held += size
        if self.deadline == _NEVER and self._outlet is None:
            wait = limits.head_seconds if self._head else limits.body_seconds
            self.deadline = listener.time() + wait
        if self._head:
            if self._held > limits.head_bytes:
                self._refuse(head_too_large(limits.head_bytes))
        elif self._held > _FRAMING * limits.body_bytes + limits.head_bytes:
            self._refuse(body_too_large(limits.body_bytes))
        if listener.held > limits.reading_bytes:
            self._refuse(too_much_at_once())

    def _release(self) -> None:
        self._listener.held -= self._held
        self._held = 0

    def _refuse(self, refused: Refused) -> None:
        """Answer what is being read with an error, take nothing more, and close."""
        request, self._reading = self._reading or Request(b"", b"", {}), None
        self._release()
        self._last = True
        request.body, request.refused = b"", refused
        self._take(request)

    # Answering

    def _take(self, request: Request) -> None:
        if self._outlet is None and self.full is None:
            self._answer(request)
            return
        if self._ahead is None:
            self._ahead = deque()
            self._transport.pause_reading()
        self._ahead.append(request)
        if self._outlet is None:
            self._patient()

    def _answer(self, request: Request) -> None:
        listener = self._listener
        self._outlet = outlet = Outlet(self)
        if request.refused is not None or (self._last and not self._ahead):
            outlet.head = _CLOSE
        self.deadline = _NEVER
        self._task = listener.loop.create_task(listener.application.answer(request, outlet))

    def send(self, data: bytes) -> None:
        """Send a part of an answer, which may go on for long: it needs no parser."""
        self._transport.write(data)
        if self._reading is None:
            self._parser = None

    def end(self, data: bytes, *, lasting: bool) -> None:
        """Send the last part of an answer; turn to the next request."""
        self._transport.write(data)
        self._outlet = self._task = None
        if not lasting:
            self._ahead = None
            self._close()
            self._patient()
        elif self.full is None:
            self._go_on()
        else:
            self._patient()

    def _go_on(self) -> None:
        """Turn to the next request: the client takes what was answered before."""
        if self._ahead:
            self._answer(self._ahead.popleft())
            return
        if self._last and self._reading is None:
            self._close()
        elif self._ahead is not None and not self._transport.is_closing():
            self._ahead = None
            self._transport.resume_reading()
        self._patient()

    def abort(self) -> None:
        """Drop the connection with all that waits in it."""
        self._transport.abort()

    # Time

    def _patient(self) -> None:
        """Say when the client will have had enough time: to read, to go on, or to ask again."""
        limits = self._listener.limits
        self._unsent = self._transport.get_write_buffer_size()
        wait = limits.idle_seconds
        if self._unsent:
            wait = limits.stall_seconds
        elif self._closing:
            wait = _LINGER
        elif self._reading is not None:
            wait = limits.head_seconds if self._head else limits.body_seconds
        self.deadline = self._listener.time() + wait

    def expire(self, now: float) -> None:
        """Do what is to be done at the deadline."""
        limits, reading, transport = self._listener.limits, self._reading, self._transport
        unsent = transport.get_write_buffer_size()
        if 0 < unsent < self._unsent:
            self._unsent = unsent
            self.deadline = now + limits.stall_seconds
        elif unsent or self._closing:
            if self._outlet is not None:
                self._outlet.lost = "stalled"
            transport.abort()
        elif reading is None:
            transport.close()
        elif self._head:
            self._refuse(too_slow("head of the request", limits.head_seconds))
        else:
            self._refuse(too_slow("body", limits.body_seconds))

    def _close(self) -> None:
        """Send no more. The client closes: to do it first would reset what it is still sending."""
        self._closing = True
        if not self._transport.is_closing():
            self._transport.write_eof()

    def shutdown(self) -> None:
        """Close when what is under way is answered: the server is about to end."""
        self._last = True
        if self._outlet is None and self._reading is None and not self._ahead:
            self._transport.close()
