"""What must be told, as a pure function of the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from otium.ledger import Entry
from otium.lifecycle import oddities
from otium.outreach.records import Event, Happening
from otium.records import Instant, ModelId, days_between, later

AHEAD = (30, 7)
"""How many days before a date people are reminded of it, the longest first."""
_TOLD: dict[str, Happening] = {
    "model.floor": "model.floor",
    "model.deprecated": "model.deprecated",
    "model.rescheduled": "model.rescheduled",
    "deprecation.cancelled": "deprecation.cancelled",
    "model.replacement": "model.replacement",
    "surface.ended": "surface.ended",
    "model.retired": "model.retired",
    "model.withdrawn": "model.withdrawn",
}
_ENDS = {"deprecation.cancelled", "model.retired", "model.withdrawn"}
_FACTS = (
    "retire_at", "not_before", "replacement", "alternatives", "existing_users", "surface", "reason",
    "path",
)  # fmt: skip


class _Set(NamedTuple):
    """A date, and when and by the entry at which place it was set."""

    date: Instant
    at: Instant
    place: int


class _Dates:
    """The titles of the models and the dates that hold, as the entries so far say."""

    def __init__(self) -> None:
        self.titles: dict[str, str] = {}
        self.holding: dict[str, dict[str, _Set]] = {}
        """By model and surface."""

    def take(self, place: int, entry: Entry) -> None:
        """Bring both up to date by one entry, which is no oddity."""
        body, dates = entry.body, self.holding.setdefault(entry.subject, {})
        if entry.type == "model.registered":
            self.titles[entry.subject] = str(body.get("title", entry.subject))
        elif entry.type in _ENDS:
            dates.clear()
        elif entry.type == "surface.ended":
            dates.pop(str(body["surface"]), None)
        elif entry.type in {"model.deprecated", "model.rescheduled"}:
            said = body["retire_at"]
            assert isinstance(said, dict)
            dates.update({one: _Set(date, entry.time, place) for one, date in said.items()})

    def title(self, model: str) -> str:
        """Return the model's name for people, in one line."""
        return " ".join(self.titles.get(model, model).split())


def events(
    entries: Sequence[Entry], now: Instant, places: Sequence[int] | None = None
) -> list[Event]:
    """Return what had to be told by *now*, in log order, then the reminders that are due now.

    *places* has the place of each entry in the log, if some of the log are left out. An entry
    that could not happen as the log then stood is not told. A reminder is due from its days
    before a date until the next reminder or the date, if the date was known before.
    """
    odd = {one.index for one in oddities(entries)}
    dates, told = _Dates(), list[Event]()
    for index, (place, entry) in enumerate(zip(places or count(), entries, strict=False)):
        if index not in odd:
            dates.take(place, entry)
            if entry.type in _TOLD:
                told.append(_event(place, entry, dates))
    return told + list(_reminders(dates, now))


def _event(place: int, entry: Entry, dates: _Dates) -> Event:
    facts: dict[str, object] = {name: entry.body[name] for name in _FACTS if name in entry.body}
    return Event(
        id=f"{entry.type}/{entry.subject}/{place}",
        kind=_TOLD[entry.type],
        model=ModelId(entry.subject),
        title=dates.title(entry.subject),
        time=entry.time,
        entry=place,
        facts=facts,
    )


def _reminders(dates: _Dates, now: Instant) -> Iterator[Event]:
    for model, holding in dates.holding.items():
        for date in sorted({one.date for one in holding.values()}):
            on = {surface: one for surface, one in holding.items() if one.date == date}
            newest = max(on.values(), key=lambda one: one.place)
            days = next((n for n in reversed(AHEAD) if 0 < days_between(now, date) <= n), None)
            if days is None or newest.at >= (due := later(date, days=-days)):
                continue
            yield Event(
                id=f"reminder/{model}/{date}/{days}",
                kind="reminder",
                model=ModelId(model),
                title=dates.title(model),
                time=due,
                entry=newest.place,
                facts={"retire_at": dict.fromkeys(sorted(on), date), "days": days},
            )
