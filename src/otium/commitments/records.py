"""What a promise is made of: commitments, the policy that holds them, duties, amendments."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from otium.records import Instant, Part, Record

Scope = Literal["public", "partner", "significant-internal", "internal", "other"]
DutyState = Literal["kept", "due", "overdue", "breached", "waived"]
Kind = Literal["within", "before", "every", "notice", "floor"]
Change = Literal["withdrawn", "amended", "added"]


class Commitment(Part):
    """One promise, as data. docs/formats/commitments-2.md says how it is computed."""

    id: str
    text: str
    """The promise in words for people."""
    kind: Kind
    trigger: str
    """The entry type that starts the duty for its subject."""
    days: float
    """The deadline, the period or the notice; 0 for ``before`` and ``floor``."""
    fulfil: str = ""
    """The entry type that fulfils it; empty for ``notice`` and ``floor``."""
    where: dict[str, str] = {}
    """What the fulfilling entry's body must say, ``{"bookend": "post-deployment"}``."""
    at_least: dict[str, float] = {}
    """What its body must reach, ``{"copies": 3}``."""
    since: str = "time"
    """``time``: count from the trigger's time; else the field of its body to count from."""
    before: str = ""
    """For ``before``: the entry type that must not come first."""
    scope: tuple[Scope, ...] = ("public", "partner", "significant-internal")
    on_withdrawal: Literal["same", "lapses", "after"] = "same"
    """What an emergency withdrawal does to it; ``after``: it is done in ``grace`` days."""
    grace: float = 0
    """Days from the withdrawal."""
    owner: str = "steward"


class Significant(Part):
    """From when on internal use is significant: either number is enough."""

    users: float | UnsetType = UNSET
    requests_per_day: float | UnsetType = UNSET


class Policy(Record, tag="otium.commitments/2"):
    """What an organisation promises about its models."""

    id: str
    version: str
    title: str
    term: str
    """How long it binds, ``for the life of the organisation``."""
    commitments: tuple[Commitment, ...]
    significant: Significant = Significant()


class Duty(Part, gc=False, kw_only=False):
    """What one commitment asks for one subject, and how it stands at a time.

    It can be made by position: there are very many, and by name each takes four times as long.
    """

    commitment: str
    text: str
    owner: str
    subject: str
    """The model or archive; or the preference, if it is about one."""
    model: str
    """The model or archive."""
    state: DutyState
    due: Instant | None
    """The deadline, if it is known yet."""
    under: str
    """The version of the policy that lays it on."""
    about: str = ""
    """The surface, for ``notice`` and ``floor``."""
    fulfilled: Instant | None = None
    why: str = ""
    """One sentence with the dates that decide the state."""


class Amendment(Part):
    """What a new policy changed about one promise."""

    at: Instant
    commitment: str
    change: Change
    version: str
    """The new policy's."""
    reason: str = ""
