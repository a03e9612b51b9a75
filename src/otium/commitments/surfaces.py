"""The plan of each surface of a model, and the promises about it: notice and floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from otium.commitments.log import DEPRECATED, RETIRED, WITHDRAWN, Log, Promise
from otium.commitments.records import Duty, DutyState
from otium.commitments.times import moment, text
from otium.ledger import Entry
from otium.records import Instant

_FLOORED = ("model.registered", "model.floor")
_DATED = (DEPRECATED, "model.rescheduled")
_ENDING = (*_DATED, "surface.ended", RETIRED, WITHDRAWN)
_CANCELLED = "deprecation.cancelled"
_TOLD = (*_FLOORED, *_ENDING, _CANCELLED)


@dataclass(slots=True)
class _Episode:
    """What was announced of a surface while an announcement of its end stood."""

    said: list[tuple[int, object]]
    """The index of each announcement, and its value."""
    end: int | None = None
    """The end of the surface, if it fell into the episode."""


@dataclass(slots=True)
class _Surface:
    """What was said of one surface, and its end, as indices of entries."""

    name: str
    floors: list[tuple[int, int]] = field(default_factory=list)
    episodes: list[_Episode] = field(default_factory=list)
    announced: bool = False
    end: int | None = None

    def announce(self, index: int, value: object) -> None:
        if self.end is None and self.announced:
            self.episodes[-1].said.append((index, value))
        elif self.end is None:
            self.episodes.append(_Episode([(index, value)]))
            self.announced = True

    def cancel(self) -> None:
        self.announced = self.announced and self.end is not None

    def floor(self, index: int, value: int) -> None:
        if self.end is None:
            self.floors.append((index, value))

    def finish(self, index: int) -> None:
        if self.end is None:
            self.end = index
            if self.announced:
                self.episodes[-1].end = index


class _Plan(dict[str, _Surface]):
    """The surfaces of a model in the order in which they were first named."""

    def __missing__(self, name: str) -> _Surface:
        return self.setdefault(name, _Surface(name))


def notices(promise: Promise, subjects: Iterable[str]) -> list[Duty]:
    """Return the duties to announce each surface's end early enough, in order."""
    found: list[tuple[int, int, Duty]] = []
    for model in promise.log.subjects(*_ENDING).intersection(subjects):
        bound = promise.bound(model)
        for rank, surface in enumerate(_plan(promise.log, model)):
            for episode in surface.episodes:
                first = episode.said[0][0]
                if first >= bound:
                    found.append((first, rank, _notice(promise, model, surface.name, episode)))
            if surface.end is not None and not surface.announced and surface.end > bound:
                duty = _unannounced(promise, model, surface.name, surface.end)
                found.append((surface.end, rank, duty))
    return _in_order(found)


def floors(promise: Promise, subjects: Iterable[str]) -> list[Duty]:
    """Return the duties to end no surface sooner than was said, in order."""
    found: list[tuple[int, int, Duty]] = []
    for model in promise.log.subjects(*_FLOORED).intersection(subjects):
        bound = promise.bound(model)
        for rank, surface in enumerate(_plan(promise.log, model)):
            if surface.floors and (surface.end is None or surface.end >= bound):
                duty = _floor(promise, model, surface, bound)
                found.append((surface.floors[0][0], rank, duty))
    return _in_order(found)


def _in_order(found: list[tuple[int, int, Duty]]) -> list[Duty]:
    return [duty for _, _, duty in sorted(found, key=lambda it: it[:2])]


# The plan


def _plan(log: Log, model: str) -> list[_Surface]:
    """Return the surfaces of a model in the order in which they were first named."""
    plan = _Plan()
    registered = False
    for index in log.about(model, *_TOLD):
        entry = log.entries[index]
        if entry.type == "model.registered" and not registered:
            registered = True
            for name in _surfaces(entry):
                _ = plan[name]  # names it
        _tell(plan, index, entry)
    return list(plan.values())


def _tell(plan: _Plan, index: int, entry: Entry) -> None:
    if entry.type in _DATED:
        for name, value in _object(entry, "retire_at"):
            plan[name].announce(index, value)
    elif entry.type in _FLOORED:
        for name, value in _object(entry, "not_before"):
            if (second := moment(value)) is not None:
                plan[name].floor(index, second)
    elif entry.type == "surface.ended":
        ended = entry.body.get("surface")
        if isinstance(ended, str):
            plan[ended].finish(index)
    else:
        for surface in plan.values():
            surface.cancel() if entry.type == _CANCELLED else surface.finish(index)


