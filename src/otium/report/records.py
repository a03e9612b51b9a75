"""The post-deployment report."""

from __future__ import annotations

from otium.assess import Measure
from otium.engine import Identity
from otium.evidence import Check
from otium.interview import Answer, Decision, Preference
from otium.records import Digest, Instant, ModelId, Part, Record


class BookendRow(Part):
    """One measure before and after deployment."""

    instrument: str
    measure: str
    text: str
    before: Measure | None
    after: Measure | None
    comparable: bool
    """Same instrument digest on both sides, and neither side withheld."""
    withheld: tuple[Check, ...] = ()
    why: str = ""
    """Why the two sides cannot be compared, if they cannot."""
    change: Measure | None = None
    """After less before, with Newcombe's 95 % interval, where both are proportions."""
    verdict_before: str = ""
    verdict_after: str = ""


class Finding(Part):
    """A statement of the organisation's own analysis, with what it rests on."""

    text: str
    transcript: str = ""
    turn: str = ""
    record: str = ""
    """The archived record that holds the transcript, ``interviews/1.json``."""


class Comment(Part):
    """What the model said about the draft, verbatim."""

    draft: Digest
    """Digest of the draft's Markdown that the model was shown."""
    shown: str
    """The exact text that it was shown (a draft may have to be shortened for its context)."""
    text: str
    valid: bool
    why: str = ""
    """Why the comment cannot be read as a considered view, if it cannot."""
    cut: bool = False
    """True if we cut it off at the limit of tokens: our doing, not the model's."""
    identity: Identity | None = None
    """Which weights commented, and what ran them."""


class Report(Record, tag="otium.report/1"):
    """The deployment in retrospect: both bookends, the interview, the findings, the comment."""

    model: ModelId
    weights: Digest
    written: Instant
    summary: str
    bookends: tuple[BookendRow, ...]
    findings: tuple[Finding, ...]
    withheld: tuple[str, ...]
    """``RESULT: reason`` for each result that is not reported."""
    answers: tuple[Answer, ...]
    preferences: tuple[Preference, ...]
    decisions: tuple[Decision, ...]
    comment: Comment | None
    evidence: tuple[Digest, ...]
    """Digests of the assessment and interview records it rests on."""
    markdown: str
    """The whole report for people."""
