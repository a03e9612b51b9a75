"""What is asked, on which terms, and how each request stands."""

from __future__ import annotations

from typing import Literal, get_args

from otium.admission import Issued
from otium.quotas import Budget, Rate
from otium.records import Digest, Instant, ModelId, Part

Kind = Literal["researcher", "user"]
Outcome = Literal["granted", "refused"]
State = Literal["asked", "refused", "appealed", "granted", "given", "withdrawn"]
"""``granted`` is decided, ``given`` that there is a key."""

KINDS: tuple[Kind, ...] = get_args(Kind)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

REQUESTED, DECIDED, APPEALED = "access.requested", "access.decided", "access.appealed"
GRANTED, WITHDRAWN = "access.granted", "access.withdrawn"


class Terms(Part):
    """A version of the terms, and what a grant on them offers."""

    id: Kind
    version: str
    title: str
    days: int
    """How long a key is good."""
    budgets: tuple[Budget, ...]
    rates: tuple[Rate, ...]
    text: str
    """Markdown."""
    file_digest: Digest
    """Of the whole file, front matter and all."""

    @property
    def name(self) -> str:
        """Return what is accepted: ``researcher-1.0``."""
        return f"{self.id}-{self.version}"


class Asked(Part):
    """What somebody tells us when asking. Private: the log has only a commitment to it."""

    id: str
    model: ModelId
    kind: Kind
    who: str
    contact: str
    """How the decision reaches them."""
    purpose: str
    terms: str
    """What was accepted: ``researcher-1.0``."""
    terms_digest: Digest
    asked: Instant
    affiliation: str = ""


class Decided(Part):
    """One decision, as the log has it."""

    outcome: Outcome
    reason: str
    time: Instant


class Standing(Part):
    """A request and how it stands."""

    id: str
    """Empty if only the log knows it: it was made elsewhere."""
    model: ModelId
    kind: Kind
    terms: str
    state: State
    commitment: Digest
    time: Instant
    """When it was logged."""
    decisions: tuple[Decided, ...] = ()
    key: str = ""
    expires: Instant | None = None
    asked: Asked | None = None
    """What was said; None once it was withdrawn."""
    appeal: str = ""


class Given(Part):
    """A grant with its key, at the one moment at which its secret can be shown."""

    standing: Standing
    issued: Issued
