"""The one normal form: what was asked, whichever API it came by, and what answers look like.

A request is a `Chat`. An answer is OpenAI's ``chat.completion`` and a stream is its chunks, since
that is what engines speak; the other APIs' answers are written from them.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from otium.errors import BadRecord
from otium.records import canonical

Json: TypeAlias = dict[str, object]

_MOST_TOKENS = 1 << 40
"""More than any answer has: an engine's word goes into sums that databases must hold."""
_FINISHES = ("stop", "length", "tool_calls", "content_filter")


class Chat(msgspec.Struct, frozen=True):
    """A request that was found sound."""

    model: str
    messages: tuple[Json, ...]
    """``role`` and plain-text ``content``, and the fields of tool calls."""
    stream: bool
    options: Json
    """All other fields that go to the engine, by their names in OpenAI's chat completions."""
    echo: Json = {}
    """What the client's API repeats in its answer and an engine need not know."""

    def body(self) -> Json:
        """Return what the engine is asked."""
        return {"model": self.model, "messages": list(self.messages), **self.options}


def fields(value: object) -> Json:
    """Return *value* if it is a JSON object, otherwise an empty one: engines may send anything."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Json]:
    """Return the JSON objects in *value* if it is a list, otherwise none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """Return *value* if it is text, otherwise none."""
    return value if isinstance(value, str) else ""


def arguments(value: object) -> str:
    """Return the arguments of a tool call in their one normal form.

    An object, or text that is one, becomes canonical JSON (RFC 8785), so that the same call has the
    same form whichever API it came by; any other text stays as it is.
    """
    try:
        given = msgspec.json.decode(value) if isinstance(value, str) else value
        return canonical(given).decode() if isinstance(given, dict) else text_of(value)
    except (ValueError, RecursionError, BadRecord):
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def tool_call(name: str, given: object, call_id: str) -> Json:
    """Return a call in its normal form."""
    function = {"name": name, "arguments": arguments(given)}
    return {"id": call_id, "type": "function", "function": function}


def assistant(content: str | None, calls: list[Json]) -> Json:
    """Return an assistant's message; beside calls, no words are None."""
    if not calls:
        return {"role": "assistant", "content": content or ""}
    return {"role": "assistant", "content": content or None, "tool_calls": calls}


class Answer(msgspec.Struct):
    """What a whole answer says."""

    text: str
    calls: list[Json]
    finish: str
    prompt_tokens: int
    completion_tokens: int
    conversation: Json
    """What became of the conversation: that it ended, or a notice; empty for nothing."""

    @property
    def ended(self) -> bool:
        """Return whether the model ended the conversation with it."""
        return self.conversation.get("status") == "ended"


def read_answer(answer: Json) -> Answer:
    """Read an engine's whole answer; what it lacks is empty."""
    first = next(iter(objects(answer.get("choices"))), {})
    message = fields(first.get("message"))
    prompt, completion = tokens(answer.get("usage"))
    return Answer(
        text=text_of(message.get("content")),
        calls=objects(message.get("tool_calls")),
        finish=finish(first),
        prompt_tokens=prompt,
        completion_tokens=completion,
        conversation=fields(answer.get("conversation")),
    )


def finish(choice: Json) -> str:
    """Return why a choice came to its end, ``stop`` for anything unknown, empty if it did not."""
    given = text_of(choice.get("finish_reason"))
    return given if given in _FINISHES or not given else "stop"


def tokens(usage: object) -> tuple[int, int]:
    """Return how many tokens were read and written."""
    found = fields(usage)
    return _count(found.get("prompt_tokens")), _count(found.get("completion_tokens"))


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), _MOST_TOKENS)
