"""The routes, over plain ASGI: what comes in is checked, what goes out is complete."""

from __future__ import annotations

import hmac
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from otium.errors import BadInput, GatewayError, OtiumError, Refused
from otium.gateway.exchange import ChatRoute
from otium.gateway.records import body, fault, lifecycle_headers, refuse
from otium.gateway.service import Service
from otium.records import digest

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_NOT_ALLOWED = 405
_PATIENCE = 5
"""Seconds that open answers have to finish when the service stops."""
_FOR_ALL = {"/healthz", "/v1/models/deprecations"}


def create_app(service: Service) -> Starlette:
    """Return the ASGI application that serves *service*."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    routes = _Routes(service)
    return Starlette(
        routes=[*routes.all(), *_pages(service)],
        middleware=[Middleware(Guard, keys=service.settings.keys)],
        exception_handlers={Exception: _broken, OtiumError: _refused, HTTPException: _http},
        lifespan=lifespan,
    )


class Guard:
    """Let in who holds a key or, where there are none, who asks from this machine.

    Without keys the Host and Origin must be this machine's, so that no web page that its user
    happens to read can ask. The public feed and the static pages are for all.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        """Guard *app*."""
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            refused = self._check(scope)
            if refused is not None:
                await _response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> Refused | None:
        headers = dict(scope["headers"])
        scope["otium.caller"] = ""
        if not self._keys:
            return _elsewhere(headers)
        path = scope["path"]
        if path in _FOR_ALL or not path.startswith("/v1/"):
            return None
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and self._knows(given.strip()):
            scope["otium.caller"] = digest(given.strip())
            return None
        message = "A valid key is needed: Authorization: Bearer KEY."
        return refuse(401, "invalid_api_key", message, headers={"WWW-Authenticate": "Bearer"})

    def _knows(self, given: bytes) -> bool:
        equal = [hmac.compare_digest(given, key) for key in self._keys]
        return any(equal)


def _elsewhere(headers: dict[bytes, bytes]) -> Refused | None:
    host = _name("//" + headers.get(b"host", b"").decode("latin-1"))
    origin = _name(headers.get(b"origin", b"//localhost").decode("latin-1"))
    if {host, origin} <= _LOOPBACK:
        return None
    return refuse(403, "not_from_here", "Without keys, this service answers this machine only.")


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


class _Routes:
    def __init__(self, service: Service) -> None:
        self._service = service

    def all(self) -> list[BaseRoute]:
        return [
            Route("/healthz", self.healthz),
            Route("/v1/models", self.models),
            Route("/v1/models/deprecations", self.deprecations),
            Route("/v1/models/{model}", self.model),
            Route("/v1/models/{model}/prewarm", self.prewarm, methods=["POST"]),
            Route("/v1/chat/completions", ChatRoute(self._service), methods=["POST"]),
        ]

    async def healthz(self, _: Request) -> Response:
        view = await self._service.view()
        return _json({"status": "ok", "models": len(view.lives), "loaded": self._service.loaded()})

    async def models(self, _: Request) -> Response:
        lives = (await self._service.view()).lives.values()
        return _json({"object": "list", "data": [self._service.describe(life) for life in lives]})

    async def model(self, request: Request) -> Response:
        life = await self._service.life(request.path_params["model"])
        headers = lifecycle_headers(life, note=self._service.note_url(life))
        return _json(self._service.describe(life), headers=headers)

    async def deprecations(self, _: Request) -> Response:
        return _json({"object": "list", "data": await self._service.deprecations()})

    async def prewarm(self, request: Request) -> Response:
        life = await self._service.life(request.path_params["model"])
        self._service.check_open(life)
        self._service.prewarm(life)
        return _json(self._service.describe(life), status=202)


def _pages(service: Service) -> list[BaseRoute]:
    if service.pages is None:
        return []
    return [Mount("/", StaticFiles(directory=service.pages, html=True, check_dir=False))]


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def _response(refused: Refused) -> Response:
    return Response(body(refused), refused.status, refused.headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return _response(error)
    return await _broken(request, error)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = "method_not_allowed" if status == _NOT_ALLOWED else "unknown_url"
    message = f"{request.method} {request.url.path} is not served here."
    return _response(refuse(status, code, message))


async def _broken(_: Request, error: Exception) -> Response:
    message = f"The service failed: {fault(error)}."
    return _response(refuse(500, "internal_error", message, type="server_error"))


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, service: Service) -> None:
        config = uvicorn.Config(
            create_app(service),
            lifespan="on",
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()


def run(service: Service, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until the process is told to end; raise BadInput for an open door to the network."""
    with _listening(service, host, port) as listener:
        _Server(service).run([listener])


@contextmanager
def background(service: Service, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a thread until the block ends; yield where, ``http://HOST:PORT``."""
    with _listening(service, host, port) as listener:
        server = _Server(service)
        thread = threading.Thread(target=server.run, args=([listener],), name="otium-gateway")
        thread.start()
        server.settled.wait()
        try:
            if not server.started:
                raise GatewayError(message="the service did not start; its log says why")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _listening(service: Service, host: str, port: int) -> Iterator[socket.socket]:
    if host not in _LOOPBACK and not service.settings.keys:
        raise BadInput(what=f"serving on {host} without keys", why="anyone could ask")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only for sockets that name their protocol: it costs 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise BadInput(what=f"the address {host}:{port}", why=str(error)) from error
        yield listener
