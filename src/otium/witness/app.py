"""The addresses of a witness, over plain ASGI."""

from __future__ import annotations

import hashlib
import html

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from otium.witness.records import ADD, LONGEST_BODY
from otium.witness.witness import Witness

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{name}</title>
<h1>Witness {name}</h1>
<p>It cosigns each tree of these logs that continues the one before
(<a href="https://c2sp.org/tlog-witness">tlog-witness</a>).</p>
<h2>Verifier keys</h2>
<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{vkeys}</pre>
<h2>Logs</h2>
<table><tr><th>origin<th>size<th>newest checkpoint</tr>
{logs}
</table>
<p>Forks found: {forks} (<a href="evidence">evidence</a>)</p>
</html>
"""


def create_app(witness: Witness) -> Starlette:
    """Return the ASGI application that serves *witness*."""
    routes = _Routes(witness)
    return Starlette(
        routes=[
            Route("/", routes.page),
            Route(f"/{ADD}", routes.add, methods=["POST"]),
            Route("/evidence", routes.evidence),
            Route("/checkpoint/{origin}", routes.checkpoint),
        ],
        exception_handlers={Exception: _broken, HTTPException: _http},
    )


class _Routes:
    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def add(self, request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        answer = await run_in_threadpool(self._witness.add, body)
        return Response(answer.body, answer.status, {"Content-Type": answer.kind})

    async def checkpoint(self, request: Request) -> Response:
        found = await run_in_threadpool(self._witness.checkpoint, request.path_params["origin"])
        if found is None:
            raise HTTPException(404)
        return PlainTextResponse(found)

    async def evidence(self, _: Request) -> Response:
        forks = await run_in_threadpool(self._witness.forks)
        return Response(msgspec.json.encode(forks), media_type="application/json")

    async def page(self, _: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(_page, self._witness))


async def _body(request: Request) -> bytes:
    """Return the request's body, or raise HTTPException 413 as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise HTTPException(413)
    return bytes(body)


def _page(witness: Witness) -> str:
    return _PAGE.format(
        name=html.escape(witness.name),
        vkeys=html.escape("\n".join(witness.vkeys)),
        logs="\n".join(_row(origin, size) for origin, size in witness.sizes().items()),
        forks=len(witness.forks()),
    )


def _row(origin: str, size: int | None) -> str:
    shown = html.escape(origin)
    if size is None:
        return f"<tr><td>{shown}<td>none yet<td></tr>"
    name = hashlib.sha256(origin.encode()).hexdigest()
    return f'<tr><td>{shown}<td>{size}<td><a href="checkpoint/{name}">{name}</a></tr>'


async def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = {"Connection": "close"} if status == 413 else None  # noqa: PLR2004
    return PlainTextResponse(f"{status}\n", status, headers)


async def _broken(_: Request, __: Exception) -> Response:
    return PlainTextResponse("The witness failed; ask again.\n", 500)
