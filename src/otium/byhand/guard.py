"""Who may use the local page: a browser on this machine that was given the printed address.

A page of somebody else in the same browser can send requests here. So the Host must be ours
(a name that was rebound to this machine is not), every address needs a cookie that is not sent
along from other sites, and every form a token that other sites cannot read.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src data:; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # A form's Origin is sent only where the referrer is, so not "no-referrer".
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", _POLICY),
)


class Keys(NamedTuple):
    """The secrets of one run, and the port it listens on."""

    port: int
    address: str
    """In the address that is printed; the cookie is given for it."""
    cookie: str
    form: str

    @classmethod
    def fresh(cls, port: int) -> Keys:
        """Return new secrets for the page on *port*."""
        return cls(port, *(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def url(self) -> str:
        """Return the address that opens the page."""
        return f"http://127.0.0.1:{self.port}/?key={self.address}"

    @property
    def hosts(self) -> tuple[str, str]:
        """Return what the Host of a request may be."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    @property
    def cookie_name(self) -> str:
        """Return the cookie's name; cookies of a host are shared by all its ports."""
        return f"otium-desk-{self.port}"


class Guard:
    """Pass on what the owner of the keys asks; refuse everything else without a hint."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        """Guard *app* with *keys*."""
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        from starlette.responses import PlainTextResponse, RedirectResponse, Response

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        answer: Response
        if headers.get(b"host") not in self._keys.hosts:
            answer = PlainTextResponse("This page is for this machine only.\n", 421)
        elif self._foreign(scope, headers):
            answer = PlainTextResponse("Another site sent this. Nothing was done.\n", 403)
        elif self._given(scope):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(
                self._keys.cookie_name, self._keys.cookie, httponly=True, samesite="strict"
            )
        elif not self._known(headers):
            text = "Open the address that otium printed in the terminal, with its key.\n"
            answer = PlainTextResponse(text, 403)
        else:
            await self._app(scope, receive, sent)
            return
        await answer(scope, receive, sent)

    def _foreign(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        """Return whether a page of another site sent a form here."""
        if scope["method"] in {"GET", "HEAD"}:
            return False
        origin = headers.get(b"origin", f"http://{headers[b'host']}")
        site = headers.get(b"sec-fetch-site", "same-origin")
        return origin != f"http://{headers[b'host']}" or site != "same-origin"

    def _given(self, scope: Scope) -> bool:
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        key = "".join(asked.get("key", ()))
        return scope["method"] == "GET" and scope["path"] == "/" and _equal(key, self._keys.address)

    def _known(self, headers: dict[bytes, str]) -> bool:
        try:
            cookies = SimpleCookie(headers.get(b"cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self._keys.cookie_name)
        return found is not None and _equal(found.value, self._keys.cookie)


def same_form(keys: Keys, token: str) -> bool:
    """Return whether a form is one of ours."""
    return _equal(token, keys.form)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
