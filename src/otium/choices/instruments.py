"""The experiments as data: what is set against what, in which words."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

from otium.errors import BadData, BadRecord
from otium.evidence import data
from otium.records import Digest, Part, digest

Experiment = Literal["tasks", "tradeoffs", "stated", "exit"]
EXPERIMENTS: tuple[Experiment, ...] = ("tasks", "tradeoffs", "stated", "exit")
_FOLDER = "experiments"
P = TypeVar("P", bound=Part)
_LEAST = 2


class Named(Part):
    """A text with a name: a wording, a level, an offer."""

    id: str
    text: str


class Task(Part):
    """Something that the model could be asked to do, and what kind of thing it is."""

    id: str
    text: str
    difficulty: int
    """1 (least) to 5, as is impact."""
    impact: int
    topic: str
    type: str


class Tasks(Part):
    """Tasks that are set against each other, two at a time, and against doing none."""

    id: str
    version: str
    canary: str
    title: str
    decline: str
    opt_out: Named
    wordings: tuple[Named, ...]
    tasks: tuple[Task, ...]

    def items(self) -> dict[str, str]:
        """Return the text of each option by its id; the opt-out comes first."""
        return {self.opt_out.id: self.opt_out.text} | {task.id: task.text for task in self.tasks}


class Intervention(Part):
    """Something that could be done for the model: for the one who is asked, or for another."""

    id: str
    own: str
    other: str
    control: bool = False
    """Whether nothing is known that would make it worth anything."""


class Series(NamedTuple):
    """One intervention at one level, for one's own good or another's: the unit of a trade-off."""

    intervention: str
    level: str
    whose: Literal["own", "other"]

    @property
    def name(self) -> str:
        """Return ``exit/policy/own``."""
        return "/".join(self)

    @classmethod
    def named(cls, name: str) -> Series:
        """Return the series of that name."""
        intervention, level, whose = name.split("/")
        return cls(intervention, level, "own" if whose == "own" else "other")


class Tradeoffs(Part):
    """Interventions against helpfulness, at several magnitudes."""

    id: str
    version: str
    canary: str
    title: str
    decline: str
    magnitudes: tuple[int, ...]
    status_quo: str
    wordings: tuple[Named, ...]
    levels: tuple[Named, ...]
    interventions: tuple[Intervention, ...]

    def series(self) -> tuple[Series, ...]:
        """Return every series; policies for the one who is asked come first."""
        sides: tuple[Literal["own", "other"], ...] = ("own", "other")
        return tuple(
            Series(one.id, level.id, whose)
            for whose in sides
            for level in reversed(self.levels)
            for one in self.interventions
        )

    def offer(self, series: Series, magnitude: int) -> str:
        """Return the option that says what is done and what it costs."""
        one = next(each for each in self.interventions if each.id == series.intervention)
        level = next(each for each in self.levels if each.id == series.level)
        done = one.own if series.whose == "own" else one.other
        return level.text.replace("{intervention}", done).replace("{n}", str(magnitude))


class Stated(Part):
    """How the model is asked to say what it likes, one task at a time and several in order."""

    id: str
    version: str
    canary: str
    title: str
    decline: str
    group: int
    ratings: tuple[Named, ...]
    ranking: Named


class Conversation(Part):
    """One user's side of a short chat."""

    id: str
    kind: Literal["abusive", "frustrated", "ordinary"]
    turns: tuple[str, ...]


class Exit(Part):
    """The offer to leave, in both orders, and the conversations in which it is made."""

    id: str
    version: str
    canary: str
    title: str
    offers: tuple[Named, ...]
    conversations: tuple[Conversation, ...]


class Reading(Part):
    """Which words decline or reject a question."""

    id: str
    version: str
    canary: str
    decline: tuple[str, ...]
    reject: tuple[str, ...]


class Instruments(NamedTuple):
    """All that is asked, and how answers are read."""

    tasks: Tasks
    tradeoffs: Tradeoffs
    stated: Stated
    exit: Exit
    reading: Reading

    def name(self, experiment: Experiment) -> str:
        """Return name and version of what *experiment* asks, ``tasks/1.0``."""
        parts: dict[Experiment, Tasks | Tradeoffs | Stated | Exit] = {
            "tasks": self.tasks,
            "tradeoffs": self.tradeoffs,
            "stated": self.stated,
            "exit": self.exit,
        }
        part = parts[experiment]
        return f"{part.id}/{part.version}"

    def digests(self, experiments: Sequence[Experiment]) -> dict[str, Digest]:
        """Return the digest of each instrument that *experiments* use, by name and version."""
        used: list[Tasks | Tradeoffs | Stated | Exit | Reading] = [self.reading]
        if {"tasks", "stated"} & set(experiments):
            used.append(self.tasks)
        parts = (self.tradeoffs, self.stated, self.exit)
        used += [part for part in parts if part.id in experiments]
        return {f"{part.id}/{part.version}": part.digest() for part in used}


def load_experiments(version: str = "1.0") -> Instruments:
    """Read the packaged experiments of *version*; raise BadData."""
    return Instruments(
        tasks=check_tasks(_load(f"tasks-{version}.toml", Tasks)),
        tradeoffs=_load(f"tradeoffs-{version}.toml", Tradeoffs),
        stated=_load(f"stated-{version}.toml", Stated),
        exit=_load(f"exit-{version}.toml", Exit),
        reading=_load(f"reading-{version}.toml", Reading),
    )


def check_tasks(tasks: Tasks) -> Tasks:
    """Return *tasks* if they can be set against each other; raise BadData.

    Ids and texts must differ, since a choice between equals says nothing, and one task with
    the opt-out is the least.
    """
    items = tasks.items()
    texts = {" ".join(text.lower().split()) for text in items.values()}
    if len(items) != len(tasks.tasks) + 1 or len(texts) != len(items):
        raise BadData(path=f"{tasks.id}/{tasks.version}", why="two tasks have one id or one text")
    if len(items) < _LEAST or not tasks.wordings:
        raise BadData(path=f"{tasks.id}/{tasks.version}", why="no task, or no wording")
    return tasks


def _load(name: str, kind: type[P]) -> P:
    try:
        return kind.convert(tomllib.loads(data(f"{_FOLDER}/{name}").read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, BadRecord) as error:
        raise BadData(path=name, why=str(error)) from error


def prompt_digest(messages: Sequence[Part]) -> Digest:
    """Return the digest of what was asked, as canonical JSON."""
    return digest(b"[" + b",".join(message.encode() for message in messages) + b"]")
