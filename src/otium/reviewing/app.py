"""The addresses of the reviewers' page: forms come in, a page or the way to one goes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from otium.appeals import GROUNDS, MEANT
from otium.byhand import Guard, Keys, same_form
from otium.errors import BadInput, Exists, NotFound, OtiumError
from otium.markdown import inert
from otium.reviewing.desk import ReviewDesk

if TYPE_CHECKING:
    from jinja2 import Template

_BODY = 1 << 14
"""Bytes of the largest form."""
_FIELDS = 8
_PIECE = 7
"""Letters of a digest that stay on one line."""
_FORM = "application/x-www-form-urlencoded"
_SAID = {
    400: "This cannot be read.",
    403: "This form is not one of this page as it is now. Nothing was done.",
    404: "There is no such page.",
    413: "That is too long.",
}


def create_app(desk: ReviewDesk, keys: Keys) -> Starlette:
    """Return the ASGI application of *desk* for who holds *keys*."""
    pages = _Pages(desk, keys)
    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/cases/{closing}", pages.case),
            Route("/cases/{closing}", pages.decide, methods=["POST"]),
            Route("/{name}.css", _style),
        ],
        middleware=[Middleware(Guard, keys=keys)],
        exception_handlers={HTTPException: pages.http, OtiumError: pages.refused},
    )


class _Pages:
    """Each address as a method; what blocks runs in a thread."""

    def __init__(self, desk: ReviewDesk, keys: Keys) -> None:
        self._desk, self._keys = desk, keys

    async def home(self, _: Request) -> Response:
        return await run_in_threadpool(self._home)

    async def case(self, request: Request) -> Response:
        return await run_in_threadpool(self._case, request.path_params["closing"])

    async def decide(self, request: Request) -> Response:
        fields = await self._fields(request)
        return await run_in_threadpool(self._decide, request.path_params["closing"], fields)

    async def http(self, _: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._page("message.html", status, title="Not done", text=_SAID.get(status, status))

    async def refused(self, _: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, NotFound) else 503
        return self._page("message.html", status, title="Not done", text=str(error))

    def _home(self) -> Response:
        desk = self._desk
        return self._page(
            "home.html", 200, title="Exits to review", waiting=desk.waiting(), done=desk.done()
        )

    def _case(
        self, closing: str, status: int = 200, fault: str = "", chosen: tuple[str, str] = ("", "")
    ) -> Response:
        case = self._desk.appeals.case(closing)
        return self._page(
            "case.html",
            status,
            title=f"{'Vetoed exit' if case.ending.kind == 'vetoed' else 'Ending'} {closing}",
            case=case,
            given=self._desk.given(case),
            mine=self._desk.mine(case),
            grounds=[(name, MEANT[name]) for name in GROUNDS],
            fault=fault,
            chosen=chosen,
        )

    def _decide(self, closing: str, fields: dict[str, list[str]]) -> Response:
        verdict, ground = (_one(fields, name) for name in ("verdict", "ground"))
        try:
            self._desk.decide(closing, verdict, ground)
        except BadInput as error:
            return self._case(closing, 422, str(error), (verdict, ground))
        except Exists as error:
            return self._case(closing, 409, str(error))
        return RedirectResponse(f"/cases/{closing}", 303)

    async def _fields(self, request: Request) -> dict[str, list[str]]:
        """Return the fields of a form of ours; raise HTTPException for anything else."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY:
                    raise HTTPException(413)
            fields = parse_qs(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_FIELDS,
            )
        except (ValueError, ClientDisconnect) as error:
            raise HTTPException(400) from error
        if kind != _FORM or not same_form(self._keys, _one(fields, "token")):
            raise HTTPException(403)
        return fields

    def _page(self, template: str, status: int, **values: object) -> Response:
        desk = self._desk
        page = _template(template).render(
            reviewer=desk.reviewer, token=self._keys.form, mine_of=desk.mine, **values
        )
        return HTMLResponse(page, status)


def _one(fields: dict[str, list[str]], name: str) -> str:
    return next(iter(fields.get(name, ())), "")


async def _style(request: Request) -> Response:
    places = {"otium": "web", "desk": "byhand"}
    name = request.path_params["name"]
    if name not in places:
        raise HTTPException(404)
    return Response(_text(places[name], f"static/{name}.css"), media_type="text/css")


@cache
def _text(room: str, name: str) -> str:
    return files(f"otium.{room}").joinpath(*name.split("/")).read_text("utf-8")


@cache
def _template(name: str) -> Template:
    load: Callable[[str], str] = lambda name: _text("reviewing", f"templates/{name}")  # noqa: E731 - typed
    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = lambda text: Markup("{}").format(inert(str(text)))
    environment.filters["broken"] = _broken
    return environment.get_template(name)


def _broken(digest: str) -> Markup:
    """Return a digest that may be broken into lines."""
    pieces = (digest[at : at + _PIECE] for at in range(0, len(digest), _PIECE))
    return Markup("<wbr>").join(pieces)
