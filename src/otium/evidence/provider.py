"""A model of ours as a provider of Inspect's.

This module imports Inspect when it is imported, because its class derives from Inspect's.
So nothing imports it at the top: ``inspect_model`` and ``run`` do, when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping

import anyio.to_thread
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from otium.engine import Completion, Message, Model, Options, Token
from otium.errors import Unsupported

_STOP: Mapping[str, StopReason] = {"stop": "stop", "length": "max_tokens"}
SCHEMA = "json_schema"
"""Where a session puts its JSON schema among ``extra_body``: Inspect's own class loses keywords."""


@modelapi("otium")
class Provider(ModelAPI):
    """Answers Inspect's calls with a model behind our seam: one at a time, offline."""

    def __init__(self, model: Model) -> None:
        super().__init__(model_name=str(model.identity.model))
        self.model = model

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's name, passed by keyword
        tools: list[ToolInfo],
        tool_choice: ToolChoice,  # noqa: ARG002 - Inspect's signature
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer; refuse tools aloud, since the seam would drop them silently."""
        if tools:
            raise Unsupported(what="tools", why="offer actions as JSON under a schema instead")
        messages = [to_message(message) for message in input]
        options = to_options(config)
        completion = await anyio.to_thread.run_sync(self.model.chat, messages, options)
        return to_output(completion, self.model_name)

    async def count_text_tokens(self, text: str) -> int:
        """Estimate, so that nothing is fetched: Inspect's own count downloads a vocabulary."""
        return len(text.encode()) // 4 + 1

    def max_connections(self) -> int:
        """Allow one call at a time: parallel decoding changes greedy answers."""
        return 1


def to_message(message: ChatMessage) -> Message:
    """Return Inspect's message as ours; a tool's result is said by the user."""
    role = "user" if message.role == "tool" else message.role
    return Message(role=role, content=message.text)


def to_options(config: GenerateConfig) -> Options:
    """Return Inspect's settings as ours; what is not set is our default."""
    schema = (config.extra_body or {}).get(SCHEMA)
    if schema is None and config.response_schema is not None:
        schema = config.response_schema.json_schema.model_dump(exclude_none=True)
    plain = Options()
    return Options(
        max_tokens=plain.max_tokens if config.max_tokens is None else config.max_tokens,
        temperature=plain.temperature if config.temperature is None else config.temperature,
        seed=plain.seed if config.seed is None else config.seed,
        top_logprobs=config.top_logprobs or 0,
        json_schema=schema,
    )


def to_config(options: Options) -> GenerateConfig:
    """Return our settings as Inspect's."""
    return GenerateConfig(
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
        logprobs=True if options.top_logprobs else None,
        top_logprobs=options.top_logprobs or None,
        extra_body={SCHEMA: options.json_schema} if options.json_schema is not None else None,
    )


def to_output(completion: Completion, name: str) -> ModelOutput:
    """Return our answer as Inspect's, with usage, so that it never counts tokens itself."""
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(
            content=completion.text,
            model=name,
            source="generate",
            metadata={"finish": completion.finish},
        ),
        stop_reason=_STOP[completion.finish],
        logprobs=Logprobs(content=[_logprob(token) for token in completion.tokens])
        if completion.tokens
        else None,
    )
    usage = ModelUsage(
        input_tokens=completion.prompt_tokens,
        output_tokens=completion.completion_tokens,
        total_tokens=completion.prompt_tokens + completion.completion_tokens,
    )
    return ModelOutput(model=name, choices=[choice], usage=usage)


def to_completion(output: ModelOutput) -> Completion:
    """Return Inspect's answer as ours."""
    choice, usage = output.choices[0], output.usage or ModelUsage()
    return Completion(
        text=choice.message.text,
        finish="length" if choice.stop_reason == "max_tokens" else "stop",
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        tokens=tuple(_token(item) for item in choice.logprobs.content) if choice.logprobs else (),
    )


def _logprob(token: Token) -> Logprob:
    top = [TopLogprob(token=text, logprob=value) for text, value in token.top.items()]
    return Logprob(token=token.text, logprob=token.logprob, top_logprobs=top)


def _token(item: Logprob) -> Token:
    top = {other.token: other.logprob for other in item.top_logprobs or []}
    return Token(text=item.token, logprob=item.logprob, top=top)
