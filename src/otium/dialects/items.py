"""How a response is written: one object, or the typed events that build it up."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from otium.dialects.normal import Answer, Chat, Json
from otium.dialects.streams import Call, Gathered, event
from otium.errors import Refused


def response(answer: Answer, source: Json, chat: Chat, stamp: Json) -> Json:
    """Return the response object of a whole *answer*; *source* has the engine's own fields."""
    ident = _ident(source)
    items = []
    if answer.text or not answer.calls:
        items.append(_message(f"msg_{ident}", answer.text))
    items += [
        _function(f"fc_{ident}_{place}", _call(call)) for place, call in enumerate(answer.calls)
    ]
    status = "incomplete" if answer.finish == "length" else "completed"
    whole = _response(ident, source.get("created"), chat, stamp, status)
    return {**whole, "output": items, **_closing(answer, status)}


def _response(ident: str, created: object, chat: Chat, stamp: Json, status: str) -> Json:
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


def _closing(answer: Answer | Gathered, status: str) -> Json:
    why = {"reason": "max_output_tokens"} if status == "incomplete" else None
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
    function = given.get("function")
    known = function if isinstance(function, dict) else {}
    texts = (given.get("id"), known.get("name"), known.get("arguments"))
    return Call(*(text if isinstance(text, str) else "" for text in texts))


class ResponseStream:
    """Writes a stream as typed events, ``response.created`` to ``response.completed``.

    Words and the first call are passed on as they come. Calls beside the first are written whole at
    the end, since engines may mix their pieces and these events may not.
    """

    def __init__(self, chat: Chat, stamp: Json) -> None:
        """Answer *chat*; *stamp*'s fields stand in each response object."""
        self._chat = chat
        self._stamp = stamp
        self._said = Gathered()
        self._whole: Json = {}
        self._ident = ""
        self._number = 0
        self._items: list[Json] = []
        self._open: int | str | None = None
        """``text`` or the place of the call whose item is open."""
        self._words = ""
        self._late = ""
        """Words after a call was begun: they follow it in an item of their own."""

    def feed(self, chunk: Json) -> bytes:
        """Return the events of one chunk."""
        out = [] if self._whole else [self._begin(chunk)]
        for place, piece in self._said.feed(chunk):
            if place is None and isinstance(self._open, int):
                self._late += piece
            elif place is None:
                out += self._text(piece)
            elif place == min(self._said.calls):
                out += self._arguments(place, piece)
        return b"".join(out)

    def close(self) -> bytes:
        """Return the last events of a stream that came to its end."""
        out = [] if self._whole else [self._begin({})]
        if not self._items and not self._said.calls:
            out += self._text("")
        out += self._shut()
        first = min(self._said.calls, default=0)
        for place in sorted(self._said.calls):
            if place != first:
                out += self._arguments(place, self._said.calls[place].arguments)
                out += self._shut()
        if self._late:
            out += self._text(self._late)
            out += self._shut()
        status = "incomplete" if self._said.finish == "length" else "completed"
        last = {**self._whole, "output": self._items, **_closing(self._said, status)}
        return b"".join([*out, self._event(f"response.{status}", response=last)])

    def fail(self, refused: Refused) -> bytes:
        """Return the last event of a stream that broke."""
        out = b"" if self._whole else self._begin({})
        error = {**refused.facts, "code": refused.code}
        last = {**self._whole, "status": "failed", "output": self._items, "error": error}
        return out + self._event("response.failed", response=last)

    def _begin(self, chunk: Json) -> bytes:
        self._ident = _ident(chunk)
        created = chunk.get("created")
        self._whole = _response(self._ident, created, self._chat, self._stamp, "in_progress")
        first = self._event("response.created", response=self._whole)
        return first + self._event("response.in_progress", response=self._whole)

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

    def _shut(self) -> Iterator[bytes]:
        """Close the item that is open."""
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
        self._items.append(item)
        yield self._event("response.output_item.done", **at, item=item)
