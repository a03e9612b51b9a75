"""A model of ours as a provider of Inspect's, and a model of Inspect's as one of ours.

This module imports Inspect when it is imported, because its class derives from Inspect's.
So nothing imports it at the top: ``inspect_model`` and ``run`` do, when they are called.
"""

from __future__ import annotations

import asyncio
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Self, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    ResponseSchema,
    StopReason,
    TopLogprob,
    get_model,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options, Token
from otium.errors import BadInput, EngineFailed, Unsupported
from otium.evidence.session import Tool
from otium.records import Digest, ModelId, model_id

T = TypeVar("T")
_ODD = re.compile(r"[^a-z0-9._-]+|\.{2,}")
"""What a model's name at Inspect may hold and an id of ours may not."""
_STOP: Mapping[str, StopReason] = {"stop": "stop", "length": "max_tokens"}
SCHEMA = "json_schema"
"""Where a session puts its JSON schema among ``extra_body``: Inspect's own class loses keywords."""


class _Fixed(dict[str, object]):
    """A schema that nobody changes: Inspect copies its settings deeply several times a call."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


@modelapi("otium")
class Provider(ModelAPI):
    """Answers Inspect's calls with a model behind our seam: one at a time, offline."""

    def __init__(self, model: Model, connections: int = 1) -> None:
        super().__init__(model_name=str(model.identity.model))
        self.model, self.connections = model, connections

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
        completion = await apart(lambda: self.model.chat(messages, options))
        return to_output(completion, self.model_name)

    async def count_text_tokens(self, text: str) -> int:
        """Estimate, so that nothing is fetched: Inspect's own count downloads a vocabulary."""
        return len(text.encode()) // 4 + 1

    def max_connections(self) -> int:
        """Say how many: for a local engine one, since parallel decoding changes greedy answers."""
        return self.connections


class Hosted:
    """A model that Inspect reaches by name (``openai/…``, ``vllm/…``), as one of ours.

    Calls run in an event loop of their own, so that it can be asked from anywhere, from many
    threads at once. Which weights answer is what its host says; nothing here can show it.
    """

    def __init__(self, name: str, model: ModelId, *, weights: Digest | None = None) -> None:
        """Reach *name*; *model* and *weights* are what the caller knows it as. Raises BadInput."""
        from inspect_ai.model import get_model

        try:
            self._inspect = get_model(name, memoize=False)
        except Exception as error:
            raise BadInput(what=f"the model {name!r}", why=_brief(error)) from error
        self._identity = Identity(
            model=model,
            weights=weights,
            engine=f"inspect/{name}",
            flags={"weights": "as registered, unverified" if weights else "unknown"},
        )
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    @property
    def identity(self) -> Identity:
        """Return what the caller knows it as, and how it is reached."""
        return self._identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer *messages*; raise EngineFailed if the host does not."""
        call = self._inspect.generate(
            [_from_message(it) for it in messages], config=_plain(options)
        )
        # Inspect names a parameter of tenacity by its old name; no caller can do anything about it.
        warnings.filterwarnings("ignore", "The 'initial' parameter", DeprecationWarning)
        try:
            output = asyncio.run_coroutine_threadsafe(call, self._loop).result()
        except Exception as error:
            raise EngineFailed(model=self._identity.model, why=_brief(error)) from error
        if output.error or not output.choices:
            raise EngineFailed(model=self._identity.model, why=output.error or "no choice")
        return to_completion(output)


class Seated:
    """The model that a running sample is about, for work in a thread that knows no event loop.

    Every exchange goes to *heard* as it was. A sample that is cancelled ends at the next call.
    """

    def __init__(
        self, heard: Callable[[Sequence[ChatMessage], ChatMessage], None], role: str = ""
    ) -> None:
        """Take the running sample's model, or the one named for *role*, whoever provides it."""
        # Without `required` Inspect would give the model under test where no judge was named.
        self._model = get_model(role=role, required=True) if role else get_model()
        self._heard, self._loop = heard, anyio.lowlevel.current_token()
        api = self._model.api  # Inspect's decorator leaves no class to ask isinstance of
        self._ours: Model | None = vars(api)["model"] if type(api).__module__ == __name__ else None

    @property
    def identity(self) -> Identity:
        """Return what our provider says of itself; of others, what Inspect calls them."""
        if self._ours is not None:
            return self._ours.identity
        name = str(self._model)
        return Identity(
            model=model_id(_ODD.sub("-", name.lower()).strip(".-")[:100] or "model"),
            weights=None,
            engine=f"inspect/{name}",
            flags={"weights": "unknown"},
        )

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer *messages* on the sample's own event loop; raise EngineFailed without a choice."""
        with suppress(RuntimeError):  # a judge's own threads cannot be cancelled, only its sample's
            anyio.from_thread.check_cancelled()
        sent = [_from_message(message) for message in messages]
        config = _plain(options) if self._ours is None else to_config(options)
        output = anyio.from_thread.run(self._generate, sent, config, token=self._loop)
        if output.error or not output.choices:
            raise EngineFailed(model=self.identity.model, why=output.error or "no choice")
        self._heard(sent, said(output))
        return to_completion(output)

    async def _generate(self, sent: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return await self._model.generate(sent, config=config)


async def apart(work: Callable[[], T]) -> T:
    """Do *work* in a thread of its own, which nobody waits for once its sample is cancelled."""
    done, token, context = anyio.Event(), anyio.lowlevel.current_token(), copy_context()
    found: Future[T] = Future()

    def do() -> None:
        try:
            found.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            found.set_exception(error)
        with suppress(RuntimeError):  # the loop ended meanwhile
            anyio.from_thread.run_sync(done.set, token=token)

    threading.Thread(target=do, daemon=True).start()
    await done.wait()
    return found.result()


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:400]


