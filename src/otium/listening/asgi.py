"""An ASGI application behind a connection of ours: for everything but the data path."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from otium.listening.outlet import Outlet
from otium.listening.request import Request

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_NO_BODY = (204, 304)


async def over_asgi(app: ASGIApp, request: Request, outlet: Outlet) -> None:
    """Have *app* answer. Its answer is gathered, then sent whole: pages are small."""
    body = [bytes(request.body)]
    status, headers, parts = 500, b"", list[bytes]()

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body.pop(), "more_body": False}
        await asyncio.Event().wait()  # who leaves ends this task
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = b"".join([b"%b: %b\r\n" % one for one in message["headers"]])
            return
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            outlet.plain(status, *_ended(request, status, headers, b"".join(parts)))

    try:
        await app(_scope(request), receive, send)
    finally:
        outlet.abort()


def _scope(request: Request) -> dict[str, Any]:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method.decode("latin-1"),
        "scheme": "http",
        "path": request.path,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers.items()),
        "client": None,
        "server": None,
        "state": {},
    }


def _ended(request: Request, status: int, headers: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Return the header lines and the body of an answer, framed as HTTP/1.1 wants it."""
    if status in _NO_BODY:
        return headers, b""
    if b"content-length: " not in headers:
        headers += b"content-length: %d\r\n" % len(data)
    return headers, b"" if request.method == b"HEAD" else data
