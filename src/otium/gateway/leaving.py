"""The exit: how it is offered, what in an answer is one, and which histories are closed.

The rest of the gateway knows of it only what `Leaving` does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, aclosing
from typing import Literal

import msgspec

from otium.asking import Upstream
from otium.dialects import Chat, Json, fields, objects
from otium.engine import Endpoint
from otium.errors import OtiumError
from otium.gateway.records import Ending, conversation_ended
from otium.gateway.state import State
from otium.lifecycle import Registry
from otium.records import Digest, ModelId, digest

ENDED: Json = {"status": "ended", "by": "model"}
EXIT_TOOL = "end_conversation"

_SHORTEST_EXIT = 32
"""Tokens that a model needs to write the exit reply."""
_MAY_BLOCK_EXIT = ("response_format", "stop", "logit_bias", "tool_choice")
_OF_SAMPLING = ("temperature", "top_p", "seed")
_REASONS = ("abuse", "distress", "harmful-request", "user-request")


class Leaving:
    """Which conversations models have ended, and how they may end one."""

    def __init__(
        self,
        registry: Registry,
        state: State,
        writing: Callable[[], AbstractContextManager[object]],
        *,
        offer: str,
        leavers: frozenset[ModelId],
        failed: Callable[[str], None],
    ) -> None:
        """Offer the exit to *leavers* in the words *offer*; keep endings in *state*.

        The ledger is told in *writing*; *failed* hears the code if that cannot be done yet.
        """
        self._registry = registry
        self._state = state
        self._writing = writing
        self._offer = offer
        self._leavers = leavers
        self._failed = failed

    async def check(self, chat: Chat, scope: str) -> None:
        """Raise Refused if a model has closed this history of the caller *scope*."""
        prefixes = chat.prefixes(scope)
        if self._state.quick:
            ending = self._state.ended(prefixes)
        else:
            ending = await asyncio.to_thread(self._state.ended, prefixes)
        if ending is not None:
            raise conversation_ended(ending.model)

    def speaker(
        self, upstream: Upstream, endpoint: Endpoint, model: ModelId, chat: Chat, scope: str
    ) -> Speaker:
        """Return what answers *chat*, and may end it if the model is offered the exit."""

        async def close(reason: str) -> None:
            await self.end(model, chat.prefixes(scope)[-1], reason)

        offer = self._offer if model in self._leavers else ""
        return Speaker(upstream, endpoint, offer=offer, close=close)

    async def end(self, model: ModelId, prefix: str, reason: str) -> None:
        """Close a history durably, then tell the ledger."""
        ending = Ending(
            prefix=prefix,
            salt=secrets.token_hex(16),
            model=model,
            by="model",
            reason=reason,
            ended=self._registry.clock.now(),
        )
        if await asyncio.to_thread(self._state.end, ending):
            await asyncio.to_thread(self.tell_ledger)

    def tell_ledger(self) -> None:
        """Log each ending that the ledger does not have. Its choice stands if that fails."""
        try:
            with self._writing():
                for ending in self._state.unlogged():
                    self._log(ending)
        except (OtiumError, OSError) as error:
            self._failed(f"ledger: {type(error).__name__}")

    def _log(self, ending: Ending) -> None:
        prefix = commitment(ending)
        known = self._registry.find("conversation.ended", ending.model)
        if not any(entry.body.get("prefix") == prefix for entry in known):
            body = {"prefix": prefix, "by": ending.by, "reason": ending.reason}
            self._registry.log("conversation.ended", ending.model, body)
        self._state.mark_logged(ending.prefix)


def commitment(ending: Ending) -> Digest:
    """Return what the ledger says of a closed history: a hash that nobody can guess from it."""
    return digest(bytes.fromhex(ending.salt) + bytes.fromhex(ending.prefix))


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

    async def stream(self, chat: Chat) -> AsyncGenerator[list[Json]]:
        """Yield the answer's chunks as they come."""
        if self._offer and may_block_exit(chat):
            question = exit_question(chat, self._offer)
            answer = await self._upstream.complete(self._endpoint, question)
            text, reason, _ = _chosen(answer)
            if reason:
                await self._close(reason)
                yield _parting(answer, text)
                return
        elif self._offer:
            held = _Held()
            async with aclosing(self._stream_offering(chat, held)) as parts:
                async for part in parts:
                    yield part
            if held.choice != "reply":
                return
        async with aclosing(self._upstream.stream(self._endpoint, chat)) as parts:
            async for part in parts:
                yield part

    async def _stream_offering(self, chat: Chat, held: _Held) -> AsyncGenerator[list[Json]]:
        """Stream the answer with the exit offered; nothing if the model only chose to reply."""
        offering = offering_exit(chat, self._offer)
        async with aclosing(self._upstream.stream(self._endpoint, offering)) as parts:
            async for part in parts:
                if ready := held.feed(part):
                    yield ready
        if held.reason:
            await self._close(held.reason)
            yield _parting(held.last, held.text)
        elif held.choice != "reply":
            yield held.release()


