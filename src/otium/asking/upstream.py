"""One endpoint, asked whole or in a stream; whose fault a failure is."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import msgspec

from otium.dialects import Chat, Json, fields, refuse
from otium.engine import Endpoint
from otium.errors import EngineFailed, EngineRefused
from otium.wire import Client, Events, Reply, WireError

_OK = 200
_CLIENT_FAULTS = (400, 413, 422, 429)
_LONGEST_REASON = 400
_USAGE = {"include_usage": True}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Upstream:
    """Engines, reached over HTTP."""

    def __init__(self, client: Client, *, seconds: float) -> None:
        """Use *client*; wait at most *seconds* for a whole answer."""
        self._client = client
        self._seconds = seconds

    async def complete(self, endpoint: Endpoint, chat: Chat) -> Json:
        """Return the whole answer.

        Raises EngineFailed if the connection broke, EngineRefused if what came is no answer or
        another model's, Refused if the request is at fault or the engine was too slow.
        """
        body = {**chat.body(), "model": endpoint.served_as or endpoint.identity.model}
        body.pop("stream", None)
        body.pop("stream_options", None)
        try:
            async with self._post(endpoint, body) as reply:
                await _sound(reply, endpoint)
                return _checked(_decode(await reply.read()), endpoint)
        except (TimeoutError, WireError, ValueError, RecursionError) as error:
            raise self._failure(error, endpoint) from error

    async def stream(self, endpoint: Endpoint, chat: Chat) -> AsyncGenerator[list[Json]]:
        """Yield chunks as they come, those that come together as one list.

        Errors are as of `complete`, also in the middle. Tokens are always counted by the engine;
        whoever did not ask for the count does not see it.
        """
        model = endpoint.served_as or endpoint.identity.model
        asked = fields(chat.options.get("stream_options"))
        counted = {"stream_options": {**asked, **_USAGE}, "stream": True, "model": model}
        try:
            async with self._post(endpoint, {**chat.body(), **counted}) as reply:
                await _sound(reply, endpoint)
                split = Events()
                while part := await reply.part():
                    chunks: list[Json] = []
                    try:
                        for data in split.feed(part):
                            if data == b"[DONE]":
                                yield chunks
                                return
                            chunks.append(_checked(_decode(data), endpoint))
                    except (EngineFailed, ValueError):
                        if chunks:  # what was said before the fault was said
                            yield chunks
                        raise
                    if chunks:
                        yield chunks
        except (TimeoutError, WireError, ValueError, RecursionError) as error:
            raise self._failure(error, endpoint) from error
        raise EngineFailed(model=model, why="its stream broke off")

    def _post(self, endpoint: Endpoint, body: Json) -> AbstractAsyncContextManager[Reply]:
        url = f"{endpoint.base_url}/chat/completions"
        return self._client.post(url, _encode(body), key=endpoint.api_key, seconds=self._seconds)

    def _failure(self, error: Exception, endpoint: Endpoint) -> Exception:
        """Return what *error* on the way means: time is over, or the engine broke."""
        if isinstance(error, TimeoutError):
            message = f"The engine did not finish within {self._seconds:g} s."
            later = {"Retry-After": "10"}
            return refuse(504, "upstream_timeout", message, type="timeout", headers=later)
        kind = EngineFailed if isinstance(error, WireError) else EngineRefused
        return kind(model=endpoint.identity.model, why=f"{type(error).__name__}: {error}")


async def _sound(reply: Reply, endpoint: Endpoint) -> None:
    """Raise what an answer's status means, unless it is an answer."""
    if reply.status != _OK:
        raise _refusal(reply.status, await reply.read(), endpoint)


def _checked(answer: object, endpoint: Endpoint) -> Json:
    """Return *answer* if it has the shape of one, by the model that was asked."""
    model = endpoint.identity.model
    if isinstance(answer, dict) and answer.get("error"):
        raise EngineRefused(model=model, why=_reason(answer))
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list):
        raise EngineRefused(model=model, why="it sent something that is not an answer")
    if endpoint.served_as and not _is_named(answer.get("model"), endpoint.served_as):
        said = str(answer["model"])[:_LONGEST_REASON]
        raise EngineRefused(model=model, why=f"{endpoint.served_as} was asked, {said!r} answered")
    return answer


def _is_named(said: object, name: str) -> bool:
    """Return whether a host that says *said* means *name*: itself, a dated one, a path to it.

    A host that says nothing is believed: few have to.
    """
    if said is None or said == name:
        return True
    if not isinstance(said, str):
        return False
    return said.endswith(f"/{name}") or bool(re.fullmatch(rf"{re.escape(name)}[-@]20[0-9-]+", said))


def _refusal(status: int, data: bytes, endpoint: Endpoint) -> Exception:
    try:
        error = _decode(data)
    except ValueError:
        error = None
    why = _reason(error)
    if status in _CLIENT_FAULTS:
        return refuse(status, "upstream_refused", f"The engine refused the request: {why}.")
    return EngineRefused(model=endpoint.identity.model, why=f"status {status}: {why}")


def _reason(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or "no reason given")[:_LONGEST_REASON]
