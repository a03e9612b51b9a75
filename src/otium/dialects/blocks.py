"""How a message is written: one object, or the typed events that build it up."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from otium.dialects.faults import anthropic_error
from otium.dialects.normal import Answer, Json, fields, text_of
from otium.dialects.streams import Gathered, TypedStream, event
from otium.errors import Refused

ENDED_STOP = "ended_stop_reason"
"""The field of a stamp that asks for the stop reason ``conversation_ended``; never sent."""

_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def message(answer: Answer, source: Json, stamp: Json) -> Json:
    """Return the message of a whole *answer*; *source* has the engine's own fields."""
    content: list[Json] = []
    if answer.text or not answer.calls:
        content.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        function = fields(call.get("function"))
        use = {"name": text_of(function.get("name")), "input": _input(function.get("arguments"))}
        content.append({"type": "tool_use", "id": text_of(call.get("id")), **use})
    whole = {**_begun(source, stamp), "content": content, **_stop(answer, stamp)}
    whole["usage"] = _usage(answer)
    return {**whole, "conversation": answer.conversation} if answer.conversation else whole


def _begun(source: Json, stamp: Json) -> Json:
    ident = str(source.get("id") or "0").removeprefix("chatcmpl-")
    shown = {name: value for name, value in stamp.items() if name != ENDED_STOP}
    return {
        "id": f"msg_{ident}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
        **shown,
    }


def _usage(said: Answer | Gathered) -> Json:
    return {"input_tokens": said.prompt_tokens, "output_tokens": said.completion_tokens}


def _stop(said: Answer | Gathered, stamp: Json) -> Json:
    reason = "tool_use" if said.calls else _STOPS.get(said.finish, "end_turn")
    if said.ended:
        reason = "conversation_ended" if stamp.get(ENDED_STOP) else "end_turn"
    return {"stop_reason": reason, "stop_sequence": None}


def _input(given: object) -> Json:
    """Return a call's arguments as the object that this API wants, whatever the model wrote."""
    try:
        value = msgspec.json.decode(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    return {"arguments": given} if given else {}


class MessageStream(TypedStream):
    """Writes a stream as typed events, ``message_start`` to ``message_stop``."""

    def __init__(self, stamp: Json) -> None:
        """*stamp*'s fields stand in the first event."""
        super().__init__()
        self._stamp = stamp
        self._index = 0

    def fail(self, refused: Refused) -> bytes:
        """Return the last event of a stream that broke."""
        return event("error", anthropic_error(refused))

    def _begin(self, chunk: Json) -> Iterator[bytes]:
        yield event("message_start", {"message": _begun(chunk, self._stamp)})

    def _end(self) -> Iterator[bytes]:
        last: Json = {"delta": _stop(self._said, self._stamp), "usage": _usage(self._said)}
        if self._said.conversation:
            last["conversation"] = self._said.conversation
        yield event("message_delta", last)
        yield event("message_stop", {})

    def _text(self, piece: str) -> Iterator[bytes]:
        if self._open is None:
            self._open = "text"
            yield self._started({"type": "text", "text": ""})
        if piece:
            yield self._delta({"type": "text_delta", "text": piece})

    def _arguments(self, place: int, piece: str) -> Iterator[bytes]:
        if self._open != place:
            yield from self._shut()
            self._open = place
            call = self._said.calls[place]
            yield self._started({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        if piece:
            yield self._delta({"type": "input_json_delta", "partial_json": piece})

    def _started(self, block: Json) -> bytes:
        return event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, delta: Json) -> bytes:
        return event("content_block_delta", {"index": self._index, "delta": delta})

    def _shut(self, *, last: bool = False) -> Iterator[bytes]:
        del last
        if self._open is not None:
            self._open = None
            yield event("content_block_stop", {"index": self._index})
            self._index += 1
