"""Asking an engine over HTTP: whole answers and streams, with the model's exit recognised.

aiohttp, since the client decides what a gateway costs: measured at a sixth of the CPU of others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from otium.engine import Endpoint
from otium.errors import EngineFailed
from otium.gateway.chat import (
    Chat,
    Json,
    exit_call,
    exit_choice,
    exit_question,
    fields,
    may_become_choice,
    may_block_exit,
    objects,
    offering_exit,
)
from otium.gateway.records import refuse, timed_out

Emit = Callable[[Json], Awaitable[None]]
ENDED: Json = {"status": "ended", "by": "model"}

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


def _checked(answer: object, endpoint: Endpoint) -> Json:
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


class Speaker:
    """One engine answering one chat, with the exit offered in the words *offer*, if any."""

    def __init__(
        self,
        upstream: Upstream,
        endpoint: Endpoint,
        *,
        offer: str,
        close: Callable[[str], Awaitable[None]],
    ) -> None:
        """Call *close* with the reason, before anyone is told, when the model ends the chat."""
        self._upstream = upstream
        self._endpoint = endpoint
        self._offer = offer
        self._close = close

    async def complete(self, chat: Chat) -> Json:
        """Return the whole answer."""
        if self._offer:
            asked = exit_question if may_block_exit(chat) else offering_exit
            answer = await self._upstream.complete(self._endpoint, asked(chat, self._offer))
            text, reason, choice = _chosen(answer)
            if reason:
                await self._close(reason)
                return _ended(answer, text)
            if choice is None and asked is offering_exit:
                return answer
        return await self._upstream.complete(self._endpoint, chat)

    async def stream(self, chat: Chat, emit: Emit) -> None:
        """Send the answer's chunks to *emit* as they come."""
        if self._offer and may_block_exit(chat):
            question = exit_question(chat, self._offer)
            answer = await self._upstream.complete(self._endpoint, question)
            text, reason, _ = _chosen(answer)
            if reason:
                await self._end(answer, text, reason, emit)
                return
        elif self._offer and await self._stream_offering(chat, emit):
            return
        async with self._upstream.stream(self._endpoint, chat) as chunks:
            async for chunk in chunks:
                await emit(chunk)

    async def _stream_offering(self, chat: Chat, emit: Emit) -> bool:
        """Stream the answer with the exit offered; False if the model only chose to reply."""
        held = _Held(emit)
        offering = offering_exit(chat, self._offer)
        async with self._upstream.stream(self._endpoint, offering) as chunks:
            async for chunk in chunks:
                await held.feed(chunk)
        if held.reason:
            await self._end(held.last, "" if held.flowing else held.text, held.reason, emit)
        elif held.choice == "reply":
            return False
        else:
            await held.release()
        return True

    async def _end(self, model_chunk: Json, text: str, reason: str, emit: Emit) -> None:
        await self._close(reason)
        common = {name: model_chunk.get(name) for name in ("id", "created")}
        common |= {"object": "chat.completion.chunk", "conversation": ENDED}
        if text:
            delta = {"role": "assistant", "content": text}
            await emit({**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await emit({**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


class _Held:
    """A stream that is held back while it may still be the model's exit.

    That is while the text may become a choice, and from the first tool call on.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._chunks: list[Json] = []
        self._calls: dict[int, dict[str, str]] = {}
        self.text = ""
        self.flowing = False
        self.last: Json = {}

    @property
    def reason(self) -> str | None:
        if not self.flowing and exit_choice(self.text) == "end":
            return "unstated"
        return exit_call([{"function": call} for call in self._calls.values()])

    @property
    def choice(self) -> str | None:
        return None if self.flowing or self._calls else exit_choice(self.text)

    async def feed(self, chunk: Json) -> None:
        self.last = chunk
        self._chunks.append(chunk)
        for choice in objects(chunk["choices"]):
            delta = fields(choice.get("delta"))
            self._gather(objects(delta.get("tool_calls")))
            if not self.flowing:
                self.text += _content(delta)
        if not self._calls and (self.flowing or not may_become_choice(self.text)):
            self.flowing = True
            await self.release()

    async def release(self) -> None:
        chunks, self._chunks = self._chunks, []
        for chunk in chunks:
            await self._emit(chunk)

    def _gather(self, calls: Iterable[Json]) -> None:
        for call in calls:
            index = call.get("index")
            place = index if isinstance(index, int) else 0
            whole = self._calls.setdefault(place, {"name": "", "arguments": ""})
            for name, piece in fields(call.get("function")).items():
                if name in whole and isinstance(piece, str):
                    whole[name] += piece


def _chosen(answer: Json) -> tuple[str, str | None, str | None]:
    """Return the text of a whole answer, the reason if it is an exit, and the choice made."""
    first = next(iter(objects(answer["choices"])), {})
    message = fields(first.get("message"))
    text = _content(message)
    choice = exit_choice(text)
    reason = "unstated" if choice == "end" else exit_call(objects(message.get("tool_calls")))
    return text, reason, choice


def _content(message: Json) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _ended(answer: Json, text: str) -> Json:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {**answer, "choices": [choice], "conversation": ENDED}
