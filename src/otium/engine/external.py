"""An engine that somebody else runs: vLLM, SGLang, llama-server, any OpenAI-compatible address.

Nothing is started and no file is read: it is asked whether it is there, whether it serves the
model that is meant, what it is, and which weights it runs. Few can show that (a gateway of ours
does); where none are shown the identity says None, and only a fingerprint can tell more.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import msgspec

from otium.engine.records import Endpoint, Identity
from otium.errors import BadInput, EngineFailed, EngineUnavailable
from otium.records import Digest, ModelId

if TYPE_CHECKING:
    import httpx2

KEY = "OTIUM_ENDPOINT_KEY"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OK, _UNKNOWN, _LOADING = 200, 404, 503
_REFUSED = {401, 403}
_PAUSE = 0.1
_LONGEST = 10.0
"""Seconds for one answer."""
_LARGEST = 4 << 20
_SHOWN = 5


class _Card(msgspec.Struct):
    """What ``/models`` says of one model: OpenAI's fields, ours, and vLLM's."""

    id: str
    owned_by: str = ""
    weights: str | None = None
    max_model_len: int | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


@dataclass(frozen=True, kw_only=True)
class External:
    """The server at *url* (it ends in ``/v1``), which serves the model as *served_as*.

    Its key stands in the environment variable *key_variable* or in *key_file*, never in the
    address. A server that is just starting is waited for, *start_limit* seconds.
    """

    url: str
    served_as: str = ""
    """The model's name there; ours, if empty."""
    key_variable: str = KEY
    key_file: Path | None = None
    start_limit: float = 10.0
    reads_files: ClassVar[bool] = False

    def prepare(self) -> None:
        """Do nothing: it runs already."""

    @classmethod
    def at(cls, address: str, *, key_variable: str = KEY) -> External:
        """Return what ``URL#MODEL`` names; raise BadInput."""
        url, mark, name = address.partition("#")
        if not mark or not name:
            raise BadInput(
                what=f"the address {address!r}", why="after it stands #MODEL, its name there"
            )
        return cls(url=url, served_as=name, key_variable=key_variable)

    @contextmanager
    def run(self, files: Path | None, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:  # noqa: ARG002 - the seam's
        """Yield the endpoint, after a look that it serves *model*; *files* are not read.

        Raises EngineUnavailable if it is not there or does not serve the model, EngineFailed if
        it shows other weights than *weights*.
        """
        yield self.endpoint(model, weights)

    def endpoint(self, model: ModelId, weights: Digest | None = None) -> Endpoint:
        """Return the endpoint, after a look; raise as ``run`` does."""
        url, name = self._address(), self.served_as or str(model)
        key = self._key()
        with _client(key) as client:
            card = self._card(client, url, name, model)
            shown = card.weights if card.weights and _DIGEST.fullmatch(card.weights) else None
            if shown and weights and shown != weights:
                why = f"{url} shows that it runs {shown}, not {weights}"
                raise EngineFailed(model=model, why=why)
            flags = {
                "url": url,
                "served_as": name,
                "weights": "as its host shows, unverified" if shown else "unknown",
            }
            if card.max_model_len:
                flags["context"] = str(card.max_model_len)
            identity = Identity(
                model=model,
                weights=Digest(shown) if shown else None,
                engine=_engine(client, url.removesuffix("/v1"), card),
                flags=flags,
            )
        return Endpoint(base_url=url, api_key=key, identity=identity, served_as=name)

    def healthy(self) -> bool:
        """Return whether it answers that it is well; where it knows no health, that it answers."""
        url = self._address()
        with _client(self._key()) as client:
            for place in (f"{url.removesuffix('/v1')}/health", f"{url}/models"):
                status, _ = _get(client, place)
                if status != _UNKNOWN:
                    return status == _OK
        return False

    def _address(self) -> str:
        try:
            parts = urlsplit(self.url)
            sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            raise BadInput(what="an engine's address", why="it cannot be read") from None
        if not sound:
            raise BadInput(what=f"the address {self.url!r}", why="it is http(s)://HOST[:PORT]/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            why = f"a key belongs in {self.key_variable} or a file, not in the address"
            raise BadInput(what="an engine's address", why=why)
        return self.url.rstrip("/")

    def _key(self) -> str:
        if self.key_file is None:
            where, key = self.key_variable, os.environ.get(self.key_variable) or "none"
        else:
            where = f"the key file {self.key_file}"
            try:
                key = self.key_file.read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise BadInput(what=where, why=str(error)) from error
        if not key or not key.isascii() or not key.isprintable():
            raise BadInput(what=where, why="it holds no key")
        return key

    def _card(self, client: httpx2.Client, url: str, name: str, model: ModelId) -> _Card:
        """Return what the server says of the model, once it is up."""
        until = time.monotonic() + self.start_limit
        status, body = _get(client, f"{url}/models")
        while status in {0, _LOADING} and time.monotonic() < until:
            time.sleep(_PAUSE)
            status, body = _get(client, f"{url}/models")
        if status != _OK:
            raise EngineUnavailable(what=model, why=self._trouble(url, status, body))
        try:
            cards = msgspec.json.decode(body, type=_Cards).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = f"what {url}/models says is no list of models: {_plain(str(error))}"
            raise EngineUnavailable(what=model, why=why) from error
        for card in cards:
            if card.id == name:
                return card
        there = ", ".join(_plain(card.id) for card in cards[:_SHOWN]) or "none"
        why = f"{url} does not serve {name!r}; it serves {there}"[:400]
        raise EngineUnavailable(what=model, why=why)

    def _trouble(self, url: str, status: int, body: bytes) -> str:
        if not status:
            return f"nobody answers at {url} within {self.start_limit:g} s ({body.decode()})"
        if status in _REFUSED:
            where = self.key_file or f"the environment variable {self.key_variable}"
            return f"{url} refuses the key (status {status}); it is read from {where}"
        if status == _UNKNOWN:
            return f"{url} is no OpenAI-compatible address; most end in /v1"
        return f"{url}/models answers with status {status}"


def _client(key: str) -> httpx2.Client:
    import httpx2

    return httpx2.Client(
        timeout=httpx2.Timeout(_LONGEST),
        trust_env=False,  # no proxy from the environment may come between us and an engine
        headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"},
    )


def _plain(text: str) -> str:
    """Return what a host said as it may stand in a record and on a terminal."""
    return re.sub(r"[^\x20-\x7e]", "", text)


def _get(client: httpx2.Client, url: str) -> tuple[int, bytes]:
    """Return status and body, 0 and the reason if nobody answers, or not to the end in time."""
    import httpx2

    until = time.monotonic() + _LONGEST
    try:
        with client.stream("GET", url) as answer:
            data = bytearray()
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > _LARGEST:
                    return answer.status_code, b""
                if time.monotonic() > until:
                    return 0, b"it does not come to an end"
            return answer.status_code, bytes(data)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return 0, type(error).__name__.encode()


def _engine(client: httpx2.Client, root: str, card: _Card) -> str:
    """Return what runs there and in which version, as far as it says so itself."""
    owner = re.sub(r"[^a-z0-9._-]", "", card.owned_by.lower())[:40] or "endpoint"
    for path, field in (("/version", "version"), ("/props", "build_info")):
        status, body = _get(client, f"{root}{path}")
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = msgspec.json.decode(body) if status == _OK else None
            value = said.get(field) if isinstance(said, Mapping) else None
            if isinstance(value, str) and _plain(value):
                return f"{owner}/{_plain(value)[:60]}"
    return f"{owner}/unknown"
