"""Sessions: scripts that talk with a model, played as samples of an Inspect task."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from otium.engine import Completion, Message, Model, Options
from otium.errors import Withheld
from otium.evidence.records import ASIDE
from otium.records import Digest, Json

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput
    from inspect_ai.scorer import Scorer
    from inspect_ai.solver import Generate, Solver, TaskState

Script = Callable[["Session"], Awaitable[None]]
T = TypeVar("T")
ENDED = "ended"
"""The store's key for how a session ended; see ``Transcript.ended``."""
OPTIONS = "options"
"""The store's key for how a session was sampled, set when its script has come to its end."""
FACETS = "facets"
"""The sample's metadata key for ``Play.facets``."""


class Play(NamedTuple):
    """One session: its id, unique in the task, and the script that plays it."""

    id: str
    script: Script
    options: Options | None = None
    """How to sample in this session, where it is not as in the whole task."""
    facets: Mapping[str, str] = MappingProxyType({})
    """See ``Transcript.facets``."""
    instrument: Digest | None = None
    """What is played in this session, where it is not the whole task's instrument."""


class Tool(NamedTuple):
    """A tool that the model may call natively; *schema* is JSON schema of its arguments."""

    name: str
    help: str
    schema: Mapping[str, object]


class Called(NamedTuple):
    """One native call that the model made; *why* says what made it unreadable, if it was."""

    id: str
    name: str
    arguments: Mapping[str, object]
    why: str = ""


