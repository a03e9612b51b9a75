"""A model's life as a pure function of the ledger's entries.

The states, and what leads from one to the next, are in docs/formats/lifecycle-2.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from otium.commitments import ADOPTED, read_adoption, valid
from otium.errors import UnknownModel
from otium.ledger import Entry
from otium.lifecycle.bodies import OddEntry, Pointed, check_ids, read
from otium.lifecycle.moves import MOVES, register
from otium.lifecycle.records import ModelLife, Oddity
from otium.records import ModelId

_ABOUT_THE_HOUSE = frozenset({ADOPTED, "heartbeat", "witnesses.adopted"})
_OF_THE_HOUSE = ("archive.", "key.")


def lives(entries: Iterable[Entry]) -> dict[ModelId, ModelLife]:
    """Return every registered model's life, in the order of registration."""
    known: dict[ModelId, ModelLife] = {}
    carry_on(known, entries)
    return known


def carry_on(known: dict[ModelId, ModelLife], entries: Iterable[Entry], house: str = "") -> None:
    """Bring lives up to date by the entries that came since; *house* is the archive's id."""
    for _ in _walk(entries, known, house):
        pass


def life(entries: Iterable[Entry], model: str) -> ModelLife:
    """Return one model's life, or raise UnknownModel."""
    try:
        return lives(entries)[ModelId(model)]
    except KeyError as error:
        raise UnknownModel(model=model) from error


def oddities(entries: Iterable[Entry]) -> list[Oddity]:
    """Return the entries that could not happen as the ledger then stood."""
    return list(_walk(entries, {}, ""))


def odd_now(known: dict[ModelId, ModelLife], entry: Entry) -> list[Oddity]:
    """Return why *entry* would be passed over as the models stand; nothing is changed."""
    return list(_walk([entry], dict(known), ""))


def dependents(entries: Iterable[Entry], model: str) -> list[ModelId]:
    """Return the models made from *model*, at any remove, that are in service."""
    known = lives(entries)
    below: list[ModelId] = []
    made = {ModelId(model)}
    while made:
        made = {one for one, it in known.items() if it.parent in made and one not in below}
        below += sorted(made)
    return [one for one in below if known[one].in_service and one != model]


def _walk(
    entries: Iterable[Entry], known: dict[ModelId, ModelLife], house: str
) -> Iterator[Oddity]:
    for index, entry in enumerate(entries):
        if entry.type == "archive.created":
            house = house or entry.subject
        try:
            if _is_of_the_house(entry, house):
                _check_house(entry)
            else:
                _advance(known, entry)
        except OddEntry as odd:
            yield Oddity(index=index, type=entry.type, subject=entry.subject, why=str(odd))


def _is_of_the_house(entry: Entry, house: str) -> bool:
    by_type = entry.type in _ABOUT_THE_HOUSE or entry.type.startswith(_OF_THE_HOUSE)
    return by_type or (bool(house) and entry.subject == house)


def _check_house(entry: Entry) -> None:
    if entry.type == ADOPTED and read_adoption(entry) is None:
        raise OddEntry("its policy cannot be read, so it binds nobody")


def _advance(known: dict[ModelId, ModelLife], entry: Entry) -> None:
    subject = ModelId(entry.subject)
    was = known.get(subject)
    if not valid(entry.time):
        raise OddEntry(f"{entry.time!r} is not a time")
    if entry.type == "model.registered":
        known[subject] = register(was, entry)
        return
    if was is None:
        raise OddEntry("the model was not registered before")
    if entry.type == "alias.pointed":
        _point(known, was, entry)
        return
    move = MOVES.get(entry.type)
    known[subject] = move(was, entry) if move else was


def _point(known: dict[ModelId, ModelLife], was: ModelLife, entry: Entry) -> None:
    """Let an alias point to a model, and to no other from here on."""
    facts = read(entry, Pointed)
    check_ids(facts.alias)
    if facts.alias in known:
        raise OddEntry(f"{facts.alias} is a model")
    for one, it in list(known.items()):
        if facts.alias in it.aliases:
            left = tuple(alias for alias in it.aliases if alias != facts.alias)
            known[one] = replace(it, aliases=left)
    now = known[was.model]
    silent = now.silent_updates if facts.silent_updates is None else facts.silent_updates
    known[was.model] = replace(now, aliases=(*now.aliases, facts.alias), silent_updates=silent)
