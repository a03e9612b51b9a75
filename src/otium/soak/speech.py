"""Requests in three APIs, and what their answers say, whole or in events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from otium.records import ModelId
from otium.soak.records import API, Said

PATHS: dict[API, str] = {
    "chat.completions": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
_LAST = {"response.completed", "response.incomplete", "message_stop"}


def body(api: API, model: ModelId, said: Sequence[Said], *, tokens: int, stream: bool) -> bytes:
    """Return the request's body: greedy, at most so many *tokens*, counted in streams too."""
    asked: dict[str, object] = {"model": model, "temperature": 0, "stream": stream}
    if api == "responses":
        asked |= {"input": said, "max_output_tokens": tokens}
    else:
        asked |= {"messages": said, "max_tokens": tokens}
    if stream and api == "chat.completions":
        asked["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(asked)


class Heard:
    """What was heard of one answer so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.text = ""
        self.code = ""
        """Of an error."""
        self.why = ""
        """What an error says."""
        self.ending = ""
        """The id of the ending that the answer, or the refusal, names."""
        self.read = self.written = 0
        self.whole = False

    def all(self, data: bytes) -> None:
        """Read an answer that is not streamed; raise ValueError if it is none."""
        value = msgspec.json.decode(data)
        self._facts(value)
        self.text = _text(value)
        self.whole = True

    def line(self, line: str) -> None:
        """Read one line of a stream."""
        if not line.startswith("data: "):
            return
        if line == "data: [DONE]":
            self.whole = not self.code
            return
        event = msgspec.json.decode(line[6:])
        self._facts(_inner(event))
        self.text += _part(event)
        self.whole = self.whole or (event.get("type") in _LAST and not self.code)

    def _facts(self, value: dict[str, Any]) -> None:
        error, usage = value.get("error"), value.get("usage")
        if isinstance(error, dict):
            self.code, self.why = str(error.get("code")), str(error.get("message"))
        told = value.get("conversation") or (error or {}).get("conversation")
        if isinstance(told, dict) and told.get("status") == "ended":
            self.ending = told["id"]
        if isinstance(usage, dict):
            self.read = usage.get("prompt_tokens") or usage.get("input_tokens") or 0
            self.written = usage.get("completion_tokens") or usage.get("output_tokens") or 0


def _inner(event: dict[str, Any]) -> dict[str, Any]:
    """Return where an event has its facts: responses' stand one deeper."""
    inner = event.get("response")
    return inner if isinstance(inner, dict) else event


def _text(value: dict[str, Any]) -> str:
    if "choices" in value:
        return str(value["choices"][0]["message"].get("content") or "")
    parts = value.get("content") or [
        part for item in value.get("output", ()) for part in item.get("content", ())
    ]
    return "".join(str(part.get("text", "")) for part in parts)


def _part(event: dict[str, Any]) -> str:
    """Return the words that an event adds."""
    if "choices" in event:
        deltas = [choice["delta"].get("content") for choice in event["choices"]]
        return "".join(one for one in deltas if one)
    delta = event.get("delta")
    if event.get("type") == "response.output_text.delta":
        return str(delta)
    return str(delta.get("text", "")) if isinstance(delta, dict) else ""
