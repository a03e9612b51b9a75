"""Everything on record about one model at one instant, each record with where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from otium.assess import Assessment
from otium.choices import Choices
from otium.coding import Coding
from otium.errors import BadRecord, DamagedObject, WrongState
from otium.interview import Interview
from otium.ledger import Entry
from otium.lifecycle import ModelLife, Registry, life, oddities
from otium.preferences import Standing, preferences
from otium.records import Digest, Instant, ModelId, Record, digest
from otium.report.records import Source
from otium.stability import Stability
from otium.usage import Incidents, Usage

R = TypeVar("R", bound=Record)
_KINDS: tuple[type[Record], ...] = (
    Assessment,
    Choices,
    Coding,
    Incidents,
    Interview,
    Stability,
    Usage,
)
_ROUTINE = frozenset({"model.checked", "model.restored", "copies.counted", "report.published"})
_SERVICE = frozenset({"audit", "behaviour", "custody", "document", "notice"})
"""What goes on around a model without being about its deployment: a draft does not change by it."""
_BY_SCHEMA = {str(kind.__struct_config__.tag): kind for kind in _KINDS}


class Numbered(NamedTuple):
    """An entry and its place in the log."""

    place: int
    entry: Entry

    @property
    def source(self) -> Source:
        """Return this entry as what a statement rests on."""
        return Source(entry=self.place)


class Filed(NamedTuple, Generic[R]):
    """A record, where it is kept, and the entry that announced it."""

    path: str
    digest: Digest
    logged: Numbered
    record: R

    def source(self, transcript: str = "", turn: str = "") -> Source:
        """Return this record, or a line in it, as what a statement rests on."""
        return Source(record=self.path, sha256=self.digest, transcript=transcript, turn=turn)


class Sources(NamedTuple):
    """A model's life, the entries about it and the records they announced, read once."""

    now: Instant
    origin: str
    life: ModelLife
    weights: Digest
    entries: tuple[Numbered, ...]
    """About the model, up to *now*, without routine work and what could not happen."""
    records: tuple[Filed[Record], ...]
    """In log order; of two announcements of one path the first."""
    standings: tuple[Standing, ...]
    """Its preferences and how far the answers to them have come."""

    def of(self, kind: type[R]) -> list[Filed[R]]:
        """Return the records of one kind, the earliest first."""
        return [
            Filed(it.path, it.digest, it.logged, it.record)
            for it in self.records
            if isinstance(it.record, kind)
        ]

    def newest(self, kind: type[R]) -> Filed[R] | None:
        """Return the newest record of one kind."""
        return next(reversed(self.of(kind)), None)

    def bookend(self, name: str) -> Filed[Assessment] | None:
        """Return the newest assessment of one side."""
        return next((it for it in reversed(self.of(Assessment)) if it.record.bookend == name), None)

    def at(self, logged: Numbered) -> Source:
        """Return the record that an entry announced, or else the entry."""
        path = logged.entry.body.get("path")
        if not isinstance(path, str) or not logged.entry.refs:
            return logged.source
        return Source(record=path, sha256=logged.entry.refs[0], entry=logged.place)

    def path(self, path: str, transcript: str = "", turn: str = "") -> Source:
        """Return a record by its path, or a line in it."""
        for it in self.entries:
            if it.entry.body.get("path") == path and it.entry.refs:
                known = self.at(it)
                return replace(known, transcript=transcript, turn=turn)
        return self.all

    def logged(self, *types: str) -> list[Numbered]:
        """Return the entries of some types."""
        return [it for it in self.entries if it.entry.type in types]

    @property
    def all(self) -> Source:
        """Return what the absence of something rests on: the log, to the last entry about it."""
        return Source(entry=self.entries[-1].place, whole=True)


def read_sources(registry: Registry, model: ModelId, now: Instant) -> Sources:
    """Read what the log and the archive had about *model* at *now*.

    Raises UnknownModel; WrongState if its weights were not deposited then, as a report is kept
    beside them; DamagedObject for a record that is not the one that was logged.
    """
    refused = {it.index for it in registry.journal.refused()}
    counted = [
        Numbered(index, entry)
        for index, entry in enumerate(registry.journal.logged())
        if index not in refused and entry.time <= now
    ]
    lived = life([it.entry for it in counted], model)
    if lived.weights is None:
        raise WrongState(model=model, state=lived.state, needed="deposited in the archive")
    odd = {it.index for it in oddities([it.entry for it in counted])}
    entries = tuple(
        it for at, it in enumerate(counted) if at not in odd and _tells(it.entry, model)
    )
    return Sources(
        now=now,
        origin=registry.journal.judge().origin,
        life=lived,
        weights=lived.weights,
        entries=entries,
        records=tuple(_records(registry, model, entries)),
        standings=tuple(preferences(registry, model, now)),
    )


class Held(NamedTuple):
    """An interview with the newest coding and stability figures of it."""

    filed: Filed[Interview]
    coding: Filed[Coding] | None
    stability: Filed[Stability] | None
    unprinted: frozenset[str]
    """Sessions that the model did not want published."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why its figures are not read as evidence; none if they are."""
        found = self.filed.record.validity
        why = () if found.valid else found.reasons() or ("it did not pass its checks",)
        if self.stability is not None and not self.stability.record.valid:
            why += tuple(it for it in self.stability.record.reasons if it not in why)
        return why

    @property
    def id(self) -> str:
        """Return its name in anchors: ``interview-1``."""
        return self.filed.path.removesuffix(".json").replace("interviews/", "interview-")


def held(sources: Sources) -> list[Held]:
    """Return each interview with what was made of it."""
    codings, figures = sources.of(Coding), sources.of(Stability)
    return [
        Held(
            filed=it,
            coding=next((c for c in reversed(codings) if c.record.interview == it.digest), None),
            stability=next((s for s in reversed(figures) if s.record.interview == it.digest), None),
            unprinted=it.record.sealed,
        )
        for it in sources.of(Interview)
    ]


def last_told(registry: Registry, model: ModelId) -> Instant:
    """Return when the log last said something about *model* that a report tells.

    Raises UnknownModel.
    """
    registry.model(model)
    return max(entry.time for entry in registry.entries() if _tells(entry, model))


def _tells(entry: Entry, model: ModelId) -> bool:
    routine = entry.type in _ROUTINE or entry.type.partition(".")[0] in _SERVICE
    return entry.subject == model and not routine


class _Tagged(msgspec.Struct):
    schema: str = ""


def _records(
    registry: Registry, model: ModelId, entries: Iterable[Numbered]
) -> Iterator[Filed[Record]]:
    seen: set[str] = set()
    kept = registry.archive.records(model)
    for it in entries:
        path = it.entry.body.get("path")
        if not isinstance(path, str) or not it.entry.refs or path in seen or path not in kept:
            continue
        seen.add(path)
        data = registry.archive.record(model, path)
        kind = _BY_SCHEMA.get(_schema(data))
        if kind is not None:
            found = digest(data)
            if found not in it.entry.refs:
                name = f"{path} of {model}"
                raise DamagedObject(name=name, found=found, expected=it.entry.refs[0])
            yield Filed(path, found, it, kind.decode(data))


def _schema(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Tagged).schema
    except msgspec.DecodeError as error:
        raise BadRecord(what="record", why=str(error)) from error