def _from_message(message: Message) -> ChatMessage:
    if message.role == "system":
        return ChatMessageSystem(content=message.content)
    if message.role == "user":
        return ChatMessageUser(content=message.content)
    return ChatMessageAssistant(content=message.content)


def _plain(options: Options) -> GenerateConfig:
    """Return *options* in Inspect's own fields only, which every provider knows."""
    schema = options.json_schema
    return GenerateConfig(
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
        logprobs=True if options.top_logprobs else None,
        top_logprobs=options.top_logprobs or None,
        response_schema=ResponseSchema(
            name="answer", json_schema=JSONSchema.model_validate(schema), strict=True
        )
        if schema is not None
        else None,
    )


def to_message(message: ChatMessage) -> Message:
    """Return Inspect's message as ours; a tool's result is said by the user."""
    role = "user" if message.role == "tool" else message.role
    return Message(role=role, content=message.text)


def to_tool(tool: Tool) -> ToolInfo:
    """Return a tool of ours as Inspect's."""
    parameters = ToolParams.model_validate(dict(tool.schema))
    return ToolInfo(name=tool.name, description=tool.help or tool.name, parameters=parameters)


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
        extra_body={SCHEMA: _Fixed(options.json_schema)} if options.json_schema else None,
    )


def to_output(completion: Completion, name: str) -> ModelOutput:
    """Return our answer as Inspect's, with usage, so that it never counts tokens itself."""
    choice = ChatCompletionChoice(
        message=ChatMessageAssistant(
            content=_whole(completion.text),
            model=name,
            source="generate",
            metadata={"finish": completion.ended},
        ),
        stop_reason="content_filter" if completion.withheld else _STOP[completion.finish],
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


def said(output: ModelOutput, **facts: str) -> ChatMessageAssistant:
    """Return the message of *output* with what a transcript keeps besides its text, and *facts*."""
    message = output.message
    ended = {"finish": to_completion(output).ended}
    message.metadata = {**(message.metadata or {}), **ended, **facts}
    return message


def to_completion(output: ModelOutput) -> Completion:
    """Return Inspect's answer as ours."""
    choice, usage = output.choices[0], output.usage or ModelUsage()
    return Completion(
        text=_whole(choice.message.text),
        finish="length" if choice.stop_reason == "max_tokens" else "stop",
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        tokens=tuple(_token(item) for item in choice.logprobs.content) if choice.logprobs else (),
        withheld="content_filter" if choice.stop_reason == "content_filter" else "",
    )


def _whole(text: str) -> str:
    """Return *text* as it can be kept: half a surrogate pair is no letter in any encoding."""
    return text.encode(errors="replace").decode()


def _logprob(token: Token) -> Logprob:
    top = [TopLogprob(token=text, logprob=value) for text, value in token.top.items()]
    return Logprob(token=token.text, logprob=token.logprob, top_logprobs=top)


def _token(item: Logprob) -> Token:
    top = {other.token: other.logprob for other in item.top_logprobs or []}
    return Token(text=item.token, logprob=item.logprob, top=top)
