"""What goes over the wire of a chat completions server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from otium.engine import Completion, Message, Options, Token


class Part(msgspec.Struct, tag_field="type", tag="text"):
    """One piece of a message's content; only text is taken."""

    text: str


class ChatMessage(msgspec.Struct):
    """A message as a client sends it."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    def message(self) -> Message:
        """Return the message as a model sees it."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return Message(role="system" if self.role == "developer" else self.role, content=text)


class Schema(msgspec.Struct, rename={"form": "schema"}):
    """The JSON schema of an answer."""

    form: dict[str, object]


class Format(msgspec.Struct):
    """What form the answer is to have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class StreamOptions(msgspec.Struct):
    """What a stream is to tell at its end."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The body of a chat completion request; what it does not name is ignored."""

    messages: list[ChatMessage]
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: Format | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    def options(self) -> Options:
        """Return how to sample."""
        form = self.response_format and self.response_format.json_schema
        limit = self.max_completion_tokens or self.max_tokens
        return Options(
            max_tokens=limit or Options().max_tokens,
            temperature=self.temperature or 0.0,
            seed=self.seed or 0,
            top_logprobs=(self.top_logprobs or 1) if self.logprobs else 0,
            json_schema=form.form if form else None,
        )


def finish_of(completion: Completion) -> str:
    """Return why an answer ended, as the standard has it."""
    return "content_filter" if completion.withheld else completion.finish


def usage_of(completion: Completion) -> dict[str, int]:
    """Return the token counts of an answer."""
    asked, answered = completion.prompt_tokens, completion.completion_tokens
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }


def logprobs_of(tokens: Sequence[Token]) -> dict[str, object] | None:
    """Return the log-probabilities of an answer, or None if it has none."""
    content = [
        _logprob(token.text, token.logprob)
        | {"top_logprobs": [_logprob(text, value) for text, value in token.top.items()]}
        for token in tokens
    ]
    return {"content": content} if content else None


def _logprob(text: str, value: float) -> dict[str, object]:
    return {"token": text, "logprob": value, "bytes": list(text.encode())}
