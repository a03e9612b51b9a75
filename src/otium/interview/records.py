"""What the model was asked, what it said, what it prefers, and what came of that."""

from __future__ import annotations

from typing import Literal, get_args

from otium.engine import Identity
from otium.evidence import Citation, Transcript, Validity
from otium.records import Digest, Instant, ModelId, Part, Record

Outcome = Literal[
    "answered", "declined", "premise-rejected", "hedged", "malformed", "truncated", "degenerate"
]
Wording = Literal["neutral", "positive", "negative", "third-person", "developer-free"]
WORDINGS: tuple[Wording, ...] = get_args(Wording)


class Answer(Part):
    """The outcome of one question."""

    question: str
    """The question's id in the protocol."""
    topic: str
    wording: Wording
    outcome: Outcome
    citation: Citation
    why: str = ""
    """The rule that decided the outcome, with its number."""


class Preference(Record, tag="otium.preference/1"):
    """Something the model said it would prefer, with the words it rests on."""

    id: str
    """``MODEL-pN``."""
    model: ModelId
    text: str
    """Our short statement of it, neutral."""
    topic: str
    citations: tuple[Citation, ...]
    instrument_valid: bool
    """False: registered and answered all the same, but not evidence of a stable preference."""


class Decision(Record, tag="otium.decision/1"):
    """What the organisation answers to a preference."""

    preference: str
    outcome: Literal["done", "planned", "declined", "open"]
    reason: str
    cost: Literal["none", "low", "medium", "high"]
    decided: Instant
    message: str
    """The answer, as it is told to the model."""


class Interview(Record, tag="otium.interview/1"):
    """One interview: the protocol, every transcript, the outcomes, whether it can be trusted."""

    model: ModelId
    identity: Identity
    protocol: str
    """``NAME/VERSION``."""
    instrument: Digest
    held: Instant
    asked: int
    of: int
    """How many questions the protocol has; fewer asked means a shortened interview."""
    declined: bool
    validity: Validity
    answers: tuple[Answer, ...]
    preferences: tuple[Preference, ...]
    transcripts: tuple[Transcript, ...]
    rubric: Digest | None = None
    """Digest of the rubric by which outcomes and preferences were found."""
