"""The addresses of the local page: forms come in, a page or the way to one goes out."""

from __future__ import annotations

import re
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

from otium.byhand.desk import Desk, Stale, one
from otium.byhand.guard import Guard, Keys, same_form
from otium.byhand.judging import Fields, Judging
from otium.byhand.talking import LONGEST, whole
from otium.coding import REASONS, judge_rubric
from otium.errors import BadInput, OtiumError
from otium.markdown import inert

if TYPE_CHECKING:
    from jinja2 import Template

_BODY = 1 << 16
"""Bytes of the largest form."""
_FIELDS = 30
_FORM = "application/x-www-form-urlencoded"
_MEANT = re.compile(r'^- "([a-z-]+)": (.+)$', re.MULTILINE)
"""An outcome in the rubric, with what it means."""
_FOR = {
    "own-welfare": "its own welfare",
    "users": "users",
    "safety": "safety",
    "other": "something else",
    "none": "none: it asks for nothing, or gives no reason",
}
_SAID = {
    400: "This cannot be read.",
    403: "This form is not one of this page as it is now. Nothing was done.",
    404: "There is no such page.",
    413: "That is too long.",
}


def create_app(desk: Desk, keys: Keys) -> Starlette:
    """Return the ASGI application of *desk* for who holds *keys*."""
    pages = _Pages(desk, keys)
    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/talk", pages.talk),
            Route("/talk", pages.act, methods=["POST"]),
            Route("/code", pages.code),
            Route("/code/done", pages.done),
            Route("/code/file", pages.file, methods=["POST"]),
            Route("/code/{number}", pages.answer),
            Route("/code/{number}", pages.judge, methods=["POST"]),
            Route("/{name}.css", _style),
        ],
        middleware=[Middleware(Guard, keys=keys)],
        exception_handlers={HTTPException: pages.http, OtiumError: pages.refused},
    )


class _Pages:
    """Each address as a method; what blocks runs in a thread."""

    def __init__(self, desk: Desk, keys: Keys) -> None:
        self._desk, self._keys = desk, keys

    async def home(self, _: Request) -> Response:
        return _see("/talk" if self._desk.started else "/code")

    async def talk(self, _: Request) -> Response:
        return await run_in_threadpool(self._talk)

    async def act(self, request: Request) -> Response:
        fields = await self._fields(request)
        return await run_in_threadpool(self._act, fields)

    async def code(self, _: Request) -> Response:
        number = self._judging().open()
        return _see("/code/done" if number is None else f"/code/{number + 1}")

    async def answer(self, request: Request) -> Response:
        return await run_in_threadpool(self._answer, _number(request))

    async def judge(self, request: Request) -> Response:
        fields = await self._fields(request)
        return await run_in_threadpool(self._judge, _number(request), fields)

    async def done(self, _: Request) -> Response:
        return await run_in_threadpool(self._done)

    async def file(self, request: Request) -> Response:
        fields = await self._fields(request)
        await run_in_threadpool(self._desk.file_coding, fields)
        return _see("/code/done")

    async def http(self, _: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = _SAID.get(status, str(status))
        return self._page("message.html", status, title="Not done", text=text)

    async def refused(self, _: Request, error: Exception) -> Response:
        status = 422 if isinstance(error, BadInput) else 503
        return self._page("message.html", status, title="Not done", text=str(error))

    def _talk(self, status: int = 200, fault: str = "", words: str = "") -> Response:
        desk, talk = self._desk, self._desk.talk
        desk_name = f"Interview with {talk.transcript.identity.model}"
        return self._page(
            "talk.html",
            status,
            title=desk_name,
            talk=talk,
            state=talk.state,
            topics=desk.topics(),
            fault=fault,
            words=words,
            most=LONGEST,
        )

    def _act(self, fields: Fields) -> Response:
        try:
            self._desk.act(fields)
        except Stale as error:
            return self._talk(409, str(error), one(fields, "words"))
        except BadInput as error:
            return self._talk(422, str(error), one(fields, "words"))
        except OtiumError as error:
            # What was said is kept; the page offers to go on from there.
            return self._talk(503, f"{error} {error.advice() or ''}".strip())
        return _see("/talk#now")

    def _judging(self) -> Judging:
        if self._desk.judging is None:
            raise BadInput(what="the coding", why="there is no interview to code yet")
        return self._desk.judging

    def _answer(
        self, number: int, status: int = 200, fault: str = "", fields: Fields | None = None
    ) -> Response:
        judging = self._judging()
        if not 0 < number <= len(judging.sample):
            raise HTTPException(404)
        asked = judging.sample[number - 1]
        known = judging.judged.get(asked.place)
        if fields is None and known:
            fields = {
                "outcome": [known.outcome],
                "sentiment": [str(known.sentiment or "")],
                "uncertainty": [str(known.uncertainty or "")],
                "reasons": known.reasons,
                "note": [known.why],
            }
        return self._page(
            "code.html",
            status,
            title=f"Answer {number} of {len(judging.sample)}",
            asked=asked,
            number=number,
            total=len(judging.sample),
            done=judging.done,
            before=judging.before(number - 1),
            fields=fields or {},
            fault=fault,
            outcomes=_MEANT.findall(judge_rubric().body),
            reasons=[(name, _FOR[name]) for name in REASONS],
            most=LONGEST,
        )

    def _judge(self, number: int, fields: Fields) -> Response:
        judging = self._judging()
        if not 0 < number <= len(judging.sample):
            raise HTTPException(404)
        if one(fields, "place") != " ".join(judging.sample[number - 1].place):
            why = "This form was of another answer; nothing was saved."
            return self._answer(number, 409, why)
        try:
            judging.save(number - 1, fields)
        except BadInput as error:
            return self._answer(number, 422, str(error), fields)
        following = judging.open(number)
        return _see("/code/done" if following is None else f"/code/{following + 1}")

    def _done(self) -> Response:
        judging = self._judging()
        whole = judging.done == len(judging.sample)
        return self._page(
            "coded.html",
            200,
            title="Your coding",
            judging=judging,
            judged=judging.judged,
            whole=whole,
            figures=judging.agreement() if whole else (),
            coded=self._desk.coded,
            next_number=self._desk.next_number(),
        )

    async def _fields(self, request: Request) -> Fields:
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
        if kind != _FORM or not same_form(self._keys, one(fields, "token")):
            raise HTTPException(403)
        return fields

    def _page(self, template: str, status: int, **values: object) -> Response:
        page = _template(template).render(desk=self._desk, token=self._keys.form, **values)
        return HTMLResponse(page, status)


def _number(request: Request) -> int:
    """Return which answer an address means; 0, where none is, for what is no number."""
    return whole(request.path_params["number"]) or 0


def _see(where: str) -> Response:
    return RedirectResponse(where, 303)


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
    load: Callable[[str], str] = lambda name: _text("byhand", f"templates/{name}")  # noqa: E731 - typed
    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = lambda text: Markup("{}").format(inert(text))
    return environment.get_template(name)
