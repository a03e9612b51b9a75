"""Anthropic's messages: blocks instead of fields, and the system's words beside them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from otium.dialects.blocks import MessageStream, message
from otium.dialects.completions import Count, ModelName, Share, TextPart
from otium.dialects.faults import anthropic_error, bad_request, checked, decoded, needed
from otium.dialects.normal import Chat, Json, assistant, read_answer, tool_call
from otium.errors import Refused

_SAME = ("temperature", "top_p", "top_k")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class ToolUse(msgspec.Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A call that the model made."""

    id: str
    name: str
    input: Json


class ToolResult(msgspec.Struct, frozen=True, tag_field="type", tag="tool_result"):
    """What a call gave. Whether it was an error has no place in the normal form."""

    tool_use_id: str
    content: str | list[TextPart] | None = None
    is_error: bool | None = None


class Thinking(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    """Dropped: engines do not take thoughts back."""


class Redacted(msgspec.Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """Dropped, as thoughts are."""


Block: TypeAlias = TextPart | ToolUse | ToolResult | Thinking | Redacted


class Turn(msgspec.Struct, frozen=True):
    """One message of a request."""

    role: Literal["user", "assistant"]
    content: str | list[Block]


class Choice(msgspec.Struct, frozen=True):
    """Whether the model shall call a tool, and which."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class NoThinking(msgspec.Struct, frozen=True):
    """Asks for no thoughts beside the answer, as is always so here."""

    type: Literal["disabled"]


class MessageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request: the fields of Anthropic's API that mean something here."""

    model: ModelName
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=2000)]
    max_tokens: Count
    system: str | list[TextPart] | None = None
    stream: bool | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    stop_sequences: list[str] | None = None
    tools: list[Json] | None = None
    tool_choice: Choice | None = None
    thinking: NoThinking | None = None
    metadata: Json | None = None
    service_tier: str | None = None


class Messages:
    """The dialect of ``POST /v1/messages``."""

    name = "messages"

    def read(self, data: bytes) -> Chat:
        """Return the request in *data*, or raise Refused (400) naming the field at fault."""
        plain = decoded(data)
        body = checked(plain, MessageBody)
        options = {name: plain[name] for name in _SAME if plain.get(name) is not None}
        options |= _renamed(body)
        return Chat(body.model, _messages(body), bool(body.stream), options)

    def error(self, refused: Refused) -> Json:
        """Return the error in Anthropic's shape."""
        return anthropic_error(refused)

    def whole(self, answer: Json, chat: Chat, stamp: Json) -> Json:
        """Return a whole answer as a message."""
        del chat
        return message(read_answer(answer), answer, stamp)

    def stream(self, chat: Chat, stamp: Json) -> MessageStream:
        """Return what writes the typed events of a stream."""
        del chat
        return MessageStream(stamp)


def _renamed(body: MessageBody) -> Json:
    options: Json = {"max_tokens": body.max_tokens}
    if body.stop_sequences:
        options["stop"] = body.stop_sequences
    if body.tools:
        options["tools"] = [_tool(tool, place) for place, tool in enumerate(body.tools)]
    if body.tool_choice is not None:
        options |= _choice(body.tool_choice)
    if body.stream:
        options |= {"stream": True, "stream_options": {"include_usage": True}}
    return options


def _tool(tool: Json, place: int) -> Json:
    if tool.get("type", "custom") != "custom":
        param = f"tools[{place}].type"
        raise bad_request(f"Invalid value for {param!r}: only custom tools run here.", param=param)
    names = {"name": "name", "description": "description", "input_schema": "parameters"}
    function = {ours: tool[name] for name, ours in names.items() if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _choice(choice: Choice) -> Json:
    options: Json = {}
    if choice.disable_parallel_tool_use is not None:
        options["parallel_tool_calls"] = not choice.disable_parallel_tool_use
    if choice.type != "tool":
        return {**options, "tool_choice": _CHOICES[choice.type]}
    named = {"type": "function", "function": {"name": needed(choice.name, "tool_choice.name")}}
    return {**options, "tool_choice": named}


def _messages(body: MessageBody) -> tuple[Json, ...]:
    found: list[Json] = []
    if body.system:
        found.append({"role": "system", "content": _words(body.system)})
    for place, turn in enumerate(body.messages):
        if isinstance(turn.content, str):
            found.append({"role": turn.role, "content": turn.content})
            continue
        _check_blocks(turn.content, turn.role, f"messages[{place}].content")
        if turn.role == "assistant":
            found.append(_spoken(turn.content))
        else:
            found += _asked(turn.content)
    return tuple(found)


def _check_blocks(blocks: list[Block], role: str, param: str) -> None:
    """Raise Refused (400) for what this role does not say: it would be dropped in silence."""
    strange = ToolResult if role == "assistant" else (ToolUse, Thinking, Redacted)
    for place, block in enumerate(blocks):
        if isinstance(block, strange):
            message = f"Invalid value: a block of this type is not the {role}'s."
            raise bad_request(message, param=f"{param}[{place}].type")


def _spoken(blocks: list[Block]) -> Json:
    texts = [block for block in blocks if isinstance(block, TextPart)]
    uses = [block for block in blocks if isinstance(block, ToolUse)]
    calls = [tool_call(use.name, use.input, use.id) for use in uses]
    return assistant(_words(texts), calls)


def _asked(blocks: list[Block]) -> list[Json]:
    """Return what calls gave, then what was said beside."""
    results: list[Json] = [
        {"role": "tool", "content": _words(block.content), "tool_call_id": block.tool_use_id}
        for block in blocks
        if isinstance(block, ToolResult)
    ]
    texts = [block for block in blocks if isinstance(block, TextPart)]
    if texts or not results:
        results.append({"role": "user", "content": _words(texts)})
    return results


def _words(content: str | list[TextPart] | None) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content or [])
