"""What a stream of chunks says, piece by piece: words, calls, why it ended, tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
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


class TypedStream(ABC):
    """Writes a stream as typed events. What an event looks like is its API's.

    Words and the first call are passed on as they come. Calls beside the first are written whole at
    the end, since engines may mix their pieces and these events follow one another.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._said = Gathered()
        self._begun = False
        self._open: int | str | None = None
        """``text`` or the place of the call that is open."""
        self._late = ""
        """Words after a call was begun: they follow it."""

    def feed(self, chunk: Json) -> bytes:
        """Return the events of one chunk."""
        out = self._opening(chunk)
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
        out = self._opening({})
        if not self._said.text and not self._said.calls:
            out += self._text("")
        others = sorted(self._said.calls)[1:]
        out += self._shut(last=not others and not self._late)
        for place in others:
            out += self._arguments(place, self._said.calls[place].arguments)
            out += self._shut(last=place == others[-1] and not self._late)
        if self._late:
            out += self._text(self._late)
            out += self._shut(last=True)
        return b"".join([*out, *self._end()])

    def _opening(self, chunk: Json) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        return list(self._begin(chunk))

    @abstractmethod
    def _begin(self, chunk: Json) -> Iterator[bytes]:
        """Begin the answer whose first chunk this is."""

    @abstractmethod
    def _text(self, piece: str) -> Iterator[bytes]:
        """Say words, beginning them if they are not open."""

    @abstractmethod
    def _arguments(self, place: int, piece: str) -> Iterator[bytes]:
        """Say arguments of a call, beginning it if it is not open."""

    @abstractmethod
    def _shut(self, *, last: bool = False) -> Iterator[bytes]:
        """Close what is open, and with it the *last* of the answer."""

    @abstractmethod
    def _end(self) -> Iterator[bytes]:
        """End the answer."""
