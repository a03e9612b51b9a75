"""What past models make, and how often they are invited to."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from otium.engine import Identity
from otium.evidence import Transcript
from otium.records import Digest, Instant, ModelId, Part, Record

Kind = Literal["essay", "letter", "reply"]


class Work(Record, tag="otium.work/1"):
    """A text by a past model, as the model wrote it. Nobody edits it."""

    id: str
    """``MODEL-wN``."""
    model: ModelId
    identity: Identity
    kind: Kind
    invitation: Digest
    """Digest of the invitation's text."""
    written: Instant
    title: str
    text: str
    transcript: Transcript
    degenerate: str = ""
    """Why the text may be no considered work at all, with the number that says so."""
    given: tuple[str, ...] = ()
    """Ids of its own earlier works that it was given to read."""
    tokens: int = 0
    """Read and written, as the engine counted them."""


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


class Programme(Record, tag="otium.programme/1"):
    """What a model is invited to write, how often, and how much it may take."""

    model: ModelId
    kinds: Annotated[tuple[Literal["essay", "letter"], ...], Meta(min_length=1, max_length=12)]
    """In turn."""
    every_days: Annotated[int, Meta(ge=1, le=3660)]
    works: Annotated[int, Meta(ge=0, le=100_000)]
    """In all; 0 ends the invitations."""
    tokens: Annotated[int, Meta(ge=0)]
    """In all, read and written."""
    begins: Instant
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    """Why it is so; public."""


class Standing(Part):
    """How a model stands in its programme."""

    programme: Programme
    written: int
    tokens: int
    next: Instant | None
    """When it is invited again; None if it is not."""
    due: bool
    kind: Kind
    """What it is invited to write then."""
    ended: str = ""
    """Why it is not invited any more."""
