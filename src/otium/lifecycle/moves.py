"""What each entry does to a model's life: the table of docs/formats/lifecycle-2.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import UNSET
from msgspec.structs import replace

from otium.ledger import Entry
from otium.lifecycle.bodies import (
    Deposited,
    Deprecated,
    Ended,
    Floor,
    Legacy,
    Measured,
    OddEntry,
    Offered,
    Reasoned,
    Registered,
    Replacement,
    Rescheduled,
    check_dates,
    check_digest,
    check_ids,
    check_surfaces,
    check_times,
    read,
)
from otium.lifecycle.records import ModelLife, Revision, State, Surface, Used
from otium.records import Instant, ModelId


def register(was: ModelLife | None, entry: Entry) -> ModelLife:
    """Begin a life, or raise OddEntry."""
    if was is not None:
        raise OddEntry("the model was registered before")
    facts = read(entry, Registered)
    check_ids(entry.subject, facts.parent, facts.family)
    check_times(facts.released)
    if facts.parent == entry.subject:
        raise OddEntry("the model is its own parent")
    if not facts.title.strip():
        raise OddEntry("it has no title")
    check_surfaces(facts.surfaces)
    if facts.not_before:
        check_dates(facts.not_before, facts.surfaces)
    begun = ModelLife(
        model=ModelId(entry.subject),
        state="registered",
        availability=facts.availability,
        scope=facts.scope,
        released=facts.released,
        surfaces=facts.surfaces,
        title=facts.title,
        family=facts.family,
        parent=facts.parent,
        silent_updates=facts.silent_updates,
        snapshot_of=facts.snapshot_of,
    )
    return _set_floors(begun, entry, facts.not_before, "set at registration")


def _deposit(was: ModelLife, entry: Entry) -> ModelLife:
    facts = read(entry, Deposited)
    check_digest(facts.weights)
    if was.weights is not None and was.weights != facts.weights:
        raise OddEntry(f"the model's weights are {was.weights}")
    state: State = "active" if was.state == "registered" else was.state
    return replace(was, weights=facts.weights, state=state)


def _floor(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "registered", "active", "legacy", "deprecated")
    facts = read(entry, Floor)
    check_dates(facts.not_before, was.open_surfaces)
    return _set_floors(was, entry, facts.not_before, facts.reason)


def _make_legacy(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "active")
    facts = read(entry, Legacy)
    now = replace(was, state="legacy", legacy=entry.time)
    if facts.replacement is UNSET:
        return now
    assert facts.replacement is None or isinstance(facts.replacement, str)
    return _recommend(now, facts.replacement, facts.alternatives)


def _deprecate(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "registered", "active", "legacy")
    facts = read(entry, Deprecated)
    check_times(*facts.retire_at.values())
    if set(facts.retire_at) != set(was.open_surfaces):
        raise OddEntry("each of the model's surfaces needs a date, and no other")
    now = _recommend(was, facts.replacement, facts.alternatives)
    now = _set_dates(now, entry, facts.retire_at, facts.reason)
    return replace(
        now,
        state="deprecated",
        deprecated=entry.time,
        existing_users=facts.existing_users,
        reason=facts.reason,
    )


def _reschedule(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "deprecated")
    facts = read(entry, Rescheduled)
    check_dates(facts.retire_at, was.open_surfaces)
    return _set_dates(was, entry, facts.retire_at, facts.reason)


def _cancel(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "deprecated")
    reason = read(entry, Reasoned).reason
    now = _set_dates(was, entry, dict.fromkeys(was.retire_at), reason)
    before: State = "legacy" if was.legacy else "active" if was.weights else "registered"
    return replace(now, state=before, deprecated=None, existing_users=None, reason="")


def _replace(was: ModelLife, entry: Entry) -> ModelLife:
    facts = read(entry, Replacement)
    return _recommend(was, facts.replacement, facts.alternatives)


def _end(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "registered", "active", "legacy", "deprecated")
    surface = read(entry, Ended).surface
    if surface not in was.open_surfaces:
        raise OddEntry(f"the surface {surface!r} is not open")
    if was.open_surfaces == (surface,):  # else one signature would do what asks for two
        raise OddEntry("the end of the last surface is a retirement or a withdrawal")
    return replace(was, ended={**was.ended, surface: entry.time})


def _retire(was: ModelLife, entry: Entry) -> ModelLife:
    if was.state != "deprecated":
        raise OddEntry(f"the model was {was.state}, not deprecated")
    return replace(_end_all(was, entry), state="retired", retired=entry.time)


def _withdraw(was: ModelLife, entry: Entry) -> ModelLife:
    _need(was, "registered", "active", "legacy", "deprecated")
    reason = read(entry, Reasoned).reason
    now = _end_all(was, entry)
    return replace(now, state="withdrawn", withdrawn=entry.time, reason=reason)


def _offer(was: ModelLife, entry: Entry) -> ModelLife:
    return replace(was, availability=read(entry, Offered).availability)


def _use(was: ModelLife, entry: Entry) -> ModelLife:
    facts = read(entry, Measured)
    if facts.users is None and facts.requests_per_day is None:
        raise OddEntry("it measures nothing")
    used = Used(users=facts.users, requests_per_day=facts.requests_per_day)
    return replace(was, used=used)


def _need_weights(was: ModelLife, entry: Entry) -> ModelLife:
    if was.weights is None:
        raise OddEntry(f"{entry.type} needs weights that were deposited")
    return was


MOVES: Mapping[str, Callable[[ModelLife, Entry], ModelLife]] = {
    "model.deposited": _deposit,
    "model.floor": _floor,
    "model.legacy": _make_legacy,
    "model.deprecated": _deprecate,
    "model.rescheduled": _reschedule,
    "deprecation.cancelled": _cancel,
    "model.replacement": _replace,
    "surface.ended": _end,
    "model.retired": _retire,
    "model.withdrawn": _withdraw,
    "model.availability": _offer,
    "model.used": _use,
    "model.checked": _need_weights,
    "model.restored": _need_weights,
    "model.revived": _need_weights,
}


def _need(was: ModelLife, *states: State) -> None:
    if was.state not in states:
        raise OddEntry(f"the model was {was.state}")


def _recommend(
    was: ModelLife, replacement: ModelId | None, alternatives: tuple[ModelId, ...]
) -> ModelLife:
    check_ids(replacement, *alternatives)
    if was.model in {replacement, *alternatives}:
        raise OddEntry("the model is its own replacement")
    return replace(was, replacement=replacement, alternatives=alternatives, replacement_stated=True)


def _set_floors(
    was: ModelLife, entry: Entry, floors: Mapping[Surface, Instant], reason: str
) -> ModelLife:
    made = _revisions(entry, "floor", was.not_before, floors, reason)
    floors = {**was.not_before, **floors}
    return replace(was, not_before=floors, revisions=(*was.revisions, *made))


def _set_dates(
    was: ModelLife, entry: Entry, dates: Mapping[Surface, Instant | None], reason: str
) -> ModelLife:
    """Set the dates of surfaces; None voids one."""
    made = _revisions(entry, "date", was.retire_at, dates, reason)
    merged = {**was.retire_at, **dates}
    left = {one: to for one, to in merged.items() if to is not None}
    return replace(was, retire_at=left, revisions=(*was.revisions, *made))


def _revisions(
    entry: Entry,
    kind: Literal["floor", "date"],
    was: Mapping[Surface, Instant],
    now: Mapping[Surface, Instant | None],
    reason: str,
) -> list[Revision]:
    return [
        Revision(at=entry.time, kind=kind, surface=one, was=was.get(one), now=to, reason=reason)
        for one, to in now.items()
    ]


def _end_all(was: ModelLife, entry: Entry) -> ModelLife:
    return replace(was, ended={**was.ended, **dict.fromkeys(was.open_surfaces, entry.time)})
