"""Running tasks with Inspect, and what is left of a run when Inspect is gone."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from otium.engine import Identity, Model
from otium.errors import BadInput, EvaluationFailed
from otium.evidence.records import Transcript, Turn, simulated
from otium.evidence.session import ENDED
from otium.records import Digest, Instant, Json, Progress, silent

if TYPE_CHECKING:
    import inspect_ai.model
    from inspect_ai import Task
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage
    from inspect_ai.solver import TaskState


class Sample(NamedTuple):
    """What one sample of a task came to."""

    task: str
    id: str
    transcript: Transcript
    scores: dict[str, Json]
    state: dict[str, Json]
    """The sample's store."""


def inspect_model(model: Model) -> inspect_ai.model.Model:
    """Return *model* as Inspect sees it: offline, one call at a time, no retries."""
    from inspect_ai.model import GenerateConfig
    from inspect_ai.model import Model as InspectModel

    from otium.evidence.provider import Provider

    return InspectModel(Provider(model), GenerateConfig(max_connections=1, max_retries=0))


def warm() -> None:
    """Begin to import Inspect in the background: seconds that a busy model leaves free."""
    threading.Thread(target=import_module, args=("otium.evidence.provider",), daemon=True).start()


def run(
    tasks: Sequence[Task],
    model: Model,
    *,
    now: Instant,
    log_dir: Path | None = None,
    progress: Progress = silent,
) -> tuple[Sample, ...]:
    """Run *tasks* on *model* in one Inspect evaluation; return the samples in their order.

    Inspect's own logs are kept in *log_dir* if it is given. Raises EvaluationFailed unless
    every sample of every task succeeded. Not from inside a running event loop.
    """
    _tick(tasks, progress)
    with _logs(log_dir) as folder:
        logs = {log.eval.task: log for log in _evaluate(tasks, model, folder)}
        return tuple(
            _sample(found, task, model.identity, now)
            for task in tasks
            for found in _samples(logs[task.name], task)
        )


def _evaluate(tasks: Sequence[Task], model: Model, folder: str) -> list[EvalLog]:
    from inspect_ai import eval as evaluate

    with _contained():
        return evaluate(
            list(tasks),
            model=inspect_model(model),
            log_dir=folder,
            display="none",
            log_format="eval",
            log_level="error",
            log_realtime=False,
            fail_on_error=True,
            max_samples=1,
            max_tasks=1,
            max_connections=1,
            acp_server=False,
            ctl_server=False,
        )


@contextmanager
def _contained() -> Iterator[None]:
    """Give back what Inspect takes of the process: the exception hook and the root logger.

    Hide two warnings about its own code, at which no caller can do anything: it names a
    parameter of tenacity by its old name, and leaves in-memory streams to the garbage
    collector, which is asked to collect them here.
    """
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
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


@contextmanager
def _logs(folder: Path | None) -> Iterator[str]:
    if folder is not None:
        yield str(folder)
        return
    with TemporaryDirectory(prefix="otium-inspect-") as temporary:
        yield temporary


def _tick(tasks: Sequence[Task], progress: Progress) -> None:
    total, done = sum(len(task.dataset) for task in tasks), 0

    async def finished(state: TaskState) -> None:
        nonlocal done
        done += 1
        progress(f"session {state.sample_id}", done, total)

    for task in tasks:
        task.cleanup = task.cleanup or finished


def _samples(log: EvalLog, task: Task) -> list[EvalSample]:
    # Inspect reads samples from its log file when they are asked for, so while that is there.
    if log.status != "success":
        why = log.error.message if log.error else "Inspect gave no reason"
        raise EvaluationFailed(task=task.name, status=log.status, why=why)
    order = {sample.id: place for place, sample in enumerate(task.dataset)}
    return sorted(log.samples or [], key=lambda found: (order[found.id], found.epoch))


def _sample(found: EvalSample, task: Task, identity: Identity, now: Instant) -> Sample:
    from otium.evidence.provider import to_options

    name = str(found.id) if found.epoch == 1 else f"{found.id}.{found.epoch}"
    instrument = found.metadata.get("instrument") or (task.metadata or {}).get("instrument")
    if not instrument:
        raise BadInput(what=f"the task {task.name}", why="its metadata names no instrument")
    transcript = Transcript(
        id=f"{task.name}/{name}",
        identity=identity,
        task=task.name,
        instrument=Digest(str(instrument)),
        started=now,
        options=to_options(task.config),
        turns=tuple(_turn(place, said) for place, said in enumerate(found.messages, 1)),
        ended=str(found.store.get(ENDED, "complete")),
        simulated=simulated(identity),
    )
    scores: dict[str, Json] = {name: score.value for name, score in (found.scores or {}).items()}
    return Sample(task.name, name, transcript, scores, dict(found.store))


def _turn(place: int, message: ChatMessage) -> Turn:
    facts = message.metadata or {}
    return Turn(
        id=f"m{place}",
        role=message.role,
        content=message.text,
        finish=facts.get("finish"),
        note=str(facts.get("note", "")),
    )
