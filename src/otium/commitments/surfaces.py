"""The promises about the plan of a surface: notice and floor."""

from __future__ import annotations

from collections.abc import Container, Iterator
from math import inf

from otium.commitments.log import Log, Promise
from otium.commitments.plan import Episode, Surface
from otium.commitments.records import Duty, DutyState
from otium.commitments.times import text
from otium.records import Instant


def notices(promise: Promise, subjects: Container[str]) -> list[Duty]:
    """Return the duties to announce each surface's end early enough, in order."""
    found: list[tuple[int, int, Duty]] = []
    for model, bound, rank, surface in _surfaces(promise, subjects):
        for episode in surface.episodes:
            first = episode.said[0][0]
            if first >= bound:
                found.append((first, rank, _notice(promise, model, surface.name, episode)))
        if surface.end is not None and not surface.announced and surface.end > bound:
            duty = _unannounced(promise, model, surface.name, surface.end)
            found.append((surface.end, rank, duty))
    return _in_order(found)


def floors(promise: Promise, subjects: Container[str]) -> list[Duty]:
    """Return the duties to end no surface sooner than was said, in order."""
    found: list[tuple[int, int, Duty]] = []
    for model, bound, rank, surface in _surfaces(promise, subjects):
        first = surface.first_floor
        if first is not None and (surface.end is None or surface.end >= bound):
            found.append((first, rank, _floor(promise, model, surface, bound)))
    return _in_order(found)


def _surfaces(
    promise: Promise, subjects: Container[str]
) -> Iterator[tuple[str, int, int, Surface]]:
    """Yield each surface after its model, what binds about that and its rank in the plan."""
    for model, plan in promise.log.plans.items():
        if model in subjects:
            bound = promise.bound(model)
            for rank, surface in enumerate(plan.values()):
                yield model, bound, rank, surface


def _in_order(found: list[tuple[int, int, Duty]]) -> list[Duty]:
    # No two have the same index and rank: the duties themselves are never compared.
    return [duty for _, _, duty in sorted(found)]


def _notice(promise: Promise, model: str, about: str, episode: Episode) -> Duty:
    log, said = promise.log, episode.said
    last = said[-1][1]
    due = None if last is None else text(last)
    broken = next(_breaks_of_notice(promise, episode), None)
    if broken is not None:
        return _broken(promise, model, about, broken, due)
    made = log.times[said[0][0]]
    return promise.duty_about(
        about, model, "kept", due, fulfilled=made, why=f"announced at {made} for {due}"
    )


def _breaks_of_notice(promise: Promise, episode: Episode) -> Iterator[tuple[int, str]]:
    """Yield what breaks a notice, each as an index and in words, in log order."""
    log, before = promise.log, None
    for index, date in episode.said:
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


def _floor(promise: Promise, model: str, surface: Surface, bound: int) -> Duty:
    log = promise.log
    last = max([date for _, date, sets in surface.told if sets])
    due = text(last)
    for broken in _breaks_of_floor(log, surface):
        if broken[0] > bound:
            return _broken(promise, model, surface.name, broken, due)
    if surface.end is not None:
        ended = log.times[surface.end]
        why = f"it ended at {ended}"
        return promise.duty_about(surface.name, model, "kept", due, fulfilled=ended, why=why)
    state: DutyState = "kept" if log.now >= last else "due"
    return promise.duty_about(surface.name, model, state, due, why=f"not sooner than {due}")


def _breaks_of_floor(log: Log, surface: Surface) -> Iterator[tuple[int, str]]:
    """Yield what breaks a floor, each as an index and in words, in log order."""
    highest, before = -inf, -inf
    for index, date, sets in surface.told:
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
        return promise.duty_about(about, model, "waived", due, why=why)
    waivers = promise.waivers(model, about=about)
    if waivers and waivers[0] < index:
        why = promise.waived_by(waivers[0])
        return promise.duty_about(about, model, "waived", due, why=why)
    return promise.duty_about(about, model, "breached", due, why=why)
