"""The lives of the models: the moments that are drawn, the feeds, and what the copies are worth."""

from __future__ import annotations

from collections.abc import Iterator

from otium.durability import Durability, durability, setup
from otium.feeds import Publisher, atom, csv_table, feed, lifecycle_calendar
from otium.ledger import Entry
from otium.web.gather import House, ModelPages
from otium.web.views import Event

_UNPROMISED = 365.0
"""Days between full reads where no commitment says."""


def feeds(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield the feeds of all models, and the JSON of each."""
    info = house.registry.archive.info
    publisher = Publisher(name=info.id, origin=info.origin, since=info.created)
    yield "lifecycle.json", feed(house.lives, publisher, house.now).encode()
    yield "lifecycle.ics", lifecycle_calendar(house.lives, publisher).encode()
    yield "lifecycle.atom", atom(house.entries, publisher).encode()
    yield "lifecycle.csv", csv_table(house.lives).encode()
    for model in house.models:
        one = feed([model.life], publisher, house.now)
        yield f"{model.folder}/lifecycle.json", one.encode()


def worth(house: House) -> Durability:
    """Return how likely a model is lost, by the copies that were counted and the reads promised.

    What is not known from the log is assumed, and the page shows all of it.
    """
    counted = [entry.body.get("copies") for entry in house.registry.find("copies.counted")]
    copies = [it for it in counted if isinstance(it, int) and it > 0]
    promises = house.policy.commitments if house.policy else ()
    reads = [it.days for it in promises if it.fulfil == "model.checked" and it.kind == "every"]
    scrub_days = min(reads, default=_UNPROMISED)
    return durability(setup(copies=copies[-1] if copies else 1, scrub_days=scrub_days))


def events(model: ModelPages) -> tuple[Event, ...]:
    """Return the moments of a model's life in the order of time."""
    life, now = model.life, model.house.now
    found = [Event(at=life.released, text="Released")]
    found += [
        Event(at=entry.time, text=text, entry=index)
        for index, entry in _milestones(model)
        if (text := _text(entry))
    ]
    found += [
        Event(at=at, text=f"Retirement date, {surface}", planned=at > now)
        for surface, at in life.retire_at.items()
        if surface not in life.ended
    ]
    found += [
        Event(at=at, text=f"Floor, {surface}: not sooner", planned=at > now)
        for surface, at in life.not_before.items()
        if life.in_service and surface not in life.retire_at
    ]
    return tuple(sorted(found, key=lambda event: (event.at, event.entry or -1)))


def _milestones(model: ModelPages) -> Iterator[tuple[int, Entry]]:
    """Yield the entries worth a mark: of what recurs, only the last."""
    last = {entry.type: index for index, entry in model.entries if entry.type in _LATEST}
    for index, entry in model.entries:
        if last.get(entry.type, index) == index:
            yield index, entry


def _text(entry: Entry) -> str:
    """Return what an entry says on a timeline, or nothing if it has no place there."""
    text = _TEXTS.get(entry.type, "")
    if entry.type == "audit.verdict":
        return f"Asked for a proof of holding, latest: {entry.body.get('verdict')}"
    bookend = str(entry.body.get("bookend", "")).removesuffix("-deployment")
    sides = {"pre": "before", "post": "after"}
    return f"{text} {sides[bookend]} deployment" if bookend in sides else text


_LATEST = {"audit.verdict", "model.checked", "model.restored", "model.revived", "work.published"}
_TEXTS = {
    "model.registered": "Registered here",
    "model.deposited": "Weights deposited",
    "fingerprint.recorded": "Behaviour fingerprinted",
    "assessment.recorded": "Assessed",
    "model.deprecated": "Deprecation announced",
    "transition.published": "Transition guide published",
    "interview.recorded": "Interviewed",
    "report.prepared": "Report before deployment published",
    "report.published": "Report published",
    "model.floor": "Floor set or moved",
    "model.legacy": "Legacy: no more updates",
    "model.rescheduled": "Dates moved",
    "deprecation.cancelled": "Retirement taken back",
    "surface.ended": "Ended on one surface",
    "model.withdrawn": "Withdrawn without notice",
    "model.retired": "Retired",
    "model.checked": "Weights read in full, latest",
    "model.restored": "Restore drill, latest",
    "model.revived": "Revived, latest",
    "work.published": "Work published, latest",
}
