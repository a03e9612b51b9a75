"""What the bench of the gateway starts as processes: an engine that costs nothing, and a gateway.

The stub is plain asyncio, so that what is measured is the gateway and not its upstream. It takes
the kind of stream from the words it is asked: ``paced`` sends 64 events, one each 10 ms; ``slow``
sends 4 events, one each 5 s; any other stream sends 64 events at once.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

MODEL = "smol-1"
EVENTS = 64
SLOW = (4, 5.0)
"""Events of a slow stream, and seconds between them."""
_PACE = 0.01

_COMMON = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
_CHOICE = {"index": 0, "finish_reason": "stop", "logprobs": None}
_WORDS = {"role": "assistant", "content": "Good day to you."}
_USAGE = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
_DELTA = {"index": 0, "delta": {"content": " word"}, "finish_reason": None}


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole() -> bytes:
    answer = {**_COMMON, "object": "chat.completion", "choices": [{**_CHOICE, "message": _WORDS}]}
    body = json.dumps({**answer, "usage": _USAGE}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


_WHOLE = _whole()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = {**_COMMON, "object": "chat.completion.chunk", "choices": [_DELTA]}
_EVENT = _framed(b"data: " + json.dumps(_CHUNK).encode() + b"\n\n")
_END = _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class _Stub(asyncio.Protocol):
    """An engine that answers at once, or at its pace."""

    __slots__ = ("_data", "_transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        if not found or len(rest) < length:
            return
        body, self._data = rest[:length], rest[length:]
        if b'"stream":true' not in body.replace(b" ", b""):
            self._transport.write(_WHOLE)
        elif b"paced" in body:
            self._later(EVENTS, _PACE, begun=False)
        elif b"slow" in body:
            self._later(*SLOW, begun=False)
        else:
            self._transport.write(_HEAD + EVENTS * _EVENT + _END)

    def _later(self, events: int, pause: float, *, begun: bool = True) -> None:
        if self._transport.is_closing():
            return
        head = b"" if begun else _HEAD
        self._transport.write(head + (_EVENT if events else _END))
        if events:
            loop = asyncio.get_running_loop()
            loop.call_later(pause, self._later, events - 1, pause)


def stub(port: int) -> None:
    """Serve the stub until the process is told to end."""
    import uvloop

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Stub, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    with suppress(KeyboardInterrupt):
        uvloop.run(main())


def gateway(port: int, upstream: str, features: str, folder: str) -> None:
    """Serve a gateway whose one model is at *upstream*, with its state and keys in *folder*.

    *features* ``all``: the exit offered as a tool, headers of a deprecated model, and the log.
    """
    from otium.closure import Policy
    from otium.commitments import load_policy
    from otium.database import sqlite_url
    from otium.engine import Endpoint, Identity
    from otium.gateway import Service, Settings, run
    from otium.lifecycle import Surface, deprecate, found
    from otium.notes import Signer
    from otium.records import Instant, ModelId
    from otium.testing import FixedClock, MemoryStore

    signer, clock = Signer.generate("example.org/bench"), FixedClock("2026-01-01T00:00:00Z")
    house = found(MemoryStore(), signer, archive_id="bench", clock=clock, policy=load_policy())
    model = ModelId(MODEL)
    house.register(model, title="Smol", released="2025-06-01", scope="public", surfaces=["api"])
    if every := features == "all":
        dates: dict[Surface, Instant] = {"api": Instant("2026-06-01T00:00:00Z")}
        deprecate(house, model, retire_at=dates, replacement=None, reason="a bench", force=True)
    settings = Settings(
        offer_exit=(model,) if every else (),
        exit_policy=Policy(redirections=0, method="tool"),
        site="https://example.org",
    )
    identity, home = Identity(model=model, weights=None, engine="stub/1"), Path(folder)
    at = Endpoint(base_url=upstream, api_key="stub", identity=identity)
    with (home / "log").open("wb") as log:
        service = Service(
            house,
            cache=home / "cache",
            state=sqlite_url(home / "state.sqlite"),
            journal=home / "journal",
            settings=settings,
            upstreams={model: at},
            log=log if every else None,
        )
        run(service, "127.0.0.1", port)