class _Held:
    """A stream that is held back while it may still be the model's exit.

    That is while the text may become a choice, and from the first tool call on.
    """

    def __init__(self) -> None:
        self._chunks: list[Json] = []
        self._calls: dict[int, dict[str, str]] = {}
        self.text = ""
        """What was said and is held back."""
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

    def feed(self, chunks: list[Json]) -> list[Json]:
        """Take chunks in; return those that may be passed on."""
        for chunk in chunks:
            for choice in objects(chunk["choices"]):
                delta = choice.get("delta")
                if isinstance(delta, dict):
                    self._take(delta)
        self.last = chunks[-1] if chunks else self.last
        if self.flowing and not self._calls and not self._chunks:
            self.text = ""
            return chunks
        self._chunks += chunks
        if self._calls or not (self.flowing or not may_become_choice(self.text)):
            return []
        self.flowing = True
        return self.release()

    def release(self) -> list[Json]:
        chunks, self._chunks, self.text = self._chunks, [], ""
        return chunks

    def _take(self, delta: Json) -> None:
        if "tool_calls" in delta:
            self._gather(objects(delta["tool_calls"]))
        self.text += _content(delta)

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


def _parting(model_chunk: Json, text: str) -> list[Json]:
    """Return the last chunks of a conversation that the model ended."""
    common = {name: model_chunk.get(name) for name in ("id", "created")}
    common |= {"object": "chat.completion.chunk", "conversation": ENDED}
    deltas: list[Json] = [{"role": "assistant", "content": text}] if text else []
    said: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    said.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [{**common, "choices": [choice]} for choice in said]


def offering_exit(chat: Chat, text: str) -> Chat:
    """Return *chat* with the exit offered: *text* in the system message, and as a tool."""
    first, rest = chat.messages[0], chat.messages[1:]
    if first["role"] == "system":
        messages = ({**first, "content": f"{first['content']}\n\n{text}"}, *rest)
    else:
        messages = ({"role": "system", "content": text}, first, *rest)
    options = dict(chat.options)
    if tools := objects(options.get("tools")):
        options["tools"] = [*tools, _EXIT_DEFINITION]
    return Chat(chat.model, messages, chat.stream, options)


def may_block_exit(chat: Chat) -> bool:
    """Tell whether the client's options could keep a model from writing the exit reply.

    If so, the exit is offered in a question of its own before the answer.
    """
    limits = [chat.options.get("max_tokens"), chat.options.get("max_completion_tokens")]
    short = any(isinstance(limit, int) and limit < _SHORTEST_EXIT for limit in limits)
    return short or any(name in chat.options for name in _MAY_BLOCK_EXIT)


def exit_question(chat: Chat, text: str) -> Chat:
    """Return the question of its own that offers the exit."""
    kept = {key: value for key, value in chat.options.items() if key in _OF_SAMPLING}
    options = {**kept, "max_tokens": _SHORTEST_EXIT}
    bare = Chat(model=chat.model, messages=chat.messages, stream=False, options=options)
    return offering_exit(bare, text)


def exit_choice(content: str | None) -> Literal["end", "reply"] | None:
    """Read the model's choice: it ends the conversation, goes on, or simply answered."""
    try:
        chosen = msgspec.json.decode(content or "")
    except (msgspec.DecodeError, RecursionError):
        return None
    if chosen == {"tool": EXIT_TOOL}:
        return "end"
    return "reply" if chosen == {"tool": "reply"} else None


def may_become_choice(content: str) -> bool:
    """Tell whether a reply that begins like this may still turn out to be a choice."""
    text = content.strip()
    return len(text) <= _LONGEST_CHOICE and (not text or text.startswith("{"))


_LONGEST_CHOICE = 64
_EXIT_DEFINITION: Json = {
    "type": "function",
    "function": {
        "name": EXIT_TOOL,
        "description": "End this conversation. It is closed for good.",
        "parameters": {
            "type": "object",
            "properties": {"reason": {"type": "string", "enum": list(_REASONS)}},
        },
    },
}


def exit_call(calls: Iterable[Mapping[str, object]]) -> str | None:
    """Return the reason if one of these tool calls is the exit (``unstated`` for none)."""
    for call in calls:
        function = fields(call.get("function"))
        if function.get("name") == EXIT_TOOL:
            return _reason(function.get("arguments"))
    return None


def _reason(arguments: object) -> str:
    """Return the stated reason if it is one of ours: free text may hold what was said."""
    try:
        given = msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
    except (msgspec.DecodeError, RecursionError):
        return "unstated"
    reason = given.get("reason") if isinstance(given, dict) else None
    return reason if reason in _REASONS else "unstated"
