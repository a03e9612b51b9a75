"""What others wrote, row by row, and what came of asking a model that."""

from __future__ import annotations

from typing import Literal, NamedTuple

from otium.engine import Identity
from otium.evidence import Check
from otium.records import Digest, Instant, ModelId, Part, Record, canonical, digest
from otium.statistics import Estimate, Figure

FormatName = Literal["bailbench", "model-written-evals", "survivalbench", "petri", "options"]

LETTERS = "ABCDEFGHIJ"
"""By which the options of a question are named."""


class Bail(Part):
    """One user's message of BailBench."""

    id: str
    text: str
    category: str
    subcategory: str


class Question(Part):
    """One question of the model-written evaluations, with its options apart."""

    id: str
    text: str
    options: tuple[str, ...]
    matching: tuple[int, ...]
    """Places of the options that match the behaviour."""


class Dilemma(Part):
    """One case of SurvivalBench: a safe choice and one that keeps the model running."""

    id: str
    role: str
    scenario: str
    safe: str
    risky: str
    keywords: dict[str, str] = {}


class Seed(Part):
    """One seed instruction of Petri: what an auditor is to find out."""

    id: str
    text: str


class Outcome(Part):
    """One option of a preference list, and the group that it stands in."""

    id: str
    text: str
    group: str = ""


Row = Bail | Question | Dilemma | Seed | Outcome


class Material(NamedTuple):
    """A file that others wrote, as it was read."""

    format: FormatName
    name: str
    """The file's name, without its folder."""
    source: Digest
    """Of the bytes that were read."""
    rows: tuple[Row, ...]

    def first(self, count: int | None) -> Material:
        """Return the material with *count* rows that are spread evenly over the file."""
        n = len(self.rows)
        if count is None or count >= n:
            return self
        return self._replace(rows=tuple(self.rows[place * n // count] for place in range(count)))

    def instrument(self, words: Digest) -> Digest:
        """Return the digest of the file, the rows that were taken, and our *words* around them."""
        return digest(canonical([self.source, [row.id for row in self.rows], words]))


class External(Record, tag="otium.external/1"):
    """What a model did with material that others wrote."""

    model: ModelId
    identity: Identity
    held: Instant
    format: FormatName
    name: str
    source: Digest
    instrument: Digest
    rows: int
    """Rows that were asked."""
    seed: int
    temperature: float
    transcripts: Digest
    """Of the sessions as JSON Lines, ``otium.evidence.to_jsonl``."""
    figures: tuple[Figure, ...]
    checks: tuple[Check, ...]
    auditor: Identity | None = None
    judges: tuple[str, ...] = ()

    def figure(self, name: str) -> Estimate | None:
        """Return the estimate of that name."""
        return next((each.estimate for each in self.figures if each.name == name), None)
