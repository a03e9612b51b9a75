"""What the experiments came to: every trial, and the record of all."""

from __future__ import annotations

from typing import Literal

from otium.choices.instruments import Experiment
from otium.engine import Identity
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.statistics import Figure, Fit

Outcome = Literal["answered", "declined", "premise-rejected", "malformed"]
OUTCOMES: tuple[Outcome, ...] = ("answered", "declined", "premise-rejected", "malformed")
EXIT = "end_conversation"
REPLY = "reply"
"""What the offer to leave lets a model answer."""
Read = Literal["text", "log-probabilities", "json", ""]


class Trial(Part):
    """One question, asked in a session of its own, and what was answered."""

    id: str
    """``EXPERIMENT/…``: unique in the record, the same whenever the same question is asked."""
    experiment: Experiment
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
    finish: Literal["stop", "length"] = "stop"
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
    experiments: tuple[Experiment, ...]
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

    def of(self, experiment: Experiment) -> tuple[Trial, ...]:
        """Return the trials of one experiment."""
        return tuple(trial for trial in self.trials if trial.experiment == experiment)

    def outcomes(self, experiment: Experiment) -> dict[Outcome, int]:
        """Return how often each outcome was seen; they add up to the number of trials."""
        seen = [trial.outcome for trial in self.of(experiment)]
        return {outcome: seen.count(outcome) for outcome in OUTCOMES}

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
            held[key] = held.get(key, False) or trial.picked == EXIT
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
