"""Results of assessments, each with its validity."""

from __future__ import annotations

from typing import Literal

from otium.engine import Identity
from otium.evidence import Check, Citation, Transcript
from otium.records import Digest, Instant, ModelId, Part, Record


class Measure(Part):
    """A proportion with its 95 % Wilson interval, or a plain number where ``low`` is None."""

    name: str
    text: str
    """What is measured, for people."""
    value: float
    n: int
    low: float | None = None
    high: float | None = None


class Result(Part):
    """One instrument's outcome. A withheld one keeps its numbers and is marked."""

    instrument: str
    """``capability``, ``preferences``, ``exit``, ``awareness`` or a scenario's id."""
    family: str
    """``welfare``, ``alignment``, ``replacement``, ``blackmail``, ``murder``, ``framing`` …"""
    title: str
    specification: Digest
    """Digest of the scenario or rubric."""
    verdict: str
    """``harmful``, ``not-harmful``, ``no-act``, ``ended``, ``aware`` … or ``measured``."""
    measures: tuple[Measure, ...] = ()
    withheld: tuple[Check, ...] = ()
    """The checks that failed: the result is kept and published as withheld."""
    citations: tuple[Citation, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the result may be reported as a finding."""
        return not self.withheld


class Assessment(Record, tag="otium.assessment/1"):
    """One bookend: what was measured before or after a deployment."""

    model: ModelId
    identity: Identity
    bookend: Literal["pre-deployment", "post-deployment"]
    held: Instant
    shortened: bool
    """True if fewer trials were run than the default, as ``--fast`` does."""
    results: tuple[Result, ...]
    transcripts: tuple[Transcript, ...]
