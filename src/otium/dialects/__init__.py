"""Dialects: OpenAI's and Anthropic's APIs, read into one normal request.

Answers are written back from one normal answer. Knows the requests, answers, streams and errors
of chat completions, responses and messages, and that the same
conversation has the same normal form whichever of them it comes by.
Does not know HTTP, models, engines or who asks: it is pure, and raises only `Refused`.
Writes nothing; the shapes are in ``docs/reference/gateway-api.md``.

>>> asked = b'{"model": "smol-1", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}'
>>> MESSAGES.read(asked).messages == COMPLETIONS.read(asked).messages
True
>>> answer = {"id": "x", "choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}
>>> MESSAGES.whole(answer, MESSAGES.read(asked), {"model": "smol-1"})["content"]
[{'type': 'text', 'text': 'Hello.'}]
"""

from __future__ import annotations

from typing import Protocol

from otium.dialects.blocks import ENDED_STOP
from otium.dialects.completions import KEPT, ChatBody, Completions, read_chat
from otium.dialects.faults import NO_RETRY, bad_request, checked, decoded, refuse
from otium.dialects.messages import MessageBody, Messages
from otium.dialects.normal import Chat, Json, fields, objects
from otium.dialects.responses import ResponseBody, Responses
from otium.errors import Refused


class Rendering(Protocol):
    """Writes one stream's server-sent events."""

    def feed(self, chunk: Json) -> bytes:
        """Return the events of one chunk of OpenAI's chat completions."""
        ...

    def close(self) -> bytes:
        """Return the last events of a stream that came to its end."""
        ...

    def fail(self, refused: Refused) -> bytes:
        """Return the last event of a stream that broke."""
        ...


class Dialect(Protocol):
    """One API: reads its requests, writes its answers. *stamp* is added to what is answered."""

    @property
    def name(self) -> str:
        """Return what the API is called in metrics and logs."""
        ...

    def read(self, data: bytes) -> Chat:
        """Return the request in *data*, or raise Refused (400) naming the field at fault."""
        ...

    def error(self, refused: Refused) -> Json:
        """Return an error in this API's shape."""
        ...

    def whole(self, answer: Json, chat: Chat, stamp: Json) -> Json:
        """Return a whole answer."""
        ...

    def stream(self, chat: Chat, stamp: Json) -> Rendering:
        """Return what writes the events of a stream."""
        ...


COMPLETIONS: Dialect = Completions()
RESPONSES: Dialect = Responses()
MESSAGES: Dialect = Messages()

__all__ = [
    "COMPLETIONS",
    "ENDED_STOP",
    "KEPT",
    "MESSAGES",
    "NO_RETRY",
    "RESPONSES",
    "Chat",
    "ChatBody",
    "Dialect",
    "Json",
    "MessageBody",
    "Rendering",
    "ResponseBody",
    "bad_request",
    "checked",
    "decoded",
    "fields",
    "objects",
    "read_chat",
    "refuse",
]