def _surfaces(entry: Entry) -> Iterator[str]:
    names = entry.body.get("surfaces")
    if isinstance(names, list | tuple):
        yield from (name for name in names if isinstance(name, str))


def _object(entry: Entry, name: str) -> Iterable[tuple[str, object]]:
    value = entry.body.get(name)
    return value.items() if isinstance(value, dict) else ()


# How it stands


def _notice(promise: Promise, model: str, about: str, episode: _Episode) -> Duty:
    log, said = promise.log, episode.said
    last = moment(said[-1][1])
    due = None if last is None else text(last)
    broken = next(_breaks_of_notice(promise, episode), None)
    if broken is not None:
        return _broken(promise, model, about, broken, due)
    made = log.times[said[0][0]]
    return promise.duty(model, "kept", due, made, f"announced at {made} for {due}", about=about)


def _breaks_of_notice(promise: Promise, episode: _Episode) -> Iterator[tuple[int, str]]:
    """Yield what breaks a notice, each as an index and in words, in log order."""
    log, before = promise.log, None
    for index, value in episode.said:
        date = moment(value)
        if date is None:
            yield index, "an announced date is not a time"
            return
        short = date - log.moments[index] < promise.length
        if short and (before is None or date < before):
            days = f"{(date - log.moments[index]) / 86400:.2f} days"
            said = f"{days} from {log.times[index]} to {text(date)}"
            yield index, f"{said}; {promise.it.days:g} are promised"
        before = date
    if episode.end is not None and before is not None and log.moments[episode.end] < before:
        yield episode.end, f"it ended at {log.times[episode.end]}, before {text(before)}"


def _unannounced(promise: Promise, model: str, about: str, end: int) -> Duty:
    why = f"it ended at {promise.log.times[end]} without notice"
    return _broken(promise, model, about, (end, why), None)


def _floor(promise: Promise, model: str, surface: _Surface, bound: int) -> Duty:
    log = promise.log
    due = max([value for _, value in surface.floors])
    broken = next((it for it in _breaks_of_floor(log, surface) if it[0] > bound), None)
    if broken is not None:
        return _broken(promise, model, surface.name, broken, text(due))
    if surface.end is not None:
        ended, why = log.times[surface.end], f"it ended at {log.times[surface.end]}"
        return promise.duty(model, "kept", text(due), ended, why, about=surface.name)
    state: DutyState = "kept" if log.now >= due else "due"
    why = f"not sooner than {text(due)}"
    return promise.duty(model, state, text(due), None, why, about=surface.name)


def _breaks_of_floor(log: Log, surface: _Surface) -> Iterator[tuple[int, str]]:
    """Yield what breaks a floor, each as an index and in words, in log order."""
    said = [it for episode in surface.episodes for it in episode.said]
    dated = [(at, date, False) for at, value in said if (date := moment(value)) is not None]
    highest, before = -inf, -inf
    for index, date, sets in sorted([*dated, *((*it, True) for it in surface.floors)]):
        if not sets and date < highest:
            yield index, f"it was announced for {text(date)}, when a later floor was set"
        elif sets and date < before:
            yield index, f"the floor was lowered to {text(date)}"
        if sets:
            highest, before = max(highest, date), date
    if surface.end is not None and log.moments[surface.end] < highest:
        yield surface.end, f"it ended at {log.times[surface.end]}, when a later floor was set"


def _broken(
    promise: Promise, model: str, about: str, broken: tuple[int, str], due: Instant | None
) -> Duty:
    index, why = broken
    log = promise.log
    if promise.it.on_withdrawal == "lapses" and promise.is_withdrawal(index):
        why = f"lifted by the withdrawal at {log.times[index]}"
        return promise.duty(model, "waived", due, None, why, about=about)
    waivers = promise.waivers(model, about=about)
    if waivers and waivers[0] < index:
        why = promise.waived_by(waivers[0])
        return promise.duty(model, "waived", due, None, why, about=about)
    return promise.duty(model, "breached", due, None, why, about=about)
