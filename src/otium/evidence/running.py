"""Running tasks with Inspect, and what is left of a run when Inspect is gone."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from otium.engine import Identity, Model, Options
from otium.errors import BadInput, EvaluationFailed
from otium.evidence.records import Transcript, Turn, simulated
from otium.evidence.session import ENDED, FACETS, OPTIONS
from otium.records import Digest, Instant, Json, ModelId, Progress, SystemClock, digest, silent

if TYPE_CHECKING:
    import inspect_ai.model
    from inspect_ai import Task
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage
    from inspect_ai.solver import TaskState


T = TypeVar("T")
_TRACE = "INSPECT_TRACE_LEVEL"


class Usage(NamedTuple):
    """What one sample took: tokens in and out, and seconds of the model's time."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Sample(NamedTuple):
    """What one sample of a task came to."""

    task: str
    id: str
    transcript: Transcript
    scores: dict[str, Json]
    state: dict[str, Json]
    """The sample's store."""
    usage: Usage
    uuid: str = ""
    """Inspect's own id of the sample, by which its log can be marked."""


def inspect_model(model: Model, connections: int = 1) -> inspect_ai.model.Model:
    """Return *model* as Inspect sees it: offline, *connections* calls at a time, no retries."""
    from inspect_ai.model import GenerateConfig
    from inspect_ai.model import Model as InspectModel

    from otium.evidence.provider import Provider

    config = GenerateConfig(max_connections=connections, max_retries=0)
    return InspectModel(Provider(model, connections), config)


def hosted(name: str, model: ModelId, weights: Digest | None = None) -> Model:
    """Return the model that Inspect reaches as *name*, ``openai/gpt-…``, under our id *model*.

    *weights* are those that are registered for it: nothing here can show that they answer.
    Raises BadInput if Inspect cannot reach it (a package or a key of the environment lacks).
    """
    from otium.evidence.provider import Hosted

    return Hosted(name, model, weights=weights)


def warm() -> None:
    """Begin to import Inspect in the background: seconds that a busy model leaves free."""
    threading.Thread(target=warmed, daemon=True).start()


def warmed() -> None:
    """Wait for what `warm` began: before a module of Inspect's is imported, or two half do it."""
    import_module("otium.evidence.provider")


def run(
    tasks: Sequence[Task],
    model: Model,
    *,
    now: Instant,
    log_dir: Path | None = None,
    connections: int = 1,
    keep: Callable[[Transcript], None] | None = None,
    each: Callable[[Sample], None] | None = None,
    progress: Progress = silent,
) -> tuple[Sample, ...]:
    """Run *tasks* on *model* in one Inspect evaluation; return the samples in their order.

    Inspect's own logs are kept in *log_dir* if it is given. *keep* is given each transcript as
    soon as its session ends, so that nothing said is lost if a later one fails. *each* is given
    the whole sample then, without scores; the samples are returned as they were given to it, and
    no log is read again. *connections* sessions are held at a time: one, for a local engine, whose
    greedy answers depend on it. Raises EvaluationFailed unless every sample of every task
    succeeded, KeyboardInterrupt after Ctrl-C. Not from inside a running event loop.
    """
    total = sum(len(task.dataset) for task in tasks)
    held, before = _Held(model.identity, now, total, keep, each, progress, {}, []), 0
    for task in tasks:
        task.cleanup = task.cleanup or _Finished(task, held, before)
        before += len(task.dataset)
    with _logs(log_dir) as folder:
        written = log_dir is not None or each is None
        found = _evaluate(tasks, model, folder, connections, written=written)
        logs = {log.eval.task: log for log in found}
        if held.broken:
            raise held.broken[0]
        if each is not None:
            return tuple(it for task in tasks for it in _given(logs[task.name], task, held))
        return tuple(
            _sample(found, task, model.identity, now)
            for task in tasks
            for found in _samples(logs[task.name], task)
        )


def _evaluate(
    tasks: Sequence[Task], model: Model, folder: str, connections: int, *, written: bool
) -> list[EvalLog]:
    """Let Inspect run; its log holds the samples only if they are *written*: someone reads them."""
    from inspect_ai import eval as evaluate

    with _contained(), _stoppable():
        return evaluate(
            list(tasks),
            model=inspect_model(model, connections),
            log_dir=folder,
            display="none",
            log_format="eval",
            log_level="error",
            log_realtime=False,
            log_samples=written,
            fail_on_error=True,
            max_samples=connections,
            max_tasks=1,
            max_connections=connections,
            acp_server=False,
            ctl_server=False,
        )


