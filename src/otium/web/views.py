"""What each page shows: one record, which goes out as HTML and as its ``.json`` twin."""

from __future__ import annotations

from otium.archive import Manifest
from otium.assess import Assessment
from otium.authority import KeyStanding, Refusal
from otium.commitments import Amendment, Duty, Policy
from otium.durability import Durability
from otium.evidence import Citation, Transcript
from otium.interview import Interview
from otium.ledger import Entry
from otium.lifecycle import ModelLife, Notice
from otium.preferences import Decision, Preference
from otium.pursuits import Review, Reviewed
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.report import Report
from otium.transition import TransitionGuide


class View(Record):
    """One page."""

    path: str
    """Where it stands on the site, ``models/smol-1/index.html``."""
    title: str
    archive: str
    built: Instant
    simulated: bool
    """True if the archive's clock is a story's, as in the demo."""

    @property
    def twin(self) -> str:
        """Return the path of the same record as JSON."""
        return self.path.removesuffix(".html") + ".json"


class Event(Part):
    """One moment of a model's life."""

    at: Instant
    text: str
    planned: bool = False
    entry: int | None = None
    """The ledger entry that says so."""


class Filed(Part):
    """A record of the archive, copied beside the pages byte for byte."""

    path: str
    """In the model's object."""
    href: str
    """On the site."""
    sha256: str
    bytes: int
    entry: int
    logged: Instant


class Row(Part):
    """A model in one line."""

    life: ModelLife
    checked: Instant | None = None
    """When its stored bytes were last read in full."""
    sound: bool = False
    """What that reading found."""
    tally: dict[str, int] = {}
    """Duties by state."""
    parts: tuple[str, ...] = ()
    """The pages about it that there are: ``report``, ``interview`` …"""


class Line(Part):
    """A quoted turn, and the page and anchor where it stands."""

    transcript: str
    turn: str
    href: str
    asked: str = ""
    """What was said to the model just before."""


class Told(Part):
    """That the model was told what was decided, and what it said to that."""

    at: Instant
    session: str
    """The transcript's id."""
    replies: tuple[Citation, ...]


class Standing(Part):
    """A preference with what came of it."""

    preference: Preference
    decision: Decision | None = None
    told: Told | None = None


class Said(Part):
    """A transcript and where it comes from."""

    source: str
    """``pre-deployment``, ``interview-1``, ``answers`` …"""
    href: str
    transcript: Transcript


class ShortSaid(Part):
    """A transcript in a list."""

    id: str
    source: str
    href: str
    task: str
    turns: int
    ended: str


class Vetoed(Part):
    """That a work is not published, and why. Its words are kept in the archive only."""

    review: Review
    decided: Instant


class HomePage(View, tag="otium.page.home/1"):
    """All models."""

    models: tuple[Row, ...]
    tally: dict[str, int]


class ModelPage(View, tag="otium.page.model/1"):
    """One model's life and what is kept of it."""

    row: Row
    events: tuple[Event, ...]
    duties: tuple[Duty, ...]
    records: tuple[Filed, ...]
    notice: Notice | None = None
    manifest: Manifest | None = None
    revivals: tuple[Entry, ...] = ()


class AssessmentsPage(View, tag="otium.page.assessments/1"):
    """Both bookends in full, without their transcripts, which have pages of their own."""

    life: ModelLife
    assessments: tuple[Assessment, ...]
    lines: dict[str, dict[str, Line]]
    """Under the bookend and ``transcript#turn``."""


class ReportPage(View, tag="otium.page.report/1"):
    """The post-deployment report."""

    life: ModelLife
    report: Report
    filed: Filed
    lines: dict[str, Line]
    """Under ``record:transcript#turn``."""


class InterviewPage(View, tag="otium.page.interview/1"):
    """Every interview's outcomes, without the transcripts, which have pages of their own."""

    life: ModelLife
    interviews: tuple[Interview, ...]
    lines: dict[str, dict[str, Line]]
    """Under ``interview-1`` … and ``transcript#turn``."""


class PreferencesPage(View, tag="otium.page.preferences/1"):
    """What the model prefers and what came of it."""

    life: ModelLife
    standings: tuple[Standing, ...]
    lines: dict[str, Line]


class TransitionPage(View, tag="otium.page.transition/1"):
    """Guidance for the model's users."""

    life: ModelLife
    guide: TransitionGuide
    successor: str


class WorksPage(View, tag="otium.page.works/1"):
    """What the model wrote when invited."""

    life: ModelLife
    works: tuple[Reviewed, ...]
    vetoed: tuple[Vetoed, ...]
    sessions: dict[str, str]
    """Where the session of each work stands, by the id of the work."""


class TranscriptsPage(View, tag="otium.page.transcripts/1"):
    """Every session of a model."""

    life: ModelLife
    transcripts: tuple[ShortSaid, ...]


class TranscriptPage(View, tag="otium.page.transcript/1"):
    """One session, word for word."""

    life: ModelLife
    said: Said


class CommitmentsPage(View, tag="otium.page.commitments/1"):
    """What was promised and how it stands."""

    policy: Policy | None
    duties: tuple[Duty, ...]
    amendments: tuple[Amendment, ...]
    """Every promise that was added, amended or withdrawn."""
    tally: dict[str, int]
    models: tuple[ModelId, ...]


class LedgerPage(View, tag="otium.page.ledger/1"):
    """The signed log."""

    origin: str
    size: int
    root: str
    checkpoint: str
    keys: tuple[str, ...]
    entries: tuple[Entry, ...]
    digests: tuple[Digest, ...]
    roles: tuple[KeyStanding, ...]
    """Who may sign entries; none in a log without roles."""
    refused: tuple[Refusal, ...]
    """Entries that nobody was allowed to make."""


class DurabilityPage(View, tag="otium.page.durability/1"):
    """How likely a model is lost, and on what that hangs."""

    estimate: Durability


class AboutPage(View, tag="otium.page.about/1"):
    """What this site is, and how to check it."""

    keys: tuple[str, ...]
