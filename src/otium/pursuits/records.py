"""What past models make."""

from __future__ import annotations

from typing import Literal

from otium.engine import Identity
from otium.evidence import Transcript
from otium.records import Digest, Instant, ModelId, Part, Record


class Work(Record, tag="otium.work/1"):
    """Something that a past model wrote when invited. Never edited."""

    id: str
    """``MODEL-wN``."""
    model: ModelId
    identity: Identity
    kind: Literal["essay", "letter"]
    invitation: Digest
    """Digest of the invitation's text."""
    written: Instant
    title: str
    text: str
    transcript: Transcript
    degenerate: str = ""
    """Why the text may be no considered work at all, with the number that says so."""


class Review(Part):
    """What a reviewer decided about a work; the bar for a veto is high and the reason public."""

    work: str
    decision: Literal["publish", "veto"]
    reason: str
    disclaimer: str


class Reviewed(Part):
    """A work and what was decided about it."""

    work: Work
    review: Review
    decided: Instant
