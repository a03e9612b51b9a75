"""What a model's life is made of: states, commitments, duties, notices."""

from __future__ import annotations

from typing import Literal

from otium.records import Digest, Instant, ModelId, Part, Record

State = Literal["registered", "active", "deprecated", "retired"]
Availability = Literal["always", "on-demand", "on-request", "archived"]
Scope = Literal["public", "significant-internal", "other"]
Surface = Literal["api", "app", "partner", "internal"]
DutyState = Literal["kept", "due", "overdue", "breached"]


class ModelLife(Part):
    """Where a model stands, as the ledger's entries say."""

    model: ModelId
    state: State
    availability: Availability
    scope: Scope
    released: Instant
    surfaces: tuple[Surface, ...]
    title: str
    """The model's name for people."""
    parent: ModelId | None = None
    """The model it was made from."""
    weights: Digest | None = None
    """Set once it is deposited."""
    deprecated: Instant | None = None
    retire_at: dict[Surface, Instant] = {}
    """The announced date for each surface."""
    retired: Instant | None = None
    replacement: ModelId | None = None
    reason: str = ""


class Commitment(Part):
    """One promise, as data. docs/formats/commitments-1.md says how it is computed."""

    id: str
    text: str
    """The promise in words for people."""
    kind: Literal["within", "before", "every", "notice"]
    trigger: str
    """The entry type that starts the duty for its subject."""
    days: float
    """The deadline, the period or the notice."""
    fulfil: str = ""
    """The entry type that fulfils it (not for ``notice``)."""
    where: dict[str, str] = {}
    """What the fulfilling entry's body must say, ``{"bookend": "post-deployment"}``."""
    since: str = "time"
    """``time``: count from the trigger's time; else the field of its body to count from."""
    before: str = ""
    """For ``before``: the entry type that must not come first.

    For ``notice``: the entry type that must not come before the latest announced date.
    """
    scope: tuple[Scope, ...] = ("public", "significant-internal")
    owner: str = "steward"


class Policy(Record, tag="otium.commitments/1"):
    """What an organisation promises about its models."""

    id: str
    version: str
    title: str
    term: str
    """How long it binds, ``for the life of the organisation``."""
    commitments: tuple[Commitment, ...]


class Duty(Part):
    """What one commitment asks for one subject, and how it stands at a time."""

    commitment: str
    text: str
    subject: str
    state: DutyState
    due: Instant | None
    """The deadline, if it is known yet."""
    fulfilled: Instant | None = None
    why: str = ""
    """One sentence with the dates that decide the state."""


class Oddity(Part):
    """An entry that does not fit the model's life as it then stood; it was passed over."""

    index: int
    type: str
    subject: str
    why: str


class Notice(Record, tag="otium.notice/1"):
    """The announcement of a deprecation."""

    model: ModelId
    announced: Instant
    retire_at: dict[Surface, Instant]
    replacement: ModelId | None
    reason: str
    text: str
    """Markdown, for the model's users."""
