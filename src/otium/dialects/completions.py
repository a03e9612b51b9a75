"""OpenAI's chat completions: also what engines speak, so answers pass almost unchanged.

Only fields listed here reach an engine. An engine may know others that change the weights
that answer (an adapter's scale, say), and an answer must name exactly those.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from otium.dialects.faults import bad_request, checked, decoded, needed, openai_error
from otium.dialects.normal import Chat, Json, assistant, fields, text_of, tool_call
from otium.errors import Refused

Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
ModelName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[ -~]+\Z")]
"""Printable ASCII: it stands in headers and in the audit."""

_NOT_FORWARDED = {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "n"}
_APART = _NOT_FORWARDED | {"model", "messages"}
KEPT = frozenset(
    ("id", "object", "created", "choices", "usage", "system_fingerprint", "conversation")
)
"""What is passed on of an engine's answer: its own name for the model and its paths are not."""
_encode = msgspec.json.Encoder().encode


class TextPart(msgspec.Struct, tag_field="type", tag="text", frozen=True):
    """A part of a message. Only text is known."""

    text: str


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a request. Fields that are not listed are dropped."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[Json] | None = None
    tool_call_id: str | None = None


class ChatBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The chat request: the fields of OpenAI's API that mean something here."""

    model: ModelName
    messages: Annotated[list[Said], Meta(min_length=1, max_length=2000)]
    stream: bool | None = None
    stream_options: Json | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    n: Literal[1] | None = None
    stop: str | list[str] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: Json | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    user: str | None = None
    metadata: Json | None = None
    store: bool | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class Completions:
    """The dialect of ``POST /v1/chat/completions``."""

    name = "chat.completions"

    def read(self, data: bytes) -> Chat:
        """Return the request in *data*, or raise Refused (400) naming the field at fault."""
        return read_chat(data)

    def error(self, refused: Refused) -> Json:
        """Return the error in OpenAI's shape."""
        return openai_error(refused)

    def whole(self, answer: Json, chat: Chat, stamp: Json) -> Json:
        """Return a whole answer under the name *chat* asked for, with *stamp*'s fields."""
        del chat
        return {**{name: answer[name] for name in KEPT if name in answer}, **stamp}

    def stream(self, chat: Chat, stamp: Json) -> CompletionStream:
        """Return what writes the events of a stream."""
        return CompletionStream(chat, stamp)


class CompletionStream:
    """Writes chunks: an engine's own, without what is not to be passed on, under our name."""

    def __init__(self, chat: Chat, stamp: Json) -> None:
        """Answer *chat*; the first chunk carries all of *stamp*, the others its model alone."""
        del chat
        self._first = stamp
        self._model = stamp.get("model")

    def feed(self, chunk: Json) -> bytes:
        """Return the event of one chunk."""
        if not (chunk.keys() <= _CHUNK and chunk.get("model") == self._model):
            chunk = {name: value for name, value in chunk.items() if name in KEPT}
            chunk["model"] = self._model
        if self._first:
            chunk = {**chunk, **self._first}
            self._first = {}
        return b"data: " + _encode(chunk) + b"\n\n"

    def close(self) -> bytes:
        """Return the last event of a stream that came to its end."""
        return b"data: [DONE]\n\n"

    def fail(self, refused: Refused) -> bytes:
        """Return the last event of a stream that broke."""
        return b"data: " + _encode(openai_error(refused)) + b"\n\n"


_CHUNK = KEPT | {"model"}


def read_chat(data: bytes) -> Chat:
    """Return the chat completion asked for in *data*, or raise Refused (400)."""
    plain = decoded(data)
    body = checked(plain, ChatBody)
    messages = tuple(_message(said, place) for place, said in enumerate(body.messages))
    options = {
        name: value for name, value in plain.items() if name not in _APART and value is not None
    }
    return Chat(body.model, messages, bool(body.stream), options)


def _message(said: Said, place: int) -> Json:
    text = said.content
    if isinstance(text, list):
        text = "\n".join(part.text for part in text)
    if said.role == "assistant" and said.tool_calls:
        at = f"messages[{place}].tool_calls"
        calls = [_call(call, f"{at}[{turn}]") for turn, call in enumerate(said.tool_calls)]
        message = assistant(text, calls)
    else:
        words = needed(text, f"messages[{place}].content")
        message = {"role": "system" if said.role == "developer" else said.role, "content": words}
    if said.name is not None:
        message["name"] = said.name
    if said.tool_call_id is not None:
        message["tool_call_id"] = said.tool_call_id
    return message


def _call(call: Json, param: str) -> Json:
    function = fields(call.get("function"))
    name = text_of(function.get("name"))
    if call.get("type", "function") != "function" or not name:
        message = f"Invalid value for {param!r}: only calls of functions with a name are known."
        raise bad_request(message, param=param)
    return tool_call(name, function.get("arguments"), text_of(call.get("id")))
