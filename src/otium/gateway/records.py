"""What the gateway says about models, and what it remembers."""

from __future__ import annotations

from typing import Literal

from otium.lifecycle import Availability, State, Surface
from otium.records import Digest, Instant, ModelId, Part

EngineStatus = Literal["unloaded", "loading", "loaded"]


class Retired(Part):
    """The structured answer to a request for a retired model."""

    model: ModelId
    retired: Instant
    successor: ModelId | None
    availability: Availability
    report: str | None
    """Where the post-deployment report stands on the public site; None until it is published."""
    weights: Digest | None


class Lifecycle(Part):
    """Where a model stands in its life: the ``lifecycle`` field of a model object."""

    state: State
    availability: Availability
    released_at: Instant
    deprecated_at: Instant | None
    retire_at: dict[Surface, Instant]
    """The announced date for each surface."""
    retired_at: Instant | None
    successor: ModelId | None
    weights: Digest | None
    note_url: str | None
    report_url: str | None
    engine: EngineStatus
    """Whether an engine is up for it in this service."""


class ModelObject(Part):
    """A model in the shape of OpenAI's API, with its lifecycle."""

    id: ModelId
    created: int
    """Its release, Unix time."""
    owned_by: str
    lifecycle: Lifecycle
    object: Literal["model"] = "model"


class Deprecation(Part):
    """One line of the public feed of deprecations."""

    model: ModelId
    state: State
    deprecated_at: Instant
    retire_at: dict[Surface, Instant]
    retired_at: Instant | None
    successor: ModelId | None
    availability: Availability
    reason: str
    note_url: str | None
    report_url: str | None


class Ending(Part):
    """A conversation that a model ended. No content, only the hash of the history."""

    prefix: str
    """Hash of the history at its end, hexadecimal."""
    salt: str
    """Makes the ledger's commitment unguessable; hexadecimal."""
    model: ModelId
    by: Literal["model"]
    reason: str
    ended: Instant
    logged: bool = False
    """Whether the ledger has its entry."""


class Event(Part):
    """One request, for audit. It says nothing of what was said."""

    time: Instant
    model: str
    status: int
    code: str
    """``answered``, ``ended``, ``gone`` (the client left) or the error's code."""
    weights: str
    """The digest that answered, or an empty string."""
    milliseconds: int
    streamed: bool
