"""OpenAI's responses: items instead of messages, and nothing kept on the server."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from otium.dialects.completions import Count, ModelName, Share
from otium.dialects.faults import bad_request, checked, decoded, needed, openai_error
from otium.dialects.items import ResponseStream, response
from otium.dialects.normal import Chat, Json, assistant, fields, read_answer, text_of, tool_call
from otium.errors import Refused

_ECHOED = (
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
)
_SAME = ("temperature", "top_p", "parallel_tool_calls", "top_logprobs")


class Text(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    """Words of whoever asks."""

    text: str


class Output(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """Words of the model."""

    text: str


class Refusal(msgspec.Struct, frozen=True, tag_field="type", tag="refusal"):
    """Words by which the model declined."""

    refusal: str

    @property
    def text(self) -> str:
        """Return the words."""
        return self.refusal


class Thought(msgspec.Struct, frozen=True, tag_field="type", tag="reasoning_text"):
    """Dropped: engines do not take thoughts back."""


Content: TypeAlias = str | list[Text | Output | Refusal | Thought]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the input, of any type; fields that are not listed are dropped."""

    type: Literal["message", "function_call", "function_call_output", "reasoning"] = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Content | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Text] | None = None


class ResponseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The request: the fields of OpenAI's API that mean something here."""

    model: ModelName
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=2000)]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: Json | None = None
    max_output_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    text: Json | None = None
    truncation: Literal["disabled"] | None = None
    background: Literal[False] | None = None
    include: list[str] | None = None
    metadata: Json | None = None
    store: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class Responses:
    """The dialect of ``POST /v1/responses``."""

    name = "responses"

    def read(self, data: bytes) -> Chat:
        """Return the request in *data*, or raise Refused (400) naming the field at fault."""
        plain = decoded(data)
        body = checked(plain, ResponseBody)
        options = {name: plain[name] for name in _SAME if plain.get(name) is not None}
        options |= _renamed(body)
        echo = {name: plain.get(name) for name in _ECHOED}
        return Chat(body.model, _messages(body), bool(body.stream), options, echo)

    def error(self, refused: Refused) -> Json:
        """Return the error in OpenAI's shape."""
        return openai_error(refused)

    def whole(self, answer: Json, chat: Chat, stamp: Json) -> Json:
        """Return a whole answer as a response object."""
        return response(read_answer(answer), answer, chat, stamp)

    def stream(self, chat: Chat, stamp: Json) -> ResponseStream:
        """Return what writes the typed events of a stream."""
        return ResponseStream(chat, stamp)


def _renamed(body: ResponseBody) -> Json:
    options: Json = {}
    if body.max_output_tokens is not None:
        options["max_tokens"] = body.max_output_tokens
    if body.top_logprobs:
        options["logprobs"] = True
    if body.tools:
        options["tools"] = [_tool(tool, place) for place, tool in enumerate(body.tools)]
    if body.tool_choice is not None:
        options["tool_choice"] = _choice(body.tool_choice)
    if shape := _format(fields((body.text or {}).get("format"))):
        options["response_format"] = shape
    if body.stream:
        options |= {"stream": True, "stream_options": {"include_usage": True}}
    return options


def _tool(tool: Json, place: int) -> Json:
    if tool.get("type") != "function":
        param = f"tools[{place}].type"
        raise bad_request(f"Invalid value for {param!r}: only functions are served.", param=param)
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _choice(choice: str | Json) -> str | Json:
    if isinstance(choice, str):
        return choice
    if choice.get("type") != "function":
        raise bad_request("Invalid value for 'tool_choice'.", param="tool_choice")
    return {"type": "function", "function": {"name": choice.get("name")}}


def _format(given: Json) -> Json | None:
    if given.get("type") != "json_schema":
        return given if given.get("type") == "json_object" else None
    names = ("name", "schema", "strict", "description")
    schema = {name: given[name] for name in names if given.get(name) is not None}
    return {"type": "json_schema", "json_schema": schema}


def _messages(body: ResponseBody) -> tuple[Json, ...]:
    found: list[Json] = []
    if body.instructions is not None:
        found.append({"role": "system", "content": body.instructions})
    if isinstance(body.input, str):
        return (*found, {"role": "user", "content": body.input})
    for place, item in enumerate(body.input):
        _add(found, item, place)
    if not found:
        raise bad_request("Invalid value for 'input': it says nothing.", param="input")
    return tuple(found)


def _add(found: list[Json], item: Item, place: int) -> None:
    if item.type == "function_call":
        _add_call(found, item, place)
    elif item.type == "function_call_output":
        content = _words(needed(item.output, f"input[{place}].output"))
        call = needed(item.call_id, f"input[{place}].call_id")
        found.append({"role": "tool", "content": content, "tool_call_id": call})
    elif item.type == "message":
        role = needed(item.role, f"input[{place}].role")
        content = _words(needed(item.content, f"input[{place}].content"))
        found.append({"role": "system" if role == "developer" else role, "content": content})


def _add_call(found: list[Json], item: Item, place: int) -> None:
    """Put a call beside the words that it came with, and the calls before it."""
    call = tool_call(
        needed(item.name, f"input[{place}].name"),
        needed(item.arguments, f"input[{place}].arguments"),
        needed(item.call_id, f"input[{place}].call_id"),
    )
    before = found[-1] if found and found[-1]["role"] == "assistant" else None
    if before is None:
        found.append(assistant(None, [call]))
        return
    calls = before.get("tool_calls")
    words = text_of(before["content"])
    found[-1] = assistant(words, [*(calls if isinstance(calls, list) else []), call])


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.text for part in parts if isinstance(part, (Text, Output, Refusal)))
