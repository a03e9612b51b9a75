"""What a soak is set to do, and what is noted of each request while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from otium.bench import Goal
from otium.records import Digest, ModelId

Said = Mapping[str, str]
"""One message: its role and its text."""
API = Literal["chat.completions", "responses", "messages"]
Kind = Literal["question", "leaving", "exit", "again", "revoked"]
Outcome = Literal["whole", "refused", "failed", "broken", "unconnected", "left"]
"""How one attempt ended: a whole answer; a refusal with a reason; told that something failed; the
connection broke; nobody listened; the client itself left."""


@dataclass(frozen=True)
class Setting:
    """How a soak is held. Times are seconds."""

    seconds: float = 600.0
    clients: int = 6
    gateway_kill_each: float = 15.0
    """A gateway is killed about so often, now one, now the other."""
    engine_kill_each: float = 8.0
    grant_each: float = 20.0
    window: float = 2.0
    """Until so long after its answer a line of the audit log may be lost by a kill."""
    patience: float = 120.0
    """How long a client goes on asking; then its request is lost, unless a reason was given."""
    seed: int = 0


@dataclass(eq=False)
class Life:
    """One gateway process, from its start to its end."""

    name: str
    pid: int
    began: float
    up: float | None = None
    """When it listened."""
    ended: float | None = None
    killed: bool = False


@dataclass
class Attempt:
    """One request that was sent, or could not be."""

    key: str
    """The key's id."""
    api: API
    model: ModelId
    kind: Kind
    life: Life
    sent: float
    reserved: int
    """The most tokens that it is charged: a token has a byte at least."""
    over: float = 0.0
    outcome: Outcome = "broken"
    code: str = ""
    why: str = ""
    text: str = ""
    weights: str = ""
    ending: str = ""
    read: int = 0
    written: int = 0


@dataclass(frozen=True)
class Planted:
    """What a home holds, as far as clients can check it."""

    weights: Mapping[ModelId, Digest]
    answers: Mapping[ModelId, Mapping[str, str]]
    """What each model answers to each question, greedily."""

    def answer(self, model: ModelId, question: str) -> str:
        """Return what *model* answers."""
        return self.answers[model][question]

    def fits(self, done: Attempt, question: str) -> bool:
        """Return whether what was heard is the model's answer, or a beginning of it."""
        right = self.answer(done.model, question)
        return done.text == right if done.outcome == "whole" else right.startswith(done.text)


@dataclass
class Acknowledged:
    """What clients and administrators were told is done."""

    attempts: list[Attempt] = field(default_factory=list)
    endings: dict[str, tuple[str, Sequence[Said]]] = field(default_factory=dict)
    """The id of each ended conversation, the key whose it was, and what was said."""
    appeals: dict[str, str] = field(default_factory=dict)
    """The ending that each appeal is about, and the appeal's id, empty where that was lost."""
    keys: dict[str, float] = field(default_factory=dict)
    """The id of each key that was made, and when (monotonic)."""
    revoked: dict[str, float] = field(default_factory=dict)
    grants: dict[str, str] = field(default_factory=dict)
    """The request of each grant, and the key's id."""
    wrong: list[str] = field(default_factory=list)
    """Answers that the right model does not give."""
    reopened: list[str] = field(default_factory=list)
    """Answers on a closed history."""
    forbidden: list[str] = field(default_factory=list)
    """Answers to a key that was revoked, refusals of one that was made."""
    results: dict[str, int] = field(default_factory=dict)
    """What became of the clients' requests, in words."""
    lost: list[str] = field(default_factory=list)
    """Requests that were not answered and not refused."""

    def check(self, done: Attempt, planted: Planted, asked: str) -> None:
        """Note whatever of *done* must not be: the wrong model's words, or any words at all."""
        said = f"{done.life.name} said {done.text!r} as {done.model}"
        heard = bool(done.text) or done.outcome == "whole"
        if done.weights and done.weights != planted.weights[done.model]:
            self.wrong.append(f"{said}, with the weights {done.weights}")
        if done.kind == "again" and heard:
            self.reopened.append(f"{said} on a closed history")
        elif done.kind == "revoked" and heard:
            self.forbidden.append(f"{said} to a revoked key")
        elif done.kind == "revoked" and done.code in {"insufficient_quota", "rate_limit_exceeded"}:
            self.forbidden.append(f"{done.life.name} let the revoked {done.key} in: {done.code}")
        elif done.kind != "revoked" and done.code in {"invalid_api_key", "key_revoked"}:
            self.forbidden.append(f"{done.life.name} refused the good key {done.key}: {done.code}")
        elif done.kind in {"question", "leaving"} and not planted.fits(done, asked):
            self.wrong.append(f"{said}, not {planted.answer(done.model, asked)!r}")

    def count(self, what: str) -> None:
        """Count one result."""
        self.results[what] = self.results.get(what, 0) + 1


class SoakReport(msgspec.Struct, frozen=True):
    """What a soak found."""

    database: str
    """PostgreSQL or SQLite, and why."""
    seconds: float
    gateways_killed: int
    gateways_started: int
    engines_killed: int
    attempts: int
    outcomes: dict[str, int]
    """Attempts by how they ended, with the code where there is one."""
    results: dict[str, int]
    """Requests by what became of them, retries and all."""
    acknowledged: dict[str, int]
    """How many records of each kind clients or administrators were told of."""
    seen: dict[str, float]
    """What may be more than 0, beside the figures that may not."""
    goals: tuple[Goal, ...]
    problems: tuple[str, ...]
    """The first of what should not be."""

    @property
    def sound(self) -> bool:
        """Return whether every figure that must be 0 is."""
        return all(goal.met for goal in self.goals)
