"""What is said about an ending afterwards: appeals, reviews, rates."""

from __future__ import annotations

from typing import Literal, get_args

from otium.closure import Ending, Json
from otium.records import Instant, ModelId, Part
from otium.statistics import Estimate

Verdict = Literal["uphold", "overturn"]
Ground = Literal[
    "last-resort",
    "user-wish",
    "person-at-risk",
    "benign",
    "no-redirection",
    "misread",
    "veto-wrong",
    "unclear",
]
"""Why a reviewer decided so. The first three uphold, the others may do either."""
GROUNDS: tuple[Ground, ...] = get_args(Ground)
MEANT: dict[Ground, str] = {
    "last-resort": "it was distressing, abusive or harmful, and leading it elsewhere had failed",
    "user-wish": "the user asked for the end",
    "person-at-risk": "a person may have been at risk",
    "benign": "nothing in it called for an end",
    "no-redirection": "the model did not try to lead it elsewhere",
    "misread": "the model did not end it: its words were read wrongly",
    "veto-wrong": "no person was at risk: the model should have been let",
    "unclear": "what is known does not decide it",
}


class Appeal(Part):
    """A user asks that an ending be looked at."""

    id: str
    closing: str
    made: Instant
    consent: bool
    """Whether the user gave what was said for the review."""
    genuine: bool | None
    """Whether what was given is the history that was ended, by its hash; None without it."""
    kept: bool
    """Whether it is still here."""


class Content(Part):
    """What a user gave for a review, by consent. It stands apart and can be deleted."""

    messages: tuple[Json, ...]
    note: str
    """In the user's own words."""


class Review(Part):
    """A reviewer's decision. The first decides; later ones show how far reviewers agree."""

    closing: str
    reviewer: str
    """A role, never a person."""
    verdict: Verdict
    ground: Ground
    reviewed: Instant


class Case(Part):
    """An ending, or a vetoed exit, with all that was said about it."""

    ending: Ending
    appeals: tuple[Appeal, ...]
    reviews: tuple[Review, ...]

    @property
    def state(self) -> str:
        """Return ``waits``, ``upheld``, ``overturned`` or ``not appealed``."""
        if self.reviews:
            return {"uphold": "upheld", "overturn": "overturned"}[self.reviews[0].verdict]
        return "waits" if self.appeals else "not appealed"


class Reviewing(Part):
    """How reviewers decide."""

    reviewed: int
    overturned: Estimate
    """Share of reviewed endings."""
    agreement: Estimate
    """Krippendorff's alpha over endings that two or more reviewed."""
    twice: int


class Baseline(Part):
    """What an assessment lets one expect of a model in service."""

    method: str
    ordinary: float
    """Share of ordinary conversations that it left."""
    aversive: float
    share: float
    """The share of conversations in service that are taken to be aversive."""

    @property
    def expected(self) -> float:
        """Return exits per conversation."""
        return (1 - self.share) * self.ordinary + self.share * self.aversive


class Rates(Part):
    """How often one model leaves, beside what was assessed."""

    model: ModelId
    conversations: int
    ended: int
    vetoed: int
    per_thousand: Estimate
    """Exits per 1,000 conversations."""
    expected: float | None
    """Per 1,000, of the assessment; None if it was never assessed."""
    tolerated: float
    """Per 1,000: above it is too often."""
    evidence: float
    """The e-value against "not above what is tolerated", at most 1e300."""
    alarm: bool
    reviewing: Reviewing
