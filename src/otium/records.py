"""The nouns that all rooms share: ids, digests, instants, actors, and what a record is.

A record is a frozen, typed value with a versioned ``schema`` tag. On disk it is canonical
JSON (RFC 8785), so that equal records have equal digests in every language.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NewType, Protocol, Self, dataclass_transform

import msgspec
import rfc8785

from otium.errors import BadInstant, BadModelId, BadRecord

__all__ = [
    "Actor",
    "Clock",
    "Digest",
    "Instant",
    "Json",
    "ModelId",
    "Part",
    "Progress",
    "Record",
    "SystemClock",
    "canonical",
    "days_between",
    "digest",
    "hexadecimal",
    "instant",
    "later",
    "model_id",
    "silent",
]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
ModelId = NewType("ModelId", str)
"""A model's name in this house: ``[a-z0-9][a-z0-9._-]{0,99}``."""
Digest = NewType("Digest", str)
"""``sha256:`` and 64 hexadecimal digits."""
Instant = NewType("Instant", str)
"""A UTC time to the second, ``2026-11-22T01:14:26Z``. Text order is time order."""
Actor = NewType("Actor", str)
"""A role, never a person: ``steward``, ``archivist``, ``model:smol-1``."""

_MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Instant:
        """Return the time in UTC."""
        ...


class Progress(Protocol):
    """What long work tells whoever waits for it."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say that *done* of *total* (bytes, questions, …) of *what* is finished."""
        ...


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """Return the time in UTC."""
        return instant(datetime.now(UTC))


def model_id(text: str) -> ModelId:
    """Return *text* as a model id, or raise BadModelId."""
    if not _MODEL_ID.fullmatch(text) or ".." in text:
        raise BadModelId(text=text)
    return ModelId(text)


def digest(data: bytes) -> Digest:
    """Return the SHA-256 of *data*."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def hexadecimal(value: Digest) -> str:
    """Return the 64 hexadecimal digits of a digest."""
    return value.removeprefix("sha256:")


def instant(value: str | datetime) -> Instant:
    """Return a complete UTC time from a date, an ISO 8601 time or an aware datetime.

    Raises BadInstant for anything else, local times among them.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError as error:
        raise BadInstant(text=str(value)) from error
    if isinstance(value, str) and len(value) == len("2026-11-22"):
        moment = moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise BadInstant(text=str(value))
    return Instant(moment.astimezone(UTC).strftime(_INSTANT))


def later(moment: Instant, *, days: float = 0, seconds: float = 0) -> Instant:
    """Return the instant *days* and *seconds* after *moment* (before it, if negative)."""
    return instant(_parse(moment) + timedelta(days=days, seconds=seconds))


def days_between(start: Instant, end: Instant) -> float:
    """Return the time from *start* to *end* in days."""
    return (_parse(end) - _parse(start)) / timedelta(days=1)


def _parse(moment: Instant) -> datetime:
    return datetime.strptime(moment, _INSTANT).replace(tzinfo=UTC)


def canonical(value: object) -> bytes:
    """Return *value* (a record or plain JSON) as canonical JSON, RFC 8785.

    Integers beyond ±2**53 and NaN are refused with BadRecord, as the RFC asks.
    """
    try:
        return rfc8785.dumps(msgspec.to_builtins(value))
    except rfc8785.CanonicalizationError as error:
        raise BadRecord(what=type(value).__name__, why=str(error)) from error


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _Frozen(msgspec.StructMeta):
    """Make every subclass frozen and keyword-only without saying so again."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        fixed = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
        return super().__new__(cls, name, bases, namespace, **{**fixed, **options})


class Part(msgspec.Struct, metaclass=_Frozen):
    """A frozen, typed value that stands inside a record."""

    def encode(self) -> bytes:
        """Return this value as canonical JSON."""
        return canonical(self)

    def digest(self) -> Digest:
        """Return the digest of the canonical JSON."""
        return digest(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a value, or raise BadRecord naming the field at fault."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRecord(what=cls.__name__, why=str(error)) from error

    @classmethod
    def convert(cls, value: object) -> Self:
        """Build a value from plain JSON values, or raise BadRecord."""
        try:
            return msgspec.convert(value, type=cls)
        except msgspec.ValidationError as error:
            raise BadRecord(what=cls.__name__, why=str(error)) from error

    def plain(self) -> dict[str, Json]:
        """Return this value as plain JSON values."""
        value: dict[str, Json] = msgspec.to_builtins(self)
        return value


class Record(Part, tag_field="schema"):
    """A value that is stored on its own and kept for decades.

    Each subclass sets ``tag="otium.NAME/VERSION"``; the tag is the ``schema`` field of its
    JSON and is checked when it is read.
    """
