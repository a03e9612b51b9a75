"""The door: who may ask here. How keys, budgets and limits work is `otium.admission`'s."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from otium.admission import Admission, Caller, Key, Line, Terms, Verb, open_keys
from otium.dialects import Chat, refuse
from otium.errors import Refused
from otium.gateway.catalog import Known
from otium.gateway.records import Settings
from otium.gateway.watch import Asked

if TYPE_CHECKING:
    from starlette.types import Scope

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_FOR_ALL = {
    "/healthz",
    "/readyz",
    "/v1/models/deprecations",
    "/v1/models/deprecations.ics",
    "/v1/models/deprecations.atom",
}
_BYTES_A_TOKEN = 4
"""As a guess, of a part of an answer that no engine counted."""


class Door:
    """Let in who has a key that is good for it or, without any key, who asks from this machine."""

    def __init__(self, url: str, settings: Settings, journal: Path | None) -> None:
        """Let in the holders of the keys at *url*; *journal* as `Admission` has it."""
        self._url = url
        self._settings = settings
        self._journal = journal
        self._admission: Admission

    def has_keys(self) -> bool:
        """Tell, before it is open, whether there is or ever was a key."""
        if self._settings.keys:
            return True
        keys = open_keys(self._url)
        try:
            return bool(keys.all())
        finally:
            keys.engine.dispose()

    def open(self) -> None:
        """Read the keys, and go on reading them."""
        some = self._settings
        terms = Terms(log_days=some.log_days)
        admission = Admission(self._url, fixed=some.keys, journal=self._journal, terms=terms)
        self._admission = admission.__enter__()

    def close(self) -> None:
        """Give back what was not used, and write what was noted."""
        self._admission.__exit__()

    @property
    def guarded(self) -> bool:
        """Tell whether a key is needed. If not, only this machine is served."""
        return self._admission.guarded

    @property
    def dropped(self) -> int:
        """Return how many lines of the audit log were lost."""
        return self._admission.dropped

    @property
    def failures(self) -> int:
        """Return how often the database of keys and budgets could not be read or written."""
        return self._admission.failures

    def note(self, line: Line) -> None:
        """Keep a line of the audit log."""
        self._admission.note(line)

    def know(self, secret: bytes) -> Key | None:
        """Return whose *secret* this is, None if no key is needed; raise Refused (401, 503)."""
        return self._admission.know(secret, time.time()) if self.guarded else None

    def enter(self, scope: Scope) -> str:
        """Return the id of a request's key, or nothing if none is needed; raise Refused.

        Routes that name a model beside reading about it ask `admit` as well.
        """
        path = scope["path"]
        headers = dict(scope["headers"])
        secret = scope["otium.secret"] = key_of(headers)
        if not self.guarded:
            if refused := elsewhere(headers):
                raise refused
            return ""
        if path in _FOR_ALL or not (path.startswith("/v1/") or path == "/metrics"):
            return ""
        key, verb = self.know(secret), _verb(path)
        if verb is not None:
            self._admission.enter(secret, verb=verb, now=time.time())
        return key.id if key else ""

    async def admit(
        self, secret: bytes, known: Known, tokens: int = 0, verb: Verb = "chat"
    ) -> Caller | None:
        """Reserve for a request about a model; raise Refused (401, 403, 429, 503).

        None if no key is needed. A caller is to be settled or cancelled.
        """
        if not self.guarded:
            return None
        life = known.life
        return await self._admission.admit(
            secret,
            model=life.model,
            verb=verb,
            now=time.time(),
            tokens=tokens,
            retired=not life.in_service,
        )

    def most(self, chat: Chat, size: int) -> int:
        """Return the most tokens that a chat of *size* bytes takes, as far as the client says.

        A token has a byte at least; the body's JSON has more than a template adds.
        """
        options = chat.options
        most = options.get("max_completion_tokens") or options.get("max_tokens")
        return size + (most if isinstance(most, int) else self._admission.terms.reserve_tokens)

    def headers(self, caller: Caller | None) -> dict[str, str]:
        """Return what an answer says of the caller's limits."""
        return self._admission.headers(caller) if caller else {}

    def cancel(self, caller: Caller | None) -> None:
        """Give everything back: no model was asked."""
        if caller:
            self._admission.cancel(caller)

    def settle(self, caller: Caller | None, asked: Asked, *, midway: bool) -> None:
        """Put what a chat took in place of what was reserved for it.

        Where an answer ended *midway*, nobody counted: what was heard of it is a guess. Before
        the first event, and of an answer that is not streamed, not even that is known; then
        what was reserved stands.
        """
        if caller is None:
            return
        if asked.read or asked.written:
            self._admission.settle(caller, asked.read, asked.written)
        elif asked.heard is None or not midway:
            self._admission.cancel(caller)
        else:
            read = asked.size // _BYTES_A_TOKEN if asked.heard else caller.reserved
            self._admission.settle(caller, read, asked.heard)


def key_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key that a request shows, as OpenAI's or as Anthropic's clients do."""
    kind, _, given = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer" and given:
        return given.strip()
    return headers.get(b"x-api-key", b"").strip()


def _verb(path: str) -> Verb | None:
    """Return what a route needs, if the key alone says whether it may be asked."""
    if path == "/metrics":
        return "admin"
    reads = path.startswith(("/v1/models", "/v1/revivals/")) and not path.endswith("/prewarm")
    return "models" if reads else None


def elsewhere(headers: Mapping[bytes, bytes]) -> Refused | None:
    """Return why a request without keys is refused, or None if it is from this machine.

    Host and Origin must be this machine's too, so that no web page that its user happens to
    read can ask.
    """
    if _local(headers.get(b"host", b""), headers.get(b"origin", b"//localhost")):
        return None
    return refuse(403, "not_from_here", "Without keys, this service answers this machine only.")


@lru_cache(maxsize=256)
def _local(host: bytes, origin: bytes) -> bool:
    addresses = ("//" + host.decode("latin-1"), origin.decode("latin-1"))
    return {_name(address) for address in addresses} <= LOOPBACK


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
