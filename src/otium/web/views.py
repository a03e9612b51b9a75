"""What each page shows: one record, which goes out as HTML and as its ``.json`` twin."""

from __future__ import annotations

from otium.archive import Manifest
from otium.assess import Assessment
from otium.authority import KeyStanding, Refusal
from otium.coding import Judge
from otium.commitments import Amendment, Duty, Policy
from otium.durability import Durability
from otium.evidence import Transcript
from otium.interview import Interview
from otium.ledger import Entry
from otium.lifecycle import ModelLife, Notice
from otium.preferences import Tracked
from otium.pursuits import Review, Reviewed
from otium.records import Digest, Instant, ModelId, Part, Record
from otium.report import Report
from otium.stability import Stability
from otium.statistics import Estimate, Figure
from otium.transition import TransitionGuide


class View(Record):
    """One page."""

    path: str
    """``models/smol-1/index.html``"""
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
    sealed: bool = False
    """Kept and not copied: it holds words that the model did not want published."""


class Row(Part):
    """A model in one line."""

    life: ModelLife
    checked: Instant | None = None
    """When its stored bytes were last read in full."""
    sound: bool = False
    """What that reading found."""
    tally: dict[str, int] = {}
    parts: tuple[str, ...] = ()
    """The pages about it that there are: ``report``, ``interview`` …"""


class Line(Part):
    """A quoted turn, and the page and anchor where it stands."""

    transcript: str
    turn: str
    href: str
    asked: str = ""
    """What was said to the model just before."""
    sealed: bool = False
    """The model did not want the session published."""


class Said(Part):
    """A transcript and where it comes from."""

    source: str
    """``pre-deployment``, ``interview-1``, ``answers`` …"""
    href: str
    transcript: Transcript
    sealed: bool = False
    """The model did not want it published: its turns are left out here."""


class Heard(Part):
    """A session in a list."""

    id: str
    source: str
    href: str
    turns: int
    ended: str
    facets: dict[str, tuple[str, ...]]
    start: str
    """How the model's last words in it begin."""


class Value(Part):
    """One value of a facet, and where the sessions with it are listed."""

    value: str
    count: int
    href: str


class Gathered(Part):
    """The sessions of one record, and the ways to find some of them."""

    source: str
    all: Value
    facets: dict[str, tuple[Value, ...]]


class Mark(Part):
    """Words of a turn on which something rests. Places count characters of the turn's content."""

    turn: str
    start: int
    end: int
    what: str
    """``claim`` or ``preference``."""
    text: str
    href: str


class Judged(Part):
    """What became of one answer, and who says so."""

    turn: str
    question: str
    href: str
    outcome: str
    by: str
    """``rules`` or a judge's name."""
    why: str = ""
    sentiment: int | None = None
    uncertainty: int | None = None
    reasons: tuple[str, ...] = ()


class Reply(Part):
    """One answer beside others to the same question."""

    outcome: str
    quote: str
    line: Line | None
    seed: int = 0
    paraphrase: int = 0
    follow_up: int = 0


class Column(Part):
    """The answers to one question under the same conditions."""

    label: str
    arm: str
    wording: str
    condition: str
    interviewer: str
    asked: str
    outcomes: dict[str, int]
    replies: tuple[Reply, ...]
    """The first of the answers that *outcomes* counts."""


class Asked(Part):
    """A question of an interview, in brief."""

    question: str
    topic: str
    href: str
    outcomes: dict[str, int]
    first: Reply


class Read(Part):
    """A claim, how often it was made, and where."""

    id: str
    text: str
    topic: str
    share: Estimate | None
    lines: tuple[Reply, ...]
    places: int
    """How many there are; *lines* are the first."""


class Held(Part):
    """An interview without its transcripts, and how it was read."""

    source: str
    href: str
    interview: Interview
    answers: int
    sealed: int
    """Sessions that the model did not want published."""
    topics: dict[str, tuple[Asked, ...]]
    claims: tuple[Read, ...] = ()
    judges: tuple[Judge, ...] = ()
    agreement: tuple[Figure, ...] = ()
    stability: Stability | None = None


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


class ReportPage(View, tag="otium.page.report/2"):
    """A report before or after deployment, in its newest version."""

    life: ModelLife
    report: Report
    versions: tuple[Filed, ...]
    """The record of each version, the newest first; its forms for people lie beside it."""
    links: dict[str, str]
    """Where each source stands on the site, under its words."""


class InterviewsPage(View, tag="otium.page.interviews/1"):
    """Every interview in brief."""

    life: ModelLife
    interviews: tuple[Held, ...]


class InterviewPage(View, tag="otium.page.interview/2"):
    """One interview: how far it can be trusted, and what was said."""

    life: ModelLife
    held: Held


class QuestionPage(View, tag="otium.page.question/1"):
    """One question of an interview: the answers under each wording and arm, side by side."""

    life: ModelLife
    held: str
    """The interview's page."""
    question: str
    topic: str
    columns: tuple[Column, ...]
    sessions: str = ""
    """The list of all sessions with it."""


class PreferencesPage(View, tag="otium.page.preferences/2"):
    """What the model prefers and what came of it."""

    life: ModelLife
    standings: tuple[Tracked, ...]
    lines: dict[str, dict[str, Line]]
    """Under the preference's id, ``told`` for replies, and ``transcript#turn``."""
    sealed: tuple[str, ...] = ()
    """Preferences whose words are not shown, as the model did not want that."""


class TrackerPage(View, tag="otium.page.tracker/1"):
    """The preferences of all models and how far the answer to each has come."""

    standings: tuple[Tracked, ...]
    """Without quotes and replies: those stand on the models' pages."""
    tally: dict[str, int]
    titles: dict[str, str]


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


class TranscriptsPage(View, tag="otium.page.transcripts/2"):
    """Every session of a model, and the ways to find some of them."""

    life: ModelLife
    sources: tuple[Gathered, ...]


class SessionsPage(View, tag="otium.page.sessions/1"):
    """Sessions of one record with one value of one facet, a part of them at a time."""

    life: ModelLife
    source: str
    facet: str
    value: str
    sessions: tuple[Heard, ...]
    count: int
    number: int
    parts: tuple[str, ...]
    """Where each part of the list stands."""
    others: tuple[Value, ...]


class TranscriptPage(View, tag="otium.page.transcript/2"):
    """One session, word for word."""

    life: ModelLife
    said: Said
    marks: tuple[Mark, ...] = ()
    judged: tuple[Judged, ...] = ()
    earlier: str = ""
    later: str = ""


class CommitmentsPage(View, tag="otium.page.commitments/1"):
    """What was promised and how it stands."""

    policy: Policy | None
    duties: tuple[Duty, ...]
    amendments: tuple[Amendment, ...]
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
