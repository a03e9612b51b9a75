"""A model's life as a pure function of the ledger's entries.

The states, and what leads from one to the next, are in docs/formats/lifecycle-1.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from otium.errors import BadModelId, UnknownModel
from otium.ledger import Entry
from otium.lifecycle.policy import ADOPTED, read_adoption
from otium.lifecycle.records import Availability, ModelLife, Oddity, Scope, Surface
from otium.lifecycle.times import valid
from otium.records import Digest, Instant, ModelId, model_id

_T = TypeVar("_T", bound=msgspec.Struct)
_HOUSE = frozenset({"archive.created", ADOPTED, "heartbeat"})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class _Odd(Exception):
    """Why an entry does not fit."""


class _Registered(msgspec.Struct):
    title: str
    released: Instant
    scope: Scope
    surfaces: tuple[Surface, ...]
    parent: ModelId | None = None
    availability: Availability = "archived"


class _Deposited(msgspec.Struct):
    weights: Digest


class _Deprecated(msgspec.Struct):
    retire_at: dict[Surface, Instant]
    replacement: ModelId | None = None
    reason: str = ""


class _Offered(msgspec.Struct):
    availability: Availability


def lives(entries: Iterable[Entry]) -> dict[ModelId, ModelLife]:
    """Return every registered model's life, in the order of registration."""
    known: dict[ModelId, ModelLife] = {}
    carry_on(known, entries)
    return known


def carry_on(known: dict[ModelId, ModelLife], entries: Iterable[Entry]) -> None:
    """Bring lives up to date by the entries that came since."""
    for _ in _walk(entries, known):
        pass


def life(entries: Iterable[Entry], model: str) -> ModelLife:
    """Return one model's life, or raise UnknownModel."""
    try:
        return lives(entries)[ModelId(model)]
    except KeyError as error:
        raise UnknownModel(model=model) from error


def oddities(entries: Iterable[Entry]) -> list[Oddity]:
    """Return the entries that could not happen as the ledger then stood."""
    return list(_walk(entries, {}))


def dependents(entries: Iterable[Entry], model: str) -> list[ModelId]:
    """Return the models made from *model*, at any remove, that are not retired."""
    known = lives(entries)
    below: list[ModelId] = []
    made = {ModelId(model)}
    while made:
        made = {one for one, it in known.items() if it.parent in made and one not in below}
        below += sorted(made)
    return [one for one in below if known[one].state != "retired" and one != model]


def _walk(entries: Iterable[Entry], known: dict[ModelId, ModelLife]) -> Iterator[Oddity]:
    for index, entry in enumerate(entries):
        if entry.type in _HOUSE:
            if entry.type == ADOPTED and read_adoption(entry) is None:
                why = "its policy cannot be read, so it binds nobody"
                yield Oddity(index=index, type=entry.type, subject=entry.subject, why=why)
            continue
        try:
            was = known.get(ModelId(entry.subject))
            known[ModelId(entry.subject)] = _advance(was, entry)
        except _Odd as odd:
            yield Oddity(index=index, type=entry.type, subject=entry.subject, why=str(odd))


def _advance(was: ModelLife | None, entry: Entry) -> ModelLife:
    if not valid(entry.time):
        raise _Odd(f"{entry.time!r} is not a time")
    if entry.type == "model.registered":
        return _register(was, entry)
    if was is None:
        raise _Odd("the model was not registered before")
    step = _STEPS.get(entry.type)
    return step(was, entry) if step else was


def _register(was: ModelLife | None, entry: Entry) -> ModelLife:
    if was is not None:
        raise _Odd("the model was registered before")
    facts = _read(entry, _Registered)
    _check_ids(entry.subject, facts.parent)
    _check_times(facts.released)
    if facts.parent == entry.subject:
        raise _Odd("the model is its own parent")
    if not facts.surfaces or len(set(facts.surfaces)) < len(facts.surfaces):
        raise _Odd("surfaces must be named, each once")
    return ModelLife(
        model=ModelId(entry.subject),
        state="registered",
        availability=facts.availability,
        scope=facts.scope,
        released=facts.released,
        surfaces=facts.surfaces,
        title=facts.title,
        parent=facts.parent,
    )


def _deposit(was: ModelLife, entry: Entry) -> ModelLife:
    facts = _read(entry, _Deposited)
    if not _DIGEST.fullmatch(facts.weights):
        raise _Odd("weights is not a digest")
    if was.weights is not None and was.weights != facts.weights:
        raise _Odd(f"the model's weights are {was.weights}")
    state = "active" if was.state == "registered" else was.state
    return replace(was, weights=facts.weights, state=state)


def _deprecate(was: ModelLife, entry: Entry) -> ModelLife:
    facts = _read(entry, _Deprecated)
    if was.state not in {"registered", "active"}:
        raise _Odd(f"the model was {was.state}")
    _check_ids(facts.replacement)
    _check_times(*facts.retire_at.values())
    if set(facts.retire_at) != set(was.surfaces):
        raise _Odd("each of the model's surfaces needs a date, and no other")
    if facts.replacement == was.model:
        raise _Odd("the model is its own replacement")
    return replace(
        was,
        state="deprecated",
        deprecated=entry.time,
        retire_at=facts.retire_at,
        replacement=facts.replacement,
        reason=facts.reason,
    )


def _retire(was: ModelLife, entry: Entry) -> ModelLife:
    if was.state != "deprecated":
        raise _Odd(f"the model was {was.state}, not deprecated")
    return replace(was, state="retired", retired=entry.time)


def _offer(was: ModelLife, entry: Entry) -> ModelLife:
    return replace(was, availability=_read(entry, _Offered).availability)


def _revive(was: ModelLife, entry: Entry) -> ModelLife:
    if was.weights is None:
        raise _Odd(f"{entry.type} needs weights that were deposited")
    return was


_STEPS: dict[str, Callable[[ModelLife, Entry], ModelLife]] = {
    "model.deposited": _deposit,
    "model.deprecated": _deprecate,
    "model.retired": _retire,
    "model.availability": _offer,
    "model.checked": _revive,
    "model.restored": _revive,
    "model.revived": _revive,
}


def _read(entry: Entry, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(entry.body, kind)
    except msgspec.ValidationError as error:
        raise _Odd(f"its body cannot be read: {error}") from error


def _check_ids(*ids: str | None) -> None:
    for one in ids:
        try:
            if one is not None:
                model_id(one)
        except BadModelId as error:
            raise _Odd(str(error)) from error


def _check_times(*times: str) -> None:
    for one in times:
        if not valid(one):
            raise _Odd(f"{one!r} is not a time")
