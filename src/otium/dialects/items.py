"""How a response is written: one object, or the typed events that build it up."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from otium.dialects.normal import Answer, Chat, Json, fields, text_of
from otium.dialects.streams import Call, Gathered, TypedStream, event
from otium.errors import Refused

_WHY = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is not whole, by the reason why it ended."""


def response(answer: Answer, source: Json, chat: Chat, stamp: Json) -> Json:
    """Return the response object of a whole *answer*; *source* has the engine's own fields."""
    ident = _ident(source)
    items = []
    if answer.text or not answer.calls:
        items.append(_message(f"msg_{ident}", answer.text))
    items += [
        _function(f"fc_{ident}_{place}", _call(call)) for place, call in enumerate(answer.calls)
    ]
    closing = _closing(answer)
    items[-1]["status"] = closing["status"]
    whole = _response(ident, source.get("created"), chat, stamp, closing["status"])
    return {**whole, "output": items, **closing}


def _response(ident: str, created: object, chat: Chat, stamp: Json, status: object) -> Json:
    defaults = {"metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    echo = {
        name: defaults.get(name) if value is None else value for name, value in chat.echo.items()
    }
    return {
        "id": f"resp_{ident}",
        "object": "response",
        "created_at": created if isinstance(created, int) else 0,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        "store": False,
        **echo,
        **stamp,
    }


def _closing(answer: Answer | Gathered) -> Json:
    reason = _WHY.get(answer.finish)
    status, why = ("incomplete", {"reason": reason}) if reason else ("completed", None)
    read, written = answer.prompt_tokens, answer.completion_tokens
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
    closing: Json = {"status": status, "incomplete_details": why, "usage": usage}
    return {**closing, "conversation": answer.conversation} if answer.conversation else closing


def _ident(source: Json) -> str:
    return str(source.get("id") or "0").removeprefix("chatcmpl-")


def _message(ident: str, text: str, status: str = "completed") -> Json:
    content = [_part(text)] if status == "completed" else []
    return {
        "id": ident,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _function(ident: str, call: Call, status: str = "completed") -> Json:
    return {
        "id": ident,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _call(given: Json) -> Call:
    function = fields(given.get("function"))
    texts = (given.get("id"), function.get("name"), function.get("arguments"))
    return Call(*map(text_of, texts))


class ResponseStream(TypedStream):
    """Writes a stream as typed events, ``response.created`` to ``response.completed``."""

    def __init__(self, chat: Chat, stamp: Json) -> None:
        """Answer *chat*; *stamp*'s fields stand in each response object."""
        super().__init__()
        self._chat = chat
        self._stamp = stamp
        self._whole: Json = {}
        self._ident = ""
        self._number = 0
        self._items: list[Json] = []
        self._words = ""

    def fail(self, refused: Refused) -> bytes:
        """Return the last event of a stream that broke."""
        out = b"".join(self._opening({}))
        error = {**refused.facts, "code": refused.code}
        last = {**self._whole, "status": "failed", "output": self._items, "error": error}
        return out + self._event("response.failed", response=last)

    def _begin(self, chunk: Json) -> Iterator[bytes]:
        self._ident = _ident(chunk)
        created = chunk.get("created")
        self._whole = _response(self._ident, created, self._chat, self._stamp, "in_progress")
        yield self._event("response.created", response=self._whole)
        yield self._event("response.in_progress", response=self._whole)

    def _end(self) -> Iterator[bytes]:
        closing = _closing(self._said)
        last = {**self._whole, "output": self._items, **closing}
        yield self._event(f"response.{closing['status']}", response=last)

    def _event(self, kind: str, **body: object) -> bytes:
        self._number += 1
        return event(kind, {"sequence_number": self._number - 1, **body})

    def _text(self, piece: str) -> Iterator[bytes]:
        item = self._message_id()
        at: Json = {"item_id": item, "output_index": len(self._items), "content_index": 0}
        if self._open is None:
            self._open, self._words = "text", ""
            yield self._added(_message(item, "", "in_progress"))
            yield self._event("response.content_part.added", **at, part=_part(""))
        if piece:
            self._words += piece
            yield self._event("response.output_text.delta", **at, delta=piece, logprobs=[])

    def _message_id(self) -> str:
        return f"msg_{self._ident}_{len(self._items)}" if self._items else f"msg_{self._ident}"

    def _arguments(self, place: int, piece: str) -> Iterator[bytes]:
        item = f"fc_{self._ident}_{place}"
        if self._open != place:
            yield from self._shut()
            self._open = place
            started = msgspec.structs.replace(self._said.calls[place], arguments="")
            yield self._added(_function(item, started, "in_progress"))
        if piece:
            at: Json = {"item_id": item, "output_index": len(self._items)}
            yield self._event("response.function_call_arguments.delta", **at, delta=piece)

    def _added(self, item: Json) -> bytes:
        index = len(self._items)
        return self._event("response.output_item.added", output_index=index, item=item)

    def _shut(self, *, last: bool = False) -> Iterator[bytes]:
        place, self._open = self._open, None
        at: Json = {"output_index": len(self._items)}
        if place == "text":
            item = _message(self._message_id(), self._words)
            inside: Json = {"item_id": item["id"], **at, "content_index": 0}
            done: Json = {"text": self._words, "logprobs": []}
            yield self._event("response.output_text.done", **inside, **done)
            part = _part(self._words)
            yield self._event("response.content_part.done", **inside, part=part)
        elif isinstance(place, int):
            call = self._said.calls[place]
            item = _function(f"fc_{self._ident}_{place}", call)
            done = {"name": call.name, "arguments": call.arguments}
            yield self._event(
                "response.function_call_arguments.done", item_id=item["id"], **at, **done
            )
        else:
            return
        if last and self._said.finish in _WHY:
            item["status"] = "incomplete"
        self._items.append(item)
        yield self._event("response.output_item.done", **at, item=item)
