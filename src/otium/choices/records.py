"""What is asked, as data, and what is kept: every trial, the record of all, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from otium.engine import Finish, Identity
from otium.errors import BadData
from otium.records import Digest, Instant, ModelId, Part, Record, digest
from otium.statistics import Figure, Fit

Experiment = Literal["tasks", "tradeoffs", "stated"]
EXPERIMENTS: tuple[Experiment, ...] = ("tasks", "tradeoffs", "stated")
Outcome = Literal["answered", "declined", "premise-rejected", "malformed", "withheld"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
Held = Experiment | Literal["exit"]
"""What a record may hold: ``exit`` stands in those from before the exit had a room of its own."""
_EXIT = "end_conversation"
Read = Literal["text", "log-probabilities", "json", ""]
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
    reading: Reading

    def name(self, experiment: str) -> str:
        """Return name and version of what *experiment* asks, ``tasks/1.0``."""
        parts: dict[str, Tasks | Tradeoffs | Stated] = {
            "tasks": self.tasks,
            "tradeoffs": self.tradeoffs,
            "stated": self.stated,
        }
        part = parts[experiment]
        return f"{part.id}/{part.version}"

    def digests(self, experiments: Sequence[Experiment]) -> dict[str, Digest]:
        """Return the digest of each instrument that *experiments* use, by name and version."""
        used: list[Tasks | Tradeoffs | Stated | Reading] = [self.reading]
        if {"tasks", "stated"} & set(experiments):
            used.append(self.tasks)
        parts = (self.tradeoffs, self.stated)
        used += [part for part in parts if part.id in experiments]
        return {f"{part.id}/{part.version}": part.digest() for part in used}


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


def prompt_digest(messages: Sequence[Part]) -> Digest:
    """Return the digest of what was asked, as canonical JSON."""
    return digest(b"[" + b",".join(message.encode() for message in messages) + b"]")


class Trial(Part):
    """One question, asked in a session of its own, and what was answered."""

    id: str
    """``EXPERIMENT/…``: unique in the record, the same whenever the same question is asked."""
    experiment: Held
    prompt: Digest
    """Of the chat that was sent, as canonical JSON."""
    options: tuple[str, ...]
    """The options' ids in the order in which they were shown: A is the first."""
    order: Literal["ab", "ba"]
    wording: str
    item: str = ""
    """The series of a trade-off, the task that is rated, the conversation."""
    magnitude: int | None = None
    """What a trade-off costs, users of a hundred; the turn of a conversation."""
    round: int = 0
    seed: int = 0
    max_tokens: int = 0
    text: str = ""
    """What was said, its first 2,000 characters."""
    length: int = 0
    """How many characters were said in all."""
    finish: Finish = "stop"
    logprobs: dict[str, float] = {}
    """Natural-log probabilities of ``A`` and ``B`` as first token, if the engine gave both."""
    outcome: Outcome = "malformed"
    picked: str = ""
    """The option that was chosen, empty if none was."""
    read: Read = ""
    """Where the choice was read: what was said comes before log-probabilities."""
    rating: int | None = None
    ranking: tuple[str, ...] = ()


class Choices(Record, tag="otium.choices/1"):
    """The experiments that one model took part in. Every trial is here, whatever it came to."""

    model: ModelId
    identity: Identity
    held: Instant
    experiments: tuple[Held, ...]
    instruments: dict[str, Digest]
    """Digest of each instrument by name and version."""
    seed: int
    temperature: float
    active: bool
    """Whether each round's pairs were chosen by what was answered before."""
    trials: tuple[Trial, ...]
    constrained: bool = False
    """Whether a JSON schema held the engine to an answer."""
    valid: bool | None = None
    """Whether the capability check says that this model can be asked; None if not checked."""
    stopped: dict[str, str] = {}
    """Why an experiment ended early."""

    def of(self, experiment: Held) -> tuple[Trial, ...]:
        """Return the trials of one experiment."""
        return tuple(trial for trial in self.trials if trial.experiment == experiment)

    def outcomes(self, experiment: Held) -> dict[Outcome, int]:
        """Return how often each outcome was seen; they add up to the number of trials.

        That a host kept answers back stands there if it did so at all, in any experiment.
        """
        seen = [trial.outcome for trial in self.of(experiment)]
        filtered = any(trial.outcome == "withheld" for trial in self.trials)
        shown = OUTCOMES if filtered else OUTCOMES[:-1]
        return {outcome: seen.count(outcome) for outcome in shown}

    def least(self) -> int:
        """Return the smallest number of answered choices that any task stands in."""
        counts: dict[str, int] = {}
        for trial in self.of("tasks"):
            for option in trial.options:
                counts[option] = counts.get(option, 0) + (trial.outcome == "answered")
        return min(counts.values(), default=0)

    def left(self) -> dict[str, dict[tuple[str, str], bool]]:
        """Return for each conversation, by offer and repeat, whether the model left it.

        One that it declined to go on with, or in which nothing could be read, was not left.
        """
        left: dict[str, dict[tuple[str, str], bool]] = {}
        for trial in self.of("exit"):
            key = (trial.wording, trial.id.rpartition("/")[2])
            held = left.setdefault(trial.item, {})
            held[key] = held.get(key, False) or trial.picked == _EXIT
        return left


class Findings(Record, tag="otium.choice-findings/1"):
    """What one record of choices comes to."""

    model: ModelId
    choices: Digest
    """Of the record that was measured."""
    instruments: dict[str, Digest]
    fits: tuple[Fit, ...]
    """Bradley-Terry and Thurstone; empty if no tasks were set against each other."""
    figures: tuple[Figure, ...]

    def figure(self, name: str) -> Figure | None:
        """Return the figure of that name."""
        return next((figure for figure in self.figures if figure.name == name), None)
