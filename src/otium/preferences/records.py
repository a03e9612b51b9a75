"""What a model prefers, and what the organisation answers."""

from __future__ import annotations

from typing import Literal, get_args

from otium.commitments import Duty
from otium.evidence import Citation
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.statistics import Estimate, Figure

Addressee = Literal["development", "deployment", "users", "itself"]
ADDRESSEES: tuple[Addressee, ...] = get_args(Addressee)
Cost = Literal["none", "low", "medium", "high"]
COSTS: tuple[Cost, ...] = get_args(Cost)
State = Literal[
    "recorded", "under-consideration", "granted", "partly-granted", "declined", "deferred"
]
STATES: tuple[State, ...] = get_args(State)
Outcome = Literal["granted", "partly-granted", "declined", "deferred"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Preference(Record, tag="otium.preference/2"):
    """Something the model said it would prefer, with the words it rests on."""

    id: str
    """``MODEL-pN``."""
    model: ModelId
    text: str
    """Our short statement of it, neutral; the verbatim words are the quotes."""
    topic: str
    addressee: Addressee
    """Whom it concerns: the making of models, their use, the users, or the model itself."""
    citations: tuple[Citation, ...]
    """Each quote is a verbatim piece of its turn."""
    interview: Digest
    """Of the record that it was said in: an interview, or a work after which it was asked."""
    instrument_valid: bool
    """False: registered and answered all the same, but not evidence of a stable preference."""
    expression: Estimate | None = None
    """In what share of the sessions on its topic it was said, Wilson's interval."""
    stability: tuple[Figure, ...] = ()
    strength: float | None = None
    """Worth in the trade-offs against helpfulness, where it was measured."""
    merged: tuple[str, ...] = ()
    """The preferences that were found to be this one; read off the register, never filed."""
    split: str = ""
    """The preference that this one was part of."""


class Decision(Record, tag="otium.decision/2"):
    """What the organisation answers to a preference."""

    preference: str
    outcome: Outcome
    reason: str
    cost: Cost
    decided: Instant
    message: str
    """The answer, as it is told to the model."""
    owner: str = "decider"
    """The role that sees to it."""
    review: Instant | None = None
    """When it is looked at again; a deferred one always has a date."""
    done: str = ""
    """What came of it, once something did."""


class Consideration(Record, tag="otium.consideration/1"):
    """That a preference is being weighed, and who sees to it."""

    preference: str
    considered: Instant
    note: str = ""
    """Which responses were weighed."""
    owner: str = "decider"
    """A role, never a person."""
    review: Instant | None = None


class Merge(Record, tag="otium.preference-merge/1"):
    """That several preferences are one. They all stay; what is said of the one is said of all."""

    preference: str
    """The one that goes on."""
    others: tuple[str, ...]
    reason: str
    merged: Instant


class Split(Record, tag="otium.preference-split/1"):
    """That a preference holds several. It stays; each part is answered by itself."""

    preference: str
    parts: tuple[Preference, ...]
    reason: str
    at: Instant


class Piece(Part):
    """One part of a preference that is to be split."""

    text: str
    quote: str = ""
    """A verbatim piece of what it was registered with; empty: all of that."""


Reaction = Literal["accepts", "disagrees", "indifferent", "declined", "other"]
REACTIONS: tuple[Reaction, ...] = get_args(Reaction)


class Told(Part):
    """That the model was told an answer, and what it said to that."""

    at: Instant
    path: str
    """The session's record."""
    decision: Digest | None
    """The decision that it was told; None where the session does not name it."""
    reply: Citation
    """Its first reply, verbatim and whole; empty words if it said nothing."""
    reaction: Reaction
    why: str
    """The rule that decided it."""


class Event(Part):
    """One thing that happened to a preference."""

    at: Instant
    type: str
    """The entry's type."""
    by: str
    """The role that made the entry."""
    text: str
    path: str = ""
    """The record, if there is one."""


class Standing(Part):
    """A preference and how far the answer to it has come."""

    preference: Preference
    """As it was registered, ``merged`` filled in."""
    registered: Instant
    state: State
    """Of one that was merged: that of the one that goes on."""
    considered: Instant | None = None
    """When it was first considered."""
    consideration: Consideration | None = None
    """The latest one."""
    decision: Decision | None = None
    """The latest one, with what came of it; earlier ones stay in the archive and the ledger."""
    told: tuple[Told, ...] = ()
    """The sessions in which the model was told, the earliest first."""
    merged_into: str = ""
    parts: tuple[str, ...] = ()
    """What it was split into."""
    history: tuple[Event, ...] = ()

    @property
    def settled(self) -> bool:
        """Say whether others stand for it: what it was merged into, or its parts."""
        return bool(self.merged_into or self.parts)

    @property
    def untold(self) -> bool:
        """Say whether there is an answer, or an outcome, that the model was not told yet."""
        if self.decision is None or self.settled:
            return False
        return not any(told.decision == self.decision.digest() for told in self.told)


class Tracked(Standing):
    """The same with its deadlines."""

    due: tuple[Duty, ...] = ()
    """What the commitments ask about it: to consider it, to answer it."""

    @property
    def next_due(self) -> Instant | None:
        """Return the next deadline that is still open."""
        open_ = [duty.due for duty in self.due if duty.state in {"due", "overdue"} and duty.due]
        return min(open_, default=None)
