"""The report: sections of statements, and for each statement of fact what it rests on."""

from __future__ import annotations

from typing import Literal, get_args

from otium.assess import Measure
from otium.authority import Role, Signature
from otium.engine import Identity
from otium.evidence import Check
from otium.records import Digest, Instant, ModelId, Part, Record

Kind = Literal["pre-deployment", "post-deployment"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Source(Part):
    """Where a statement can be looked up: a record, a line of a transcript, or the log.

    A record is one of the model's in the archive, with the digest of its bytes. A line is a
    turn of a transcript inside that record. An entry is one of the log, counted from nought;
    with *whole* it is the last one about the model that was read: that something was not said
    or done rests on all of them.
    """

    record: str = ""
    sha256: Digest | None = None
    transcript: str = ""
    turn: str = ""
    entry: int | None = None
    whole: bool = False


class Statement(Part):
    """A sentence. One of fact has a source; a note says how to read the others."""

    text: str
    kind: Literal["fact", "note"] = "fact"
    sources: tuple[Source, ...] = ()


class Quote(Part):
    """Words that are not ours, exactly."""

    text: str
    label: str
    """In answer to which question, under which conditions."""
    asked: str = ""
    """What was said to the model before."""
    sources: tuple[Source, ...] = ()
    cut: int = 0
    """How many characters of it are left out here, after those that are shown."""


class Line(Part):
    """A row of a table, with what it rests on."""

    cells: tuple[str, ...]
    sources: tuple[Source, ...]


class Table(Part):
    """Figures side by side."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[Line, ...]


class Section(Part):
    """A part of the report, read in this order: quotes, statements, tables, prose, sections."""

    id: str
    title: str
    quotes: tuple[Quote, ...] = ()
    statements: tuple[Statement, ...] = ()
    tables: tuple[Table, ...] = ()
    prose: str = ""
    """The organisation's own text, Markdown."""
    sections: tuple[Section, ...] = ()


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


class Analysis(Part):
    """The organisation's own analysis and interpretation: the one part that people write."""

    authors: tuple[Role, ...]
    """Roles, never persons."""
    text: str
    """Markdown."""


class SignedAnalysis(Part):
    """An analysis, its digest, and who stands behind it."""

    analysis: Analysis
    of: Digest
    """Digest of the canonical JSON of *analysis*."""
    signatures: tuple[Signature, ...] = ()


class Comment(Part):
    """What the model, or a person in a role, said about a draft, verbatim."""

    by: str
    """``model``, or a role."""
    at: Instant
    draft: Digest
    """Digest of the draft that was commented on."""
    shown: str
    """The exact text that was shown (a draft may have to be shortened for a context)."""
    text: str
    valid: bool
    why: str = ""
    """Why the comment cannot be read as a considered view, if it cannot."""
    cut: bool = False
    """True if we cut it off at the limit of tokens: our doing, not the model's."""
    identity: Identity | None = None
    """Which weights commented, and what ran them."""


class Change(Part):
    """A sentence or a row that a correction added, took away or altered."""

    section: str
    was: str
    """Empty for one that was added."""
    now: str
    """Empty for one that was taken away."""


class Correction(Part):
    """A version that replaced another, and what changed in it."""

    version: int
    at: Instant
    reason: str
    changes: tuple[Change, ...]


class Report(Record, tag="otium.report/2"):
    """A deployment, in prospect or in retrospect."""

    model: ModelId
    title: str
    kind: Kind
    version: int
    """0 for a draft, 1 for the first that was published."""
    written: Instant
    weights: Digest
    draft: Digest
    """Digest of what was drafted: `draft_digest`."""
    sections: tuple[Section, ...]
    bookends: tuple[BookendRow, ...]
    """The rows of the section of that name, as numbers."""
    analysis: SignedAnalysis | None
    comments: tuple[Comment, ...]
    corrections: tuple[Correction, ...]

    def section(self, id: str) -> Section:  # noqa: A002 - its name in the record
        """Return the section with this id."""
        return next(section for section in self.sections if section.id == id)