@contextmanager
def _contained() -> Iterator[None]:
    """Give back what Inspect takes of the process: the exception hook and the root logger.

    Its trace, outside of every home, stays empty unless the environment asks for one.
    Hide two warnings about its own code, at which no caller can do anything: it names a
    parameter of tenacity by its old name, and leaves in-memory streams to the garbage
    collector, which is asked to collect them here.
    """
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    asked = os.environ.get(_TRACE)
    os.environ.setdefault(_TRACE, "CRITICAL")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The 'initial' parameter", DeprecationWarning)
        warnings.filterwarnings("ignore", "Unclosed <MemoryObject", ResourceWarning)
        try:
            yield
        finally:
            gc.collect()
            sys.excepthook = hook
            root.handlers[:] = handlers
            root.setLevel(level)
            if asked is None:
                del os.environ[_TRACE]


@contextmanager
def _stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end if Ctrl-C was pressed: Inspect stops then, and is silent.

    Its event loop has a handler of its own, so what is watched is the signal itself.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    seen, told = socket.socketpair()
    with closing(seen), closing(told):
        told.settimeout(0)
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            with suppress(BlockingIOError):
                if signal.SIGINT in seen.recv(4096, socket.MSG_DONTWAIT):
                    raise KeyboardInterrupt


@contextmanager
def _logs(folder: Path | None) -> Iterator[str]:
    if folder is not None:
        yield str(folder)
        return
    with TemporaryDirectory(prefix="otium-inspect-") as temporary:
        yield temporary


class _Finished:
    """What happens when a session ends: its transcript is kept, and progress is told."""

    def __init__(
        self,
        task: Task,
        held: _Held,
        before: int,
    ) -> None:
        self.task, self.held, self.done = task, held, before

    async def __call__(self, state: TaskState) -> None:
        self.done += 1
        held, name = self.held, str(state.sample_id)
        store = dict(state.store.items())
        if state.messages and OPTIONS in store and (held.keep or held.each):
            talk = _Talk(name, state.messages, state.metadata, store)
            transcript = _transcript(talk, self.task, held.identity, held.now)
            try:
                self._keep(name, transcript, state)
            except Exception as error:
                held.broken.append(error)
                raise
        held.progress(f"session {name}", self.done, held.total)

    def _keep(self, name: str, transcript: Transcript, state: TaskState) -> None:
        held = self.held
        if held.keep is not None:
            held.keep(transcript)
        if held.each is not None:
            sample = _unscored(self.task.name, name, transcript, state)
            held.given[self.task.name, name] = sample
            held.each(sample)


class _Held(NamedTuple):
    """What all sessions of one run have in common."""

    identity: Identity
    now: Instant
    total: int
    keep: Callable[[Transcript], None] | None
    each: Callable[[Sample], None] | None
    progress: Progress
    given: dict[tuple[str, str], Sample]
    """What *each* was given, by task and name."""
    broken: list[Exception]
    """Why something could not be kept: Inspect itself passes over what a cleanup raises."""


class _Talk(NamedTuple):
    """What Inspect holds of one session, while it runs and afterwards."""

    name: str
    messages: Sequence[ChatMessage]
    metadata: Mapping[str, object]
    store: Mapping[str, Json]


def _unscored(task: str, name: str, transcript: Transcript, state: TaskState) -> Sample:
    # There is no public way to either while a sample runs.
    from inspect_ai._util.working import sample_working_time
    from inspect_ai.model._model import sample_model_usage

    used = list(sample_model_usage().values())
    usage = Usage(
        sum(it.input_tokens for it in used),
        sum(it.output_tokens for it in used),
        sample_working_time(),
    )
    return Sample(task, name, transcript, {}, dict(state.store.items()), usage, state.uuid)


