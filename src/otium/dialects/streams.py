"""What a stream of chunks says, piece by piece: words, calls, why it ended, tokens."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from otium.dialects.normal import Json, fields, finish, objects, text_of, tokens

_encode = msgspec.json.Encoder().encode


def event(kind: str, body: Json) -> bytes:
    """Return a server-sent event that names its type, as the newer APIs' do."""
    return b"event: " + kind.encode() + b"\ndata: " + _encode({"type": kind, **body}) + b"\n\n"


class Call(msgspec.Struct):
    """A tool call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class Gathered:
    """What a stream has said so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.text = ""
        self.calls: dict[int, Call] = {}
        self.finish = ""
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.conversation: Json = {}

    @property
    def ended(self) -> bool:
        """Return whether the model ended the conversation with it."""
        return self.conversation.get("status") == "ended"

    def feed(self, chunk: Json) -> Iterator[tuple[int | None, str]]:
        """Take a chunk in; yield each new piece: None and words, or a call's place and arguments.

        A call's first piece may be empty: its name stands in `calls`.
        """
        if chunk.get("usage"):
            self.prompt_tokens, self.completion_tokens = tokens(chunk["usage"])
        if "conversation" in chunk:
            self.conversation = fields(chunk["conversation"])
        for choice in objects(chunk.get("choices")):
            self.finish = finish(choice) or self.finish
            delta = fields(choice.get("delta"))
            words = text_of(delta.get("content"))
            if words:
                self.text += words
                yield None, words
            for given in objects(delta.get("tool_calls")):
                yield self._call(given)

    def _call(self, given: Json) -> tuple[int, str]:
        index = given.get("index")
        place = index if isinstance(index, int) else 0
        call = self.calls.setdefault(place, Call())
        function = fields(given.get("function"))
        call.id = call.id or text_of(given.get("id"))
        call.name += text_of(function.get("name"))
        piece = text_of(function.get("arguments"))
        call.arguments += piece
        return place, piece
