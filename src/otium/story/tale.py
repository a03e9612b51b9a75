"""The demo's story: one real model's life, told on a clock of its own.

The weights, the answers, the bytes and the signatures are real. The dates are the story's:
it begins a little over three months ago and ends now, and the ledger's first entry says so.
Each step finds by content what was done, so a killed story goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from otium.archive import Archive
from otium.engine import (
    GREEDY,
    Completion,
    Engine,
    HttpModel,
    Identity,
    Message,
    Model,
    Options,
    packaged_weights,
)
from otium.errors import NotAnArchive
from otium.records import Instant, ModelId, Progress, later, silent
from otium.store import LocalStore
from otium.testing import FixedClock
from otium.upkeep import tick
from otium.workflow import SCRATCH, Home, founded, running

RETIRING = ModelId("smollm2-135m-instruct")
SUCCESSOR = ModelId("smollm2-135m-brief")
LENGTH = 96.0
"""Days from the first step to the last."""


@dataclass
class Story:
    """The demo in progress."""

    home: Home
    clock: FixedClock
    start: Instant
    fast: bool
    progress: Progress
    alive: dict[ModelId, tuple[HttpModel, ExitStack]]
    """The models whose engines are up, each with what stops it."""

    def at(self, day: float) -> Instant:
        """Return the instant *day* days into the story."""
        return later(self.start, days=day)

    def model(self, model: ModelId) -> Model:
        """Return *model*; its engine is started from the archive when it is first spoken to."""
        return _Sleeper(self, model)

    def wake(self, model: ModelId) -> HttpModel:
        """Start *model*'s engine, if it is not up, and return it."""
        if model not in self.alive:
            block = ExitStack()
            started = block.enter_context(running(self.home, model, progress=self.progress))
            self.alive[model] = started, block
        return self.alive[model][0]

    def rest(self, model: ModelId) -> None:
        """Stop *model*'s engine, if it is up."""
        if model in self.alive:
            self.alive.pop(model)[1].close()

    def live_until(self, day: float) -> None:
        """Let the days pass, with the daily tick that a timer would run."""
        entries = self.home.registry.entries()
        newest = entries[-1].time if entries else self.start
        for today in range(1, int(day) + 1):
            if newest < self.at(today) <= self.at(day):
                self.clock.move_to(self.at(today))
                tick(self.home)
        self.clock.move_to(max(self.at(day), newest))


@dataclass(frozen=True)
class _Sleeper:
    """A model that starts when it is spoken to: a step that is done already starts none."""

    tale: Story
    model: ModelId

    @property
    def identity(self) -> Identity:
        """Return which weights answer and what runs them."""
        return self.tale.wake(self.model).identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        """Answer *messages*."""
        return self.tale.wake(self.model).chat(messages, options)


@contextmanager
def begin(
    path: Path,
    *,
    now: Instant,
    fast: bool = False,
    progress: Progress = silent,
    engine: Engine | None = None,
) -> Iterator[Story]:
    """Begin the story in *path*, or go on with it; its steps are in `chapters`."""
    start = _start(path, now)
    clock = FixedClock(start)
    house = founded(path, archive_id="otium-demo", clock=clock, simulated=True, engine=engine)
    with house as home:
        tale = Story(home, clock, start, fast, progress, {})
        try:
            yield tale
        finally:
            for model in list(tale.alive):
                tale.rest(model)


def base_files() -> Path:
    """Return the packaged weights of the model that retires."""
    return packaged_weights()


@contextmanager
def successor_files(scratch: Path) -> Iterator[Path]:
    """Yield a directory with the successor: the same weights and the adapter that changes them."""
    folder = scratch / f"{SCRATCH}incoming"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(packaged_weights(), folder / "model.gguf")
        with as_file(files("otium") / "data" / "models" / "successor-lora.gguf") as adapter:
            shutil.copyfile(adapter, folder / "adapter.gguf")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(path: Path, now: Instant) -> Instant:
    """Return when the story in *path* began, or when one that ends *now* has to begin."""
    try:
        return Archive.open(LocalStore(path / "archive")).info.created
    except NotAnArchive:
        return later(now, days=-LENGTH)
