"""What a model's life is made of: states, dates and their revisions, oddities, notices."""

from __future__ import annotations

import re
from typing import Literal

from otium.commitments import Scope
from otium.records import Digest, Instant, ModelId, Part, Record

State = Literal["registered", "active", "legacy", "deprecated", "retired", "withdrawn"]
Availability = Literal["always", "on-demand", "on-request", "archived"]
Surface = str
"""Where users meet a model: ``api``, ``app``, ``partner``, ``region`` or ``internal``.

The last three may be named: ``partner:bedrock``, ``region:eu-west``.
"""
_SURFACE = re.compile(r"(api|app|(partner|region|internal)(:[a-z0-9][a-z0-9._-]{0,39})?)")


def is_surface(text: str) -> bool:
    """Say whether *text* names a surface."""
    return bool(_SURFACE.fullmatch(text))


class Revision(Part):
    """A date or a floor of a surface that was set or moved."""

    at: Instant
    kind: Literal["floor", "date"]
    surface: Surface
    was: Instant | None
    now: Instant | None
    """None if the announcement was cancelled."""
    reason: str


class ExistingUsers(Part):
    """Who keeps access while a model is deprecated."""

    access: Literal["all", "recent", "none"]
    days: int | None = None
    """For ``recent``: those who used it in so many days before the announcement."""


class Used(Part, forbid_unknown_fields=False):
    """Internal use as it was measured."""

    users: float | None = None
    requests_per_day: float | None = None


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
    family: ModelId | None = None
    parent: ModelId | None = None
    """The model it was made from."""
    weights: Digest | None = None
    """Set once it is deposited."""
    not_before: dict[Surface, Instant] = {}
    """The floor of each surface that has one: it does not end sooner."""
    legacy: Instant | None = None
    deprecated: Instant | None = None
    retire_at: dict[Surface, Instant] = {}
    """The announced date for each surface."""
    ended: dict[Surface, Instant] = {}
    """When each surface ended."""
    retired: Instant | None = None
    withdrawn: Instant | None = None
    """When it was taken out of service without notice."""
    replacement: ModelId | None = None
    replacement_stated: bool = False
    """Whether it was said: no replacement is then an answer, not a gap."""
    alternatives: tuple[ModelId, ...] = ()
    existing_users: ExistingUsers | None = None
    reason: str = ""
    """Of the newest announcement or withdrawal."""
    aliases: tuple[str, ...] = ()
    """The moving names that point to this model now."""
    silent_updates: bool | None = None
    """Whether the weights behind this name may change unannounced; None if it was not said."""
    snapshot_of: str | None = None
    """The moving name of which this model is a pinned state."""
    used: Used | None = None
    revisions: tuple[Revision, ...] = ()

    @property
    def in_service(self) -> bool:
        """Whether requests for it are served as before."""
        return self.state not in {"retired", "withdrawn"}

    @property
    def open_surfaces(self) -> tuple[Surface, ...]:
        """The surfaces that have not ended."""
        return tuple(surface for surface in self.surfaces if surface not in self.ended)


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
    alternatives: tuple[ModelId, ...] = ()
    existing_users: ExistingUsers | None = None
