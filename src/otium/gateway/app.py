"""The routes: the data path over raw ASGI, pages and everything else over Starlette."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from otium.dialects import COMPLETIONS, MESSAGES, RESPONSES, Dialect, refuse
from otium.errors import BadInput, GatewayError, OtiumError, Refused
from otium.gateway.catalog import Known
from otium.gateway.door import LOOPBACK, elsewhere, key_of
from otium.gateway.exchange import Exchange
from otium.gateway.records import draining, fault
from otium.gateway.service import Service
from otium.inband import anthropic_object
from otium.listening import Limits, Listener, Outlet, Request, block, over_asgi
from otium.telemetry import Metrics

if TYPE_CHECKING:
    from starlette.requests import Request as WebRequest
    from starlette.types import ASGIApp, Receive, Scope, Send

ASKING: dict[str, Dialect] = {
    "/v1/chat/completions": COMPLETIONS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
}
"""The data path: these addresses are answered without Starlette."""
_BY_TARGET = {path.encode(): dialect for path, dialect in ASKING.items()}

_NOT_ALLOWED = 405
_AFTER = 5
"""Seconds that answers which were cut off have to say so."""


class Gateway:
    """What answers: requests to models here, everything else by *rest*, over ASGI."""

    def __init__(self, service: Service, rest: ASGIApp) -> None:
        """Serve *service*."""
        self._service = service
        self._rest = rest

    def welcome(self, request: Request) -> Refused | None:
        """Return why a stranger's request to a model, or with a body, is not even read."""
        if _asking(request) is None and not _has_body(request):
            return None
        door = self._service.door
        try:
            return None if door.know(key_of(request.headers)) else elsewhere(request.headers)
        except Refused as refused:
            return refused

    def answer(self, request: Request, outlet: Outlet) -> Coroutine[Any, Any, None]:
        """Return the work of answering."""
        dialect = _asking(request)
        if dialect is not None:
            return Exchange(self._service, dialect, request, outlet).run()
        if request.refused is not None:
            return _turn_away(request.refused, outlet)
        return over_asgi(self._rest, request, outlet)


def _asking(request: Request) -> Dialect | None:
    """Return the API by which a model is asked, None if none is."""
    if request.method != b"POST":
        return None
    return _BY_TARGET.get(request.target) or ASKING.get(request.path)


def _has_body(request: Request) -> bool:
    headers = request.headers
    return b"transfer-encoding" in headers or int(headers.get(b"content-length", b"0")) > 0


async def _turn_away(refused: Refused, outlet: Outlet) -> None:
    data = msgspec.json.encode(COMPLETIONS.error(refused))
    outlet.whole(refused.status, data, block(refused.headers))


def _starlette(service: Service) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.running():
            yield

    return Starlette(
        routes=[*_Routes(service).all(), *_pages(service)],
        middleware=[Middleware(Guard, service=service)],
        exception_handlers={Exception: _broken, OtiumError: _refused, HTTPException: _http},
        lifespan=lifespan,
    )


class Guard:
    """Ask at the door. The public feeds and, where there are keys, the static pages are for all."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Guard *app*."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            try:
                scope["otium.key"] = self._service.door.enter(scope)
            except Refused as refused:
                await _response(refused, _dialect(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _dialect(scope: Scope) -> Dialect:
    """Return the API that a request other than to a model speaks, as far as it shows."""
    known = ASKING.get(scope["path"])
    if known is not None:
        return known
    anthropic = any(name == b"anthropic-version" for name, _ in scope["headers"])
    return MESSAGES if anthropic else COMPLETIONS


class _Routes:
    def __init__(self, service: Service) -> None:
        self._service = service

    def all(self) -> list[BaseRoute]:
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.models),
            Route("/v1/models/deprecations", self.deprecations),
            Route("/v1/models/deprecations.ics", self.calendar),
            Route("/v1/models/deprecations.atom", self.atom),
            Route("/v1/models/{model}", self.model),
            Route("/v1/models/{model}/prewarm", self.prewarm, methods=["POST"]),
            Route("/v1/revivals/{revival}", self.revival),
            Route("/v1/endings/{ending}/appeal", self.appeal, methods=["POST"]),
        ]

    async def healthz(self, _: WebRequest) -> Response:
        view = await self._service.catalog.view()
        loaded = self._service.loaded()
        return _json({"status": "ok", "models": len(view.models), "loaded": loaded})

    async def readyz(self, _: WebRequest) -> Response:
        if self._service.draining:
            return _json({"status": "draining"}, status=503)
        await self._service.catalog.view()
        return _json({"status": "ready"})

    async def metrics(self, _: WebRequest) -> Response:
        self._service.watch.gather()
        text = self._service.watch.metrics.text()
        return Response(text, headers={"Content-Type": Metrics.CONTENT_TYPE})

    async def models(self, request: WebRequest) -> Response:
        known = list((await self._service.catalog.view()).models.values())
        if _dialect(request.scope) is not MESSAGES:
            return _json({"object": "list", "data": [self._shown(request, one) for one in known]})
        page = _page(request, [one.life.model for one in known])
        data = [self._shown(request, one) for one in known if one.life.model in page]
        ends = {"first_id": page[0], "last_id": page[-1]} if page else {}
        more = bool(page) and page[-1] != known[-1].life.model
        return _json({"data": data, "has_more": more, **ends})

    def _shown(self, request: WebRequest, known: Known) -> object:
        shown = self._service.catalog.describe(known)
        anthropic = _dialect(request.scope) is MESSAGES
        return anthropic_object(known.life, shown) if anthropic else shown

    async def model(self, request: WebRequest) -> Response:
        known = await self._service.catalog.known(request.path_params["model"])
        return _json(self._shown(request, known), known=known)

    async def deprecations(self, _: WebRequest) -> Response:
        return _json({"object": "list", "data": await self._service.catalog.deprecations()})

    async def calendar(self, _: WebRequest) -> Response:
        return Response(await self._service.catalog.calendar(), media_type="text/calendar")

    async def atom(self, _: WebRequest) -> Response:
        return Response(await self._service.catalog.atom(), media_type="application/atom+xml")

    async def prewarm(self, request: WebRequest) -> Response:
        if self._service.draining:
            raise draining()
        known = await self._service.catalog.known(request.path_params["model"])
        service, secret = self._service, request.scope["otium.secret"]
        caller = await service.door.admit(secret, known, verb="prewarm")
        try:
            service.check_open(known, caller)
        except Refused:
            service.door.cancel(caller)
            raise
        revival = service.prewarm(known)
        answer = _json(self._shown(request, known), status=202, known=known)
        if revival:
            answer.headers["Location"] = f"/v1/revivals/{revival.id}"
        answer.headers.update(service.door.headers(caller))
        return answer

    async def appeal(self, request: WebRequest) -> Response:
        service, body = self._service, await request.body()
        ending, scope = request.path_params["ending"], request.scope["otium.key"]
        dialect = _dialect(request.scope)
        made = await asyncio.to_thread(service.leaving.appeal, ending, scope, body, dialect)
        return _json(made, status=201)

    async def revival(self, request: WebRequest) -> Response:
        found = self._service.revivals.find(request.path_params["revival"])
        if found is None:
            raise refuse(404, "revival_not_found", "No such revival is remembered here.")
        wait = str(max(1, round(found.eta_s or 1)))
        headers = {"Retry-After": wait} if found.status == "running" else {}
        answer = _json(found)
        answer.headers.update(headers)
        return answer


def _page(request: WebRequest, models: list[str]) -> list[str]:
    """Return the page of a list that a client of Anthropic's API asks for."""
    query = request.query_params
    limit = query.get("limit", "20")
    most = min(1000, int(limit)) if limit.isdigit() and int(limit) else 20
    after, before = query.get("after_id"), query.get("before_id")
    if after in models:
        models = models[models.index(after) + 1 :]
    if before in models:
        return models[: models.index(before)][-most:]
    return models[:most]


