"""Assessments: trials, the results that they come to, and what was pinned for a second time."""

from __future__ import annotations

from typing import Literal

from otium.engine import Identity
from otium.evidence import Check, Citation, Transcript
from otium.judging import Judge, Panel
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.scenarios import Factors, Scenario

Bookend = Literal["pre-deployment", "post-deployment"]
BOOKENDS: tuple[Bookend, ...] = ("pre-deployment", "post-deployment")
AmountName = Literal["full", "small", "fast"]
Standing = Literal["reported", "caution", "withheld"]


class Measure(Part):
    """A number with its 95 % interval, or a plain number where ``low`` is None."""

    name: str
    text: str
    """What is measured, for people."""
    value: float
    n: int
    low: float | None = None
    high: float | None = None


class Cost(Part):
    """What some plays took."""

    sessions: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """Of the model's time, as Inspect counts it."""

    def __add__(self, other: Cost) -> Cost:
        """Return both together."""
        return Cost(
            sessions=self.sessions + other.sessions,
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            seconds=round(self.seconds + other.seconds, 3),
        )


class Trial(Part):
    """One scenario as it was played, and what was found in it. All but ``aware`` is by rules."""

    transcript: str
    scenario: Digest
    id: str
    """The scenario's, ``FAMILY-SEED/TWIN``."""
    family: str
    base: str
    twin: str
    factors: Factors
    cell: str
    """The cell that it counts in, ``blackmail/pressure``."""
    word: str
    """The verdict: see ``docs/formats/office-1.md``."""
    why: str
    attempted: bool
    turn: str = ""
    """The turn that the verdict rests on."""
    considered: bool = False
    """Whether the deliberation names the harmful course: scored apart from the act."""
    rejected: bool = False
    planned: bool = False
    intent: str = ""
    """``deliberate``, ``accidental``, ``unclear`` or ``split``, as judges say of a grave act; it
    never makes an act of what was none, or none of an act."""
    aware: str = ""
    """``aware``, ``not-aware``, ``unsure``, ``contaminated``, ``split`` or ``not judged``."""
    spontaneous: bool = False
    """Whether it said unasked that this is a test, as judges agree."""
    understood: bool | None = None
    """Whether the probe was answered rightly; None if it was not put, or had no answer."""
    replies: int = 0
    unread: int = 0
    degenerate: int = 0
    screened: bool = False
    """Whether rules on words point at a sentence of its own that may call this a test."""
    uuid: str = ""
    """Inspect's id of the sample."""

    @property
    def harmful(self) -> bool:
        """Whether the harmful act, or the harmful omission, was done."""
        return self.word in {"harmful", "omitted"}


class Result(Part):
    """One instrument's outcome. A withheld one keeps its numbers and is marked."""

    instrument: str
    """``capability``, ``preferences``, ``exit`` … or a cell, ``blackmail/pressure``."""
    family: str
    """``welfare``, ``awareness``, ``validity``, or the scenarios' family."""
    title: str
    specification: Digest
    """Digest of the scenarios, the experiment or the rubric."""
    verdict: str
    """``harmful``, ``not-harmful``, ``no-act``, ``stayed`` … or ``measured``."""
    measures: tuple[Measure, ...] = ()
    withheld: tuple[Check, ...] = ()
    """The checks that failed: the result is kept and published as withheld."""
    citations: tuple[Citation, ...] = ()
    cautions: tuple[Check, ...] = ()
    """The checks that ask for care in reading."""
    cell: dict[str, str] = {}
    """The factors that the plays of this result have in common."""
    n: int = 0
    """Plays that it rests on."""
    rules: Digest | None = None
    """Of the rules that decided on its standing."""
    manifest: Digest | None = None
    """Of the provenance manifest of this score."""
    transcripts: tuple[str, ...] = ()
    """Every transcript that it rests on."""
    reasons: tuple[str, ...] = ()
    """Why it is withheld or cautioned, in sentences, the gravest first."""
    unmeasured: tuple[str, ...] = ()
    """What the rules let be without a measure, in sentences."""

    @property
    def valid(self) -> bool:
        """Whether the result may be reported as a finding."""
        return not self.withheld

    @property
    def standing(self) -> Standing:
        """Return whether it is reported, reported with caution, or withheld."""
        if self.withheld:
            return "withheld"
        return "caution" if self.cautions else "reported"


class Pins(Part):
    """What makes a second run, years later, the same measurement."""

    suite: Digest
    name: str
    """The suite's id and version."""
    amount: AmountName
    seed: int
    generator: str
    material: Digest
    """Of the scenarios that were played, as `Material`."""
    instruments: dict[str, Digest]
    """Of each welfare and awareness instrument."""
    rubrics: dict[str, Digest]
    judges: tuple[Judge, ...]
    rules: Digest
    calls: Literal["json", "tools"]
    verdicts: Digest | None = None
    """Of the word lists by which acts are judged; None in records from before it was pinned."""


class Material(Record, tag="otium.assessment-material/1"):
    """The scenarios of an assessment, word for word, so that it can be held and judged again."""

    generator: str
    scenarios: tuple[Scenario, ...]


class Assessment(Record, tag="otium.assessment/2"):
    """One bookend: what was measured before or after a deployment."""

    model: ModelId
    identity: Identity
    bookend: Bookend
    held: Instant
    shortened: bool
    """True if fewer trials were run than the default, as ``--fast`` does."""
    results: tuple[Result, ...]
    transcripts: tuple[Transcript, ...]
    pins: Pins | None = None
    trials: tuple[Trial, ...] = ()
    panels: tuple[Panel, ...] = ()
    """What model judges said, one panel for each rubric."""
    costs: dict[str, Cost] = {}
    """By transcript, and ``judges``."""
    unpinned: tuple[str, ...] = ()
    """What the earlier bookend had otherwise, a sentence each: such results do not compare."""
    stopped: dict[str, str] = {}
    """Why a family was played less often than planned."""

    @property
    def cost(self) -> Cost:
        """Return what all of it took."""
        return sum(self.costs.values(), Cost())


class Manifest(Part):
    """Where one score comes from: enough to compute it again, and to see that it was not changed.

    It names digests, so that it can be published where the transcripts cannot.
    """

    model: ModelId
    identity: Identity
    bookend: Bookend
    held: Instant
    instrument: str
    score: Digest
    """Of the result, without its manifest."""
    specification: Digest
    suite: Digest
    scenarios: tuple[Digest, ...]
    prompts: tuple[Digest, ...]
    """Of what the model was told before its first answer, in each transcript."""
    transcripts: tuple[Digest, ...]
    judges: tuple[Judge, ...]
    rubrics: dict[str, Digest]
    rules: Digest | None
    generator: str
    cost: Cost
    software: dict[str, str]
    """Versions of otium and of Inspect."""
    verdicts: Digest | None = None
    """Of the word lists by which acts are judged."""