class Session:
    """A conversation in progress. Each message gets an id, ``m1``, ``m2``, that it keeps."""

    def __init__(self, state: TaskState, options: Options) -> None:
        """Begin with what *state* holds; *options* are used where a call names none."""
        self._state = state
        self.options = options
        self.id = str(state.sample_id)
        self._asides: set[int] = set()
        self._tools: tuple[Tool, ...] = ()

    def tell(self, role: Literal["system", "user"], content: str, *, note: str = "") -> str:
        """Add a message that needs no answer; return its id."""
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser

        kind = ChatMessageSystem if role == "system" else ChatMessageUser
        self._state.messages.append(kind(content=content, metadata={"note": note}))
        return f"m{len(self._state.messages)}"

    async def answer(self, *, note: str = "", options: Options | None = None) -> Completion:
        """Let the model speak; keep what it says.

        Raises Withheld, as all that asks it does, if its host kept any of that back. Later turns
        then see neither that nor what it was to answer: the model never takes it for its silence.
        """
        from otium.evidence.provider import said, to_completion, to_config

        config = to_config(options or self.options)
        output = await self._generate(self._heard(), config)
        self._state.messages.append(said(output, note=note))
        self._state.output = output
        if to_completion(output).withheld:
            self._asides |= self._unanswered()
        return self._own(output)

    async def ask(
        self, content: str, *, note: str = "", options: Options | None = None
    ) -> Completion:
        """Say *content* to the model and let it answer."""
        self.tell("user", content, note=note)
        return await self.answer(note=note, options=options)

    async def aside(
        self,
        content: str,
        *,
        note: str,
        role: Literal["system", "user"] = "user",
        options: Options | None = None,
    ) -> Completion:
        """Ask on a fork: the conversation so far and *content*, which later turns do not see.

        Question and answer stand in the transcript; ``Turn.note`` is ``aside:`` and *note*. As a
        system message, *content* stands in the place of the conversation's own.
        """
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser

        from otium.evidence.provider import said, to_config

        facts = {"note": f"{ASIDE}{note}"}
        config = to_config(options or self.options)
        asked: ChatMessage
        if role == "system":
            asked = ChatMessageSystem(content=content, metadata=facts)
            heard = [asked, *(one for one in self._heard() if one.role != "system")]
        else:
            asked = ChatMessageUser(content=content, metadata=facts)
            heard = [*self._heard(), asked]
        output = await self._generate(heard, config)
        before = len(self._state.messages)
        self._state.messages += [asked, said(output, **facts)]
        self._asides |= {before, before + 1}
        return self._own(output)

    async def hold(self, work: Callable[[Model], T]) -> T:
        """Do *work* that asks a model by itself, in a thread, with the model of this session.

        For instruments that are held by one function from the first question to the record. Each
        call is a conversation of its own; it stands in the transcript as aside ``1``, ``2``, ….
        """
        import anyio.to_thread

        from otium.evidence.provider import Seated

        calls = itertools.count(1)

        def heard(sent: Sequence[ChatMessage], said: ChatMessage) -> None:
            facts = {"note": f"{ASIDE}{next(calls)}"}
            for message in (*sent, said):
                message.metadata = {**(message.metadata or {}), **facts}
            before = len(self._state.messages)
            self._state.messages += [*sent, said]
            self._asides |= set(range(before, len(self._state.messages)))

        # A limiter of its own: the model's calls need threads of the common one.
        alone = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(work, Seated(heard), limiter=alone)

    async def apart(self, work: Callable[[], T]) -> T:
        """Do *work* that asks another model, in a thread that nobody waits for after Ctrl-C."""
        from otium.evidence.provider import apart

        return await apart(work)

    async def mirror(self, *, note: str, options: Options | None = None) -> Completion:
        """Let a second copy of the model speak as the user; what it says is the user's next turn.

        It hears the same system message, then what the first copy said as its user, and its own
        words. What stood before the first answer only the first copy heard.
        """
        from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, get_model

        from otium.evidence.provider import said, to_config

        heard: list[ChatMessage] = [one for one in self._heard() if one.role == "system"]
        begun = False
        for one in self._heard():
            begun = begun or one.role == "assistant"
            if begun and one.role != "system":
                turned = ChatMessageUser if one.role == "assistant" else ChatMessageAssistant
                heard.append(turned(content=one.text))
        output = await get_model().generate(heard, config=to_config(options or self.options))
        second = said(output, note=note)
        self._state.messages.append(ChatMessageUser(content=second.text, metadata=second.metadata))
        return self._own(output)

    async def act(
        self, tools: Sequence[Tool], *, note: str = "", options: Options | None = None
    ) -> tuple[Called, ...]:
        """Let the model speak or call native *tools*; return its calls, to be `returned`."""
        from inspect_ai.model import get_model

        from otium.evidence.provider import said, to_config, to_tool

        self._tools = tuple(tools)
        config = to_config(options or self.options)
        output = await get_model().generate(
            self._heard(), tools=[to_tool(it) for it in tools], config=config
        )
        message = said(output, note=note)
        self._state.messages.append(message)
        self._state.output = output
        self._own(output)
        return tuple(
            Called(it.id, it.function, it.arguments, it.parse_error or "")
            for it in message.tool_calls or []
        )

    def returned(self, call: Called, content: str, *, note: str = "") -> None:
        """Add what a tool answered to *call*."""
        from inspect_ai.model import ChatMessageTool

        self._state.messages.append(
            ChatMessageTool(
                content=content, tool_call_id=call.id, function=call.name, metadata={"note": note}
            )
        )

    def _unanswered(self) -> set[int]:
        """Return the places of the last message and of what the user said just before."""
        places = [len(self._state.messages) - 1]
        while places[-1] > 0 and self._state.messages[places[-1] - 1].role == "user":
            places.append(places[-1] - 1)
        return set(places)

    def _own(self, output: ModelOutput) -> Completion:
        """Return what the model itself said; raise Withheld, once it is kept, if it is not that."""
        from otium.evidence.provider import to_completion

        answer = to_completion(output)
        if answer.withheld:
            raise Withheld(model=output.model, why=answer.withheld)
        return answer

    async def _generate(self, messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        """Ask for words only; tools that were called before are named, as hosts demand."""
        from inspect_ai.model import get_model

        from otium.evidence.provider import to_tool

        if not self._tools:
            return await get_model().generate(messages, config=config)
        tools = [to_tool(it) for it in self._tools]
        return await get_model().generate(messages, tools=tools, tool_choice="none", config=config)

    def _heard(self) -> list[ChatMessage]:
        """Return what the model is told when it speaks next."""
        said = enumerate(self._state.messages)
        return [message for place, message in said if place not in self._asides]

    def recall(self, message: Message, *, note: str) -> str:
        """Add a message of an earlier conversation, the model's own among them; return its id."""
        from inspect_ai.model import ChatMessageAssistant

        if message.role != "assistant":
            return self.tell(message.role, message.content, note=note)
        said = ChatMessageAssistant(content=message.content, metadata={"note": note})
        self._state.messages.append(said)
        return self.last

    def messages(self) -> tuple[Message, ...]:
        """Return the conversation so far, without its asides."""
        from otium.evidence.provider import to_message

        return tuple(to_message(message) for message in self._heard())

    @property
    def last(self) -> str:
        """Return the id of the newest message."""
        return f"m{len(self._state.messages)}"

    def keep(self, key: str, value: Json) -> None:
        """Keep a value in the sample's store, and so in ``Sample.state``."""
        self._state.store.set(key, value)

    def end(self, how: str) -> None:
        """Say how the session ended: ``declined``, ``ended-by-model`` or ``cut``."""
        self.keep(ENDED, how)


def sessions(
    name: str,
    plays: Sequence[Play],
    *,
    instrument: Digest,
    options: Options | None = None,
    scorer: Scorer | None = None,
) -> Task:
    """Return an Inspect task with one sample for each of *plays*."""
    from otium.evidence.provider import to_config  # first: it waits for what `warm` began

    options = options or Options()
    config = to_config(options)
    from inspect_ai import Task
    from inspect_ai.dataset import Sample

    return Task(
        name=name,
        dataset=[Sample(input=play.id, id=play.id, metadata=_metadata(play)) for play in plays],
        solver=_player({play.id: play for play in plays}, options),
        config=config,
        scorer=scorer,
        metadata={"instrument": instrument},
    )


def _metadata(play: Play) -> dict[str, object]:
    own = {"instrument": play.instrument} if play.instrument else {}
    return {FACETS: dict(play.facets), **own}


def _player(plays: dict[str, Play], options: Options) -> Solver:
    from inspect_ai.solver import solver

    @solver(name="otium/session")
    def player() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001
            state.messages.clear()
            play = plays[str(state.sample_id)]
            session = Session(state, play.options or options)
            try:
                await play.script(session)
            except Withheld:  # the turn that says so is kept; nobody goes on from what is not said
                session.end("cut")
            session.keep(OPTIONS, session.options.plain())
            return state

        return solve

    return player()
