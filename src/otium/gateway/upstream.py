"""Asking an engine over HTTP: whole answers and streams, with the model's exit recognised.

aiohttp, since the client decides what a gateway costs: measured at a sixth of the CPU of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from otium.engine import Endpoint
from otium.errors import EngineFailed, Refused
from otium.gateway.answers import refuse, timed_out
from otium.gateway.chat import (
    Chat,
    Json,
    exit_call,
    exit_choice,
    may_become_choice,
)

Emit = Callable[[Json], Awaitable[None]]

_OK = 200
_CLIENT_FAULTS = (400, 413, 422, 429)
_LONGEST_EVENT = 8 << 20
_LONGEST_REASON = 400
_ERRORS = (aiohttp.ClientError, ConnectionError, msgspec.DecodeError, UnicodeDecodeError)


class Upstream:
    """Engines, reached over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, *, seconds: float) -> None:
        """Use *session*; wait at most *seconds* for a whole answer."""
        self._session = session
        self._seconds = seconds

    async def complete(self, endpoint: Endpoint, chat: Chat) -> Json:
        """Return the whole answer.

        Raises EngineFailed if the engine broke, Refused if it refused the request or was too slow.
        """
        body = {**chat.body(), "model": endpoint.identity.model}
        body.pop("stream", None)
        body.pop("stream_options", None)
        async with self._post(endpoint, body) as response:
            answer = msgspec.json.decode(await response.read())
            return _checked(answer, endpoint)

    @asynccontextmanager
    async def stream(self, endpoint: Endpoint, chat: Chat) -> AsyncIterator[AsyncIterator[Json]]:
        """Open a stream of chunks; errors are as of `complete`, also in the middle."""
        body = {**chat.body(), "model": endpoint.identity.model, "stream": True}
        async with self._post(endpoint, body) as response:
            yield _chunks(response, endpoint)

    @asynccontextmanager
    async def _post(self, endpoint: Endpoint, body: Json) -> AsyncIterator[aiohttp.ClientResponse]:
        url = f"{endpoint.base_url}/chat/completions"
        headers = {
            "Authorization": f"Bearer {endpoint.api_key}",
            "Content-Type": "application/json",
        }
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.post(
                    url, data=msgspec.json.encode(body), headers=headers, allow_redirects=False
                ) as response,
            ):
                if response.status != _OK:
                    raise _refusal(response.status, await response.read(), endpoint)
                yield response
        except TimeoutError as error:
            message = f"The engine did not finish within {self._seconds:g} s."
            raise timed_out("upstream_timeout", message) from error
        except _ERRORS as error:
            raise EngineFailed(
                model=endpoint.identity.model, why=f"{type(error).__name__}: {error}"
            ) from error


async def _chunks(response: aiohttp.ClientResponse, endpoint: Endpoint) -> AsyncIterator[Json]:
    async for data in _events(response, endpoint):
        if data == b"[DONE]":
            return
        yield _checked(msgspec.json.decode(data), endpoint)
    raise EngineFailed(model=endpoint.identity.model, why="its stream broke off")


async def _events(response: aiohttp.ClientResponse, endpoint: Endpoint) -> AsyncIterator[bytes]:
    """Yield the data of each server-sent event."""
    rest = b""
    async for block in response.content.iter_any():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
        if len(rest) > _LONGEST_EVENT:
            raise EngineFailed(model=endpoint.identity.model, why="it sent an endless line")


def _checked(answer: Any, endpoint: Endpoint) -> Json:
    """Return *answer* if it has the shape of one."""
    model = endpoint.identity.model
    if isinstance(answer, dict) and "error" in answer:
        raise EngineFailed(model=model, why=_reason(answer))
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list):
        raise EngineFailed(model=model, why="it sent something that is not an answer")
    return answer


def _refusal(status: int, data: bytes, endpoint: Endpoint) -> Exception:
    try:
        error = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = None
    why = _reason(error)
    if status in _CLIENT_FAULTS:
        return refuse(status, "upstream_refused", f"The engine refused the request: {why}.")
    return EngineFailed(model=endpoint.identity.model, why=f"status {status}: {why}")


def _reason(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or "no reason given")[:_LONGEST_REASON]
