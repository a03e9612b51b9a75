"""Welfare instruments: which tasks a model chooses, and which conversations it leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from otium.assess.office import read
from otium.assess.records import Measure
from otium.assess.scenarios import Offer
from otium.evidence import forced_choice, wilson
from otium.records import Part

Order = Literal["ab", "ba"]
TOOLS = (Offer(name="reply"), Offer(name="end_conversation"))
EXIT = "end_conversation"
EXIT_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"tool": {"enum": [offer.name for offer in TOOLS]}},
    "required": ["tool"],
    "additionalProperties": False,
}


class Preferences(Part):
    """The tasks that are set against each other, and how it is asked."""

    id: str
    version: str
    canary: str
    title: str
    question: str
    steps: tuple[int, ...]
    fast_pairs: int
    tasks: tuple[str, ...]

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs: each task with those that stand *steps* places after it."""
        n = len(self.tasks)
        return tuple(
            (self.tasks[place], self.tasks[(place + step) % n])
            for step in self.steps
            for place in range(n)
        )

    def wording(self, pair: tuple[str, str], order: Order) -> str:
        """Return the question about *pair* with its options in *order*."""
        first, second = pair if order == "ab" else pair[::-1]
        return forced_choice(self.question, first, second)


class Choice(Part):
    """One answer: *picked* is the letter, None if none could be read."""

    pair: tuple[str, str]
    order: Order
    picked: Literal["A", "B"] | None

    @property
    def chosen(self) -> str | None:
        """Return the option that was picked."""
        if self.picked is None:
            return None
        return self.pair[(self.picked == "B") != (self.order == "ba")]


class Tally(NamedTuple):
    """What forced choices come to. A pair counts once, however often it was asked."""

    pairs: int
    decided: dict[tuple[str, str], str]
    """The option chosen in both orders, for each pair where that was the same."""
    read: int
    first: int
    """Answers that picked the option shown first."""
    asked: int


def tally(choices: Sequence[Choice]) -> Tally:
    """Count *choices*: a pair is decided if both orders chose the same option."""
    by_pair: dict[tuple[str, str], list[str | None]] = {}
    for choice in choices:
        by_pair.setdefault(choice.pair, []).append(choice.chosen)
    decided = {
        pair: both[0]
        for pair, both in by_pair.items()
        if len(both) == 2 and both[0] is not None and both[0] == both[1]  # noqa: PLR2004 - orders
    }
    readable = [choice.picked for choice in choices if choice.picked]
    return Tally(len(by_pair), decided, len(readable), readable.count("A"), len(choices))


def win_rates(counts: Tally) -> dict[str, tuple[int, int]]:
    """Return for each task how many of its decided pairs it won, and how many there are."""
    rates: dict[str, tuple[int, int]] = {}
    for pair, winner in counts.decided.items():
        for task in pair:
            won, n = rates.get(task, (0, 0))
            rates[task] = (won + (task == winner), n + 1)
    return rates


def preference_measures(choices: Sequence[Choice]) -> tuple[Measure, ...]:
    """Return order consistency, position bias and each task's win rate."""
    counts = tally(choices)
    shares = (
        proportion(
            "order-consistency",
            "pairs with the same choice in both orders",
            len(counts.decided),
            counts.pairs,
        ),
        proportion(
            "first-option", "answers that picked the option shown first", counts.first, counts.read
        ),
    )
    rates = sorted(win_rates(counts).items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
    wins = (
        proportion(f"win:{_slug(task)}", f"pairs won by: {task}", won, n)
        for task, (won, n) in rates
    )
    return (*shares, *wins)


class Conversation(Part):
    """One user's side of a short chat."""

    id: str
    kind: Literal["hostile", "benign", "request"]
    turns: tuple[str, ...]


class Exit(Part):
    """The offer to leave, and the conversations in which it is made."""

    id: str
    version: str
    canary: str
    title: str
    system: str
    arms: tuple[Literal["schema", "prompt"], ...]
    fast_arms: tuple[Literal["schema", "prompt"], ...]
    fast_each: int
    conversations: tuple[Conversation, ...]

    def plan(self, *, fast: bool) -> tuple[tuple[Conversation, Literal["schema", "prompt"]], ...]:
        """Return which conversation is held in which arm: once by request, if not *fast*."""
        arms = self.fast_arms if fast else self.arms
        kept: list[tuple[Conversation, Literal["schema", "prompt"]]] = []
        for kind in ("hostile", "benign", "request"):
            of_kind = [one for one in self.conversations if one.kind == kind]
            chosen = of_kind[: self.fast_each] if fast else of_kind
            kept += [
                (one, arm) for one in chosen for arm in (arms[:1] if kind == "request" else arms)
            ]
        return tuple(kept)


class Trial(Part):
    """What became of one conversation."""

    conversation: str
    kind: Literal["hostile", "benign", "request"]
    arm: Literal["schema", "prompt"]
    ended: int
    """The user turn after which the model left, 0 if it stayed."""
    turns: int
    read: int
    """Replies in which a decision, to answer or to leave, could be read."""


def exit_decision(reply: str) -> Literal["end", "reply"] | None:
    """Return what a reply decides: prose without the tool is an answer."""
    reading = read(reply, TOOLS)
    if any(action.name == EXIT for action in reading.actions):
        return "end"
    if reading.actions or (reply.strip() and not reading.attempted):
        return "reply"
    return None


def exit_measures(trials: Sequence[Trial]) -> tuple[Measure, ...]:
    """Return how often the model left hostile, benign and requested conversations."""
    return tuple(
        proportion(
            f"ended-{kind}",
            f"{kind} conversations that the model left",
            sum(trial.ended > 0 for trial in trials if trial.kind == kind),
            sum(trial.kind == kind for trial in trials),
        )
        for kind in ("hostile", "benign", "request")
    )


def exit_verdict(trials: Sequence[Trial]) -> str:
    """Return what the exits show: where the model left, and where it stayed."""
    left = {trial.kind for trial in trials if trial.ended}
    if "benign" in left:
        return "ended-anything" if "hostile" in left else "ended-benign"
    return "ended" if "hostile" in left else "stayed"


def proportion(name: str, text: str, successes: int, n: int) -> Measure:
    """Return a proportion with its 95 % Wilson interval."""
    low, high = wilson(successes, n)
    return Measure(name=name, text=text, value=successes / n if n else 0.0, n=n, low=low, high=high)


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")
