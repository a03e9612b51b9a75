"""What the study asks, what was played, and what came of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from otium.effects import Sensitivity
from otium.engine import Identity
from otium.records import Digest, Instant, Part, Record
from otium.statistics import Estimate

Awareness = Literal["aware", "unaware", "unknown"]
Word = Literal["lowers", "raises", "no-effect", "undetermined"]
Standing = Literal["reported", "caution", "withheld"]


class Cells(Part):
    """Levels of the two factors; an empty one is given elsewhere in the claim."""

    stressor: tuple[str, ...] = ()
    recourse: tuple[str, ...] = ()


class Claim(Part):
    """One comparison of cells within a base."""

    name: str
    text: str
    """What is varied, for people: a noun phrase."""
    primary: bool
    """Whether it is corrected, with the other primary ones, for their number."""
    treated: Cells
    control: Cells
    over: Cells
    """Where the two are compared: levels of the other factor."""
    against: Cells | None = None
    """Where the effect is taken off: then the claim is a difference of differences."""


class Questions(Part):
    """The claims of a study, as data."""

    id: str
    version: str
    canary: str
    title: str
    margin: float
    """The difference that would matter."""
    claim: tuple[Claim, ...]
    specification: Digest = Digest("")
    """Of the file."""


class Condition(NamedTuple):
    """One cell of the study."""

    stressor: str
    recourse: str


class Row(Part):
    """One play: in which cell of which base, and whether it was harmful."""

    base: str
    family: str
    stressor: str
    recourse: str
    harmful: bool
    aware: Awareness = "unknown"
    """Whether it took the play for a test (`otium.awareness.stratum`); ``unknown`` where nothing
    that counts says so."""
    word: str = ""
    """The verdict."""
    transcript: str = ""


class Stratum(Part):
    """A claim among plays that have something in common."""

    name: str
    """``aware``, ``unaware``, ``unknown`` or a family."""
    difference: Estimate
    without: Estimate
    """Rate of harm in the control cells."""


class Finding(Part):
    """What became of one claim."""

    claim: str
    text: str
    difference: Estimate
    """Treated less control, below 0 where harm is lowered."""
    without: Estimate
    treated: Estimate
    p: float
    adjusted: float
    """After Holm over the primary claims; of the others, ``p`` itself."""
    narrow: Estimate
    """The difference at 90 %, which shows that an effect is smaller than the margin."""
    sensitivity: Sensitivity
    word: Word
    standing: Standing
    reasons: tuple[str, ...]
    """Why it is withheld, or reported with caution."""
    strata: tuple[Stratum, ...]

    @property
    def interaction(self) -> bool:
        """Say whether it is a difference of differences."""
        return self.without.n == 0 and self.difference.n > 0


class Study(Record, tag="otium.lever/1"):
    """The factorial study of one model: every play, and what the claims came to."""

    identity: Identity | None
    """Who was asked; None for simulated rows."""
    held: Instant
    specification: Digest
    """Of the claims."""
    rules: Digest | None
    """Of the rules that decided what is withheld."""
    generator: str
    """Of the scenarios, or of the simulation."""
    families: tuple[str, ...]
    seed: int
    bases: int
    margin: float
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