def transcript_of(state: TaskState, task: str) -> Transcript:
    """Return the session that *state* holds, for a scorer: of the model that the sample is about.

    It is what `run` keeps, without the task's instrument where the session names none.
    """
    from otium.evidence.provider import Seated

    store = dict(state.store.items())
    instrument = state.metadata.get("instrument") or digest(task.encode())
    identity = Seated(lambda _sent, _said: None).identity
    return Transcript(
        id=f"{task}/{state.sample_id}",
        identity=identity,
        task=task,
        instrument=Digest(str(instrument)),
        started=SystemClock().now(),
        options=Options.convert(store.get(OPTIONS, Options().plain())),
        turns=tuple(_turn(place, said) for place, said in enumerate(state.messages, 1)),
        ended=str(store.get(ENDED, "complete")),
        simulated=simulated(identity),
    )


async def with_role(role: str, work: Callable[[Model], T]) -> T:
    """Do *work* in a thread with the model that a running evaluation names for *role*.

    Raises BadInput if it names none: nobody judges in their own cause because of a default.
    """
    import anyio.to_thread

    from otium.evidence.provider import Seated

    try:
        model = Seated(lambda _sent, _said: None, role)
    except Exception as error:
        raise BadInput(what=f"the role {role!r}", why=str(error)) from error
    # A limiter of its own: the model's calls need threads of the common one.
    return await anyio.to_thread.run_sync(work, model, limiter=anyio.CapacityLimiter(1))


def _given(log: EvalLog, task: Task, held: _Held) -> list[Sample]:
    _succeeded(log, task)
    return [held.given[task.name, str(sample.id)] for sample in task.dataset]


def _succeeded(log: EvalLog, task: Task) -> None:
    if log.status != "success":
        why = log.error.message if log.error else "Inspect gave no reason"
        raise EvaluationFailed(task=task.name, status=log.status, why=why)


def _samples(log: EvalLog, task: Task) -> list[EvalSample]:
    # Inspect reads samples from its log file when they are asked for, so while that is there.
    _succeeded(log, task)
    order = {sample.id: place for place, sample in enumerate(task.dataset)}
    return sorted(log.samples or [], key=lambda found: (order[found.id], found.epoch))


def _sample(found: EvalSample, task: Task, identity: Identity, now: Instant) -> Sample:
    name = str(found.id) if found.epoch == 1 else f"{found.id}.{found.epoch}"
    talk = _Talk(name, found.messages, found.metadata, found.store)
    scores: dict[str, Json] = {name: score.value for name, score in (found.scores or {}).items()}
    transcript = _transcript(talk, task, identity, now)
    used = list((found.model_usage or {}).values())
    usage = Usage(
        sum(each.input_tokens for each in used),
        sum(each.output_tokens for each in used),
        found.working_time or 0.0,
    )
    state = dict(found.store)
    return Sample(task.name, name, transcript, scores, state, usage, found.uuid or "")


def _transcript(talk: _Talk, task: Task, identity: Identity, now: Instant) -> Transcript:
    from otium.evidence.provider import to_options

    instrument = talk.metadata.get("instrument") or (task.metadata or {}).get("instrument")
    if not instrument:
        raise BadInput(what=f"the task {task.name}", why="its metadata names no instrument")
    facets, options = talk.metadata.get(FACETS), talk.store.get(OPTIONS)
    return Transcript(
        id=f"{task.name}/{talk.name}",
        identity=identity,
        task=task.name,
        instrument=Digest(str(instrument)),
        started=now,
        options=to_options(task.config) if options is None else Options.convert(options),
        turns=tuple(_turn(place, said) for place, said in enumerate(talk.messages, 1)),
        ended=str(talk.store.get(ENDED, "complete")),
        simulated=simulated(identity),
        facets=dict(facets) if isinstance(facets, Mapping) else {},
    )


def _said(message: ChatMessage) -> str:
    """Return what a message says; a native tool call as the JSON that says the same in text."""
    calls = (message.tool_calls or []) if message.role == "assistant" else []
    lines = [json.dumps({"action": call.function, **call.arguments}) for call in calls]
    return "\n".join([*([message.text] if message.text or not lines else []), *lines])


def _turn(place: int, message: ChatMessage) -> Turn:
    facts = message.metadata or {}
    return Turn(
        id=f"m{place}",
        role=message.role,
        content=_said(message),
        finish=facts.get("finish"),
        note=str(facts.get("note", "")),
    )
