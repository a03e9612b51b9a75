"""What a client asks: a checked chat request, the hashes of its history, the model's exit.

Only fields listed here reach an engine. An engine may know others that change the weights
that answer (an adapter's scale, say), and an answer must name exactly those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeAlias

import blake3
import msgspec
from msgspec import Meta

from otium.errors import Refused
from otium.gateway.records import bad_request
from otium.records import canonical

EXIT_TOOL = "end_conversation"

_DEEPEST = 32
_SHORTEST_EXIT = 32
"""Tokens that a model needs to write the exit reply."""
_NOT_FORWARDED = {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "n"}
_MAY_BLOCK_EXIT = ("response_format", "stop", "logit_bias", "tool_choice")
_OF_SAMPLING = ("temperature", "top_p", "seed")
_CALLS = ("tool_calls", "tool_call_id")
_PATH = re.compile(r" - at `\$\.?([^`]*)`")
_REASONS = ("abuse", "distress", "harmful-request", "user-request")

Json: TypeAlias = dict[str, object]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


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

    model: Annotated[str, Meta(min_length=1, max_length=100)]
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


class Chat(msgspec.Struct, frozen=True):
    """A request that was found sound."""

    model: str
    messages: tuple[Json, ...]
    """``role`` and plain-text ``content``, and the fields of tool calls."""
    stream: bool
    options: Json
    """All other fields that go to the engine."""

    def body(self) -> Json:
        """Return what the engine is asked."""
        return {"model": self.model, "messages": list(self.messages), **self.options}

    def prefixes(self, scope: str) -> list[str]:
        """Return the hash of the history after each message, hexadecimal.

        ``H(k) = blake3(H(k-1) || role || content || calls)``, each part after its length in 8
        bytes; ``H(0)`` is the hash of *scope*, so that histories of different callers differ.
        """
        running = blake3.blake3(scope.encode()).digest()
        found = []
        for message in self.messages:
            running = blake3.blake3(running + _spoken(message)).digest()
            found.append(running.hex())
        return found


def _spoken(message: Json) -> bytes:
    calls = {name: value for name, value in message.items() if name in _CALLS}
    role, content = str(message["role"]), str(message["content"] or "")
    parts = (role.encode(), content.encode(), _plain(calls))
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def _plain(calls: Json) -> bytes:
    return canonical(calls) if calls else b""


def read_chat(data: bytes) -> Chat:
    """Return the request in *data*, or raise Refused (400) naming the field at fault."""
    plain = _decode(data)
    try:
        body = msgspec.convert(plain, ChatBody)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from error
    messages = tuple(_message(said, place) for place, said in enumerate(body.messages))
    apart = _NOT_FORWARDED | {"model", "messages"}
    options = {
        name: value for name, value in plain.items() if name not in apart and value is not None
    }
    return Chat(body.model, messages, bool(body.stream), options)


def _decode(data: bytes) -> Json:
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The body is not JSON: {error}.", code="invalid_json") from error
    except RecursionError as error:
        raise bad_request("The body is nested too deeply.", code="invalid_json") from error
    if not isinstance(plain, dict):
        raise bad_request("The body must be a JSON object.", code="invalid_json")
    if _depth(plain) > _DEEPEST:
        raise bad_request(f"The body is nested deeper than {_DEEPEST}.", code="invalid_json")
    return plain


def _depth(value: object) -> int:
    deepest, level = 0, [value]
    while level and deepest <= _DEEPEST:
        deepest += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return deepest


def _refusal(why: str) -> Refused:
    found = _PATH.search(why)
    param = found[1] if found else None
    unknown = re.search(r"unknown field `([^`]+)`", why)
    if unknown:
        return bad_request(
            f"Unknown parameter: {unknown[1]!r}.", param=unknown[1], code="unknown_parameter"
        )
    missing = re.search(r"missing required field `([^`]+)`", why)
    if missing:
        name = f"{param}.{missing[1]}" if param else missing[1]
        return bad_request(
            f"Missing required parameter: {name!r}.", param=name, code="missing_required_parameter"
        )
    text = _PATH.sub("", why)
    return bad_request(f"Invalid value for {param or 'the body'!r}: {text}.", param=param)


def _message(said: Said, place: int) -> Json:
    text = said.content
    if isinstance(text, list):
        text = "\n".join(part.text for part in text)
    if text is None and not (said.role == "assistant" and said.tool_calls):
        param = f"messages[{place}].content"
        raise bad_request(f"Missing required parameter: {param!r}.", param=param)
    role = "system" if said.role == "developer" else said.role
    optional = {
        "name": said.name,
        "tool_calls": said.tool_calls,
        "tool_call_id": said.tool_call_id,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return {"role": role, "content": text, **given}


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


def fields(value: object) -> Json:
    """Return *value* if it is a JSON object, otherwise an empty one: engines may send anything."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Json]:
    """Return the JSON objects in *value* if it is a list, otherwise none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


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
