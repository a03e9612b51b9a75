"""What is said of a model: its object, its line in the feed, its standing in an error."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from otium.errors import BadInput
from otium.lifecycle import Availability, ModelLife, State, Surface
from otium.records import Digest, Instant, ModelId, Part, instant, model_id

EngineStatus = Literal["unloaded", "loading", "loaded", "stopping", "failed"]


class Urls(Part):
    """Where a model's pages stand; None for one that is not there."""

    note: str | None = None
    report: str | None = None
    access: str | None = None
    """Where access is asked for."""


class Brownout(Part):
    """An announced time in which a deprecated model does not answer, so that users notice."""

    model: ModelId
    starts: Instant
    ends: Instant

    @classmethod
    def at(cls, text: str) -> Self:
        """Read ``MODEL=START/END``, the times as ISO 8601; raise BadInput."""
        model, _, window = text.partition("=")
        starts, parted, ends = window.partition("/")
        if not parted:
            raise BadInput(what=f"the brownout {text!r}", why="it is MODEL=START/END")
        found = cls(model=model_id(model), starts=instant(starts), ends=instant(ends))
        if found.starts >= found.ends:
            raise BadInput(what=f"the brownout {text!r}", why="it ends before it starts")
        return found


class RevivalFacts(Part):
    """What bringing a model back takes, as far as this service saw it done. Times are seconds."""

    tier: Literal["running", "cached", "archive"]
    """From where: nothing to do, weights that are unpacked, or the archive."""
    eta_s_p50: float | None = None
    eta_s_p95: float | None = None
    size_bytes: int | None = None
    """What its engine holds: measured, else estimated; None if nobody asked for it yet."""
    standing: str | None = None
    """What its engine does now, in words: ``waits for room, 2 ahead``."""
    waiting: int = 0
    """Requests that wait for it."""
    retry_s: float = 0.0
    """How long a failed start is still remembered."""
    pinned: bool = False
    """Whether it never makes way."""


class Lifecycle(Part):
    """Where a model stands in its life: the ``lifecycle`` field of a model object."""

    state: State
    availability: Availability
    released_at: Instant
    deprecated_at: Instant | None
    retire_at: dict[Surface, Instant]
    """The announced date for each surface."""
    sunset_at: Instant | None
    """When the API stops, or stopped, to serve it as before."""
    retired_at: Instant | None
    successor: ModelId | None
    alternatives: tuple[ModelId, ...]
    weights: Digest | None
    weights_digest: Digest | None = msgspec.field(name="digest")
    """The same digest, by the name that others use."""
    fidelity: Literal["exact"] | None
    """The archive keeps every bit: what answers here has exactly these weights."""
    note_url: str | None
    report_url: str | None
    access_url: str | None
    engine: EngineStatus
    """Whether an engine is up for it in this service."""
    revival: RevivalFacts | None
    """None where no revival is offered."""
    brownouts: tuple[Brownout, ...]
    """Announced and not over."""


class ExitFacts(Part):
    """When and how a model is offered a way out of a conversation."""

    offered: bool
    redirections: int | None = None
    """After so many redirections of its own; 0: at once."""
    turns: int | None = None
    """After so many answers in any case."""
    veto: bool | None = None
    """Whether it is held back where a person may be at risk."""
    method: str | None = None
    verified: bool | None = None
    """Whether it is known that the model sees the offer."""


class ModelObject(Part):
    """A model in the shape of OpenAI's API, with its lifecycle."""

    id: ModelId
    created: int
    """Its release, Unix time."""
    owned_by: str
    lifecycle: Lifecycle
    exit: ExitFacts | None = None
    object: Literal["model"] = "model"


class Deprecation(Part):
    """One line of the public feed of deprecations."""

    model: ModelId
    state: State
    deprecated_at: Instant
    retire_at: dict[Surface, Instant]
    retired_at: Instant | None
    successor: ModelId | None
    alternatives: tuple[ModelId, ...]
    availability: Availability
    reason: str
    note_url: str | None
    report_url: str | None
    brownouts: tuple[Brownout, ...]


class Standing(Part):
    """What each error about a model that left service says of it."""

    model: ModelId
    state: State
    retired_at: Instant | None
    successor: ModelId | None
    alternatives: tuple[ModelId, ...]
    availability: Availability
    note_url: str | None
    report_url: str | None
    access_url: str | None
    weights: Digest | None
    fidelity: Literal["exact"] | None


def sunset_of(life: ModelLife) -> Instant | None:
    """Return when the API stops, or stopped, to serve a model as before."""
    ended = life.ended.get("api") or life.retired or life.withdrawn
    return ended or life.retire_at.get("api") or min(life.retire_at.values(), default=None)


def standing(life: ModelLife, urls: Urls) -> Standing:
    """Return what an error says of a model."""
    return Standing(
        model=life.model,
        state=life.state,
        retired_at=life.retired or life.withdrawn,
        successor=life.replacement,
        alternatives=life.alternatives,
        availability=life.availability,
        note_url=urls.note,
        report_url=urls.report,
        access_url=urls.access,
        weights=life.weights,
        fidelity="exact" if life.weights else None,
    )
