"""What a feed says of a model: one field for each fact."""

from __future__ import annotations

import re
from urllib.parse import quote

from otium.commitments import Scope
from otium.lifecycle import Availability, ExistingUsers, ModelLife, Revision, State
from otium.records import Digest, Instant, ModelId, Part, Record

_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class SurfaceFacts(Part):
    """When one surface may end, shall end, and did."""

    surface: str
    not_before: Instant | None
    """The floor."""
    retire_at: Instant | None
    """The announced date."""
    ended: Instant | None


class ModelFacts(Part):
    """What a feed says of one model. Nothing is left out: what is not known is null."""

    id: ModelId
    title: str
    family: ModelId | None
    parent: ModelId | None
    state: State
    availability: Availability
    scope: Scope
    released: Instant
    legacy_at: Instant | None
    deprecated_at: Instant | None
    retired_at: Instant | None
    withdrawn_at: Instant | None
    surfaces: tuple[SurfaceFacts, ...]
    replacement: ModelId | None
    replacement_stated: bool
    """True with a null `replacement`: it was said that there is none."""
    alternatives: tuple[ModelId, ...]
    reason: str
    existing_users: ExistingUsers | None
    aliases: tuple[str, ...]
    silent_updates: bool | None
    snapshot_of: str | None
    weights: Digest | None
    revisions: tuple[Revision, ...]
    """Each date and floor that was set or moved, in order."""
    page_url: str | None
    notice_url: str | None
    report_url: str | None


class Feed(Record, tag="otium.lifecycle-feed/1"):
    """All models of a house, or one of them."""

    publisher: str
    generated_at: Instant
    models: tuple[ModelFacts, ...]


class Pages(Part):
    """Where a model's pages are, as complete URLs."""

    page: str | None = None
    notice: str | None = None
    report: str | None = None


class Publisher(Part):
    """Who publishes a feed. Ids in feeds are made of it, so it must never change."""

    name: str
    origin: str
    """Of the ledger, ``example.org/otium``."""
    since: Instant
    """When the archive was founded."""

    @property
    def host(self) -> str:
        """Return the origin's host name, or one that nobody can have."""
        host = self.origin.partition("/")[0].lower()
        return host if _HOST.fullmatch(host) else "otium.invalid"

    def tag(self, specific: str) -> str:
        """Return a tag URI (RFC 4151) for *specific*."""
        path = self.origin.partition("/")[2] or "otium"
        return f"tag:{self.host},{self.since[:10]}:{quote(f'{path}/{specific}', safe='/:')}"


def surfaces_of(life: ModelLife) -> tuple[SurfaceFacts, ...]:
    """Return the dates of each surface of a model, in their order."""
    return tuple(
        SurfaceFacts(
            surface=surface,
            not_before=life.not_before.get(surface),
            retire_at=life.retire_at.get(surface),
            ended=life.ended.get(surface),
        )
        for surface in life.surfaces
    )
