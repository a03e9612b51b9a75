"""What the entries about a model say, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from otium.commitments import Scope, valid
from otium.errors import BadModelId
from otium.ledger import Entry
from otium.lifecycle.records import Availability, ExistingUsers, Surface, is_surface
from otium.records import Digest, Instant, ModelId, model_id

_T = TypeVar("_T", bound=msgspec.Struct)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class OddEntry(Exception):
    """Why an entry does not fit."""


class Registered(msgspec.Struct):
    """``model.registered``."""

    title: str
    released: Instant
    scope: Scope
    surfaces: tuple[Surface, ...]
    parent: ModelId | None = None
    availability: Availability = "archived"
    family: ModelId | None = None
    not_before: dict[Surface, Instant] = {}
    silent_updates: bool | None = None
    snapshot_of: str | None = None


class Deposited(msgspec.Struct):
    """``model.deposited``."""

    weights: Digest


class Floor(msgspec.Struct):
    """``model.floor``."""

    not_before: dict[Surface, Instant]
    reason: str


class Legacy(msgspec.Struct):
    """``model.legacy``."""

    reason: str
    replacement: ModelId | msgspec.UnsetType | None = msgspec.UNSET
    alternatives: tuple[ModelId, ...] = ()


class Deprecated(msgspec.Struct):
    """``model.deprecated``."""

    retire_at: dict[Surface, Instant]
    replacement: ModelId | None = None
    reason: str = ""
    alternatives: tuple[ModelId, ...] = ()
    existing_users: ExistingUsers | None = None


class Rescheduled(msgspec.Struct):
    """``model.rescheduled``."""

    retire_at: dict[Surface, Instant]
    reason: str


class Replacement(msgspec.Struct):
    """``model.replacement``."""

    replacement: ModelId | None
    reason: str
    alternatives: tuple[ModelId, ...] = ()


class Reasoned(msgspec.Struct):
    """``deprecation.cancelled``, ``model.withdrawn``."""

    reason: str


class Ended(msgspec.Struct):
    """``surface.ended``."""

    surface: Surface


class Offered(msgspec.Struct):
    """``model.availability``."""

    availability: Availability


class Measured(msgspec.Struct):
    """``model.used``."""

    users: float | None = None
    requests_per_day: float | None = None


class Pointed(msgspec.Struct):
    """``alias.pointed``."""

    alias: str
    silent_updates: bool | None = None


def read(entry: Entry, kind: type[_T]) -> _T:
    """Return the body of *entry* as *kind*, or raise OddEntry."""
    try:
        return msgspec.convert(entry.body, kind)
    except msgspec.ValidationError as error:
        raise OddEntry(f"its body cannot be read: {error}") from error


def check_ids(*ids: str | None) -> None:
    """Raise OddEntry unless all are model ids, or None."""
    for one in ids:
        try:
            if one is not None:
                model_id(one)
        except BadModelId as error:
            raise OddEntry(str(error)) from error


def check_digest(value: str) -> None:
    """Raise OddEntry unless *value* is a digest."""
    if not _DIGEST.fullmatch(value):
        raise OddEntry("weights is not a digest")


def check_dates(dates: Mapping[Surface, str], surfaces: Iterable[Surface]) -> None:
    """Raise OddEntry unless *dates* has valid instants for one or more of *surfaces*, no others."""
    check_times(*dates.values())
    if not dates or not set(dates) <= set(surfaces):
        raise OddEntry("it names no surface, or one that is not open")


def check_surfaces(surfaces: tuple[Surface, ...]) -> None:
    """Raise OddEntry unless *surfaces* are some, each named once and as a surface may be."""
    if not surfaces or len(set(surfaces)) < len(surfaces):
        raise OddEntry("surfaces must be named, each once")
    for surface in surfaces:
        if not is_surface(surface):
            raise OddEntry(f"{surface!r} is not a surface")


def check_times(*times: str) -> None:
    """Raise OddEntry unless all are valid instants."""
    for one in times:
        if not valid(one):
            raise OddEntry(f"{one!r} is not a time")