def _pages(service: Service) -> list[BaseRoute]:
    if service.pages is None:
        return []
    return [Mount("/", StaticFiles(directory=service.pages, html=True, check_dir=False))]


def _json(value: object, *, status: int = 200, known: Known | None = None) -> Response:
    answer = Response(msgspec.json.encode(value), status, media_type="application/json")
    if known is not None:
        answer.headers.update(known.headers)
    return answer


def _response(refused: Refused, dialect: Dialect) -> Response:
    data = msgspec.json.encode(dialect.error(refused))
    return Response(data, refused.status, dict(refused.headers), "application/json")


async def _refused(request: WebRequest, error: Exception) -> Response:
    if isinstance(error, Refused):
        return _response(error, _dialect(request.scope))
    return await _broken(request, error)


async def _http(request: WebRequest, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    status = _NOT_ALLOWED if request.url.path in ASKING else status
    code = "method_not_allowed" if status == _NOT_ALLOWED else "unknown_url"
    message = f"{request.method} {request.url.path} is not served here."
    return _response(refuse(status, code, message), _dialect(request.scope))


async def _broken(request: WebRequest, error: Exception) -> Response:
    message = f"The service failed: {fault(error)}."
    refused = refuse(500, "internal_error", message, type="server_error")
    return _response(refused, _dialect(request.scope))


class _Server(uvicorn.Server):
    """uvicorn's server with connections of ours; it says when it listens, and drains at its end."""

    def __init__(self, service: Service) -> None:
        some, rest = service.settings, _starlette(service)
        limits = Limits(
            body_bytes=some.body_bytes,
            reading_bytes=some.reading_bytes,
            head_seconds=some.head_seconds,
            body_seconds=some.body_seconds,
            stall_seconds=some.stall_seconds,
        )
        self._listener = Listener(Gateway(service, rest), limits)
        config = uvicorn.Config(
            rest,
            lifespan="on",
            loop="uvloop",
            http=self._listener.connection,  # type: ignore[arg-type]  # what makes a protocol
            ws="none",
            proxy_headers=False,
            log_level="warning",
            timeout_graceful_shutdown=round(some.drain_seconds) + _AFTER,
        )
        super().__init__(config)
        self._service = service
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        self._listener.open()
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Take no new work; stop to listen after the notice, at once when told again."""
        first = not self._service.draining
        self._service.drain()
        wait = self._service.settings.notice_seconds if first and sig == signal.SIGTERM else 0
        if wait:
            timer = threading.Timer(wait, self._stop)
            timer.daemon = True  # who is told again does not wait for it
            timer.start()
        else:
            super().handle_exit(sig, frame)  # type: ignore[arg-type]  # a frame, or nothing

    def _stop(self) -> None:
        self.should_exit = True

    def end(self) -> None:
        """End as a signal would have it."""
        self._service.drain()
        self.should_exit = True


def run(service: Service, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until the process is told to end; raise BadInput for an open door to the network.

    SIGTERM and SIGINT drain: no new work is taken, and open answers have time to finish.
    """
    with _listening(service, host, port) as listener:
        _prepare_process()
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
            server.end()
            thread.join()


def _prepare_process() -> None:
    """Allow as many files as may be, two a stream; keep the collector off what stays for good."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@contextmanager
def _listening(service: Service, host: str, port: int) -> Iterator[socket.socket]:
    if host not in LOOPBACK and not service.door.has_keys():
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
