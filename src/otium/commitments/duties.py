"""What the commitments ask, and how each stands: a pure function of policy, entries and time.

The computation is docs/formats/commitments-2.md, in its order and with its words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from otium.commitments.log import (
    Key,
    Log,
    Promise,
    Rhythm,
    Start,
    promises,
    reaches,
    undisturbed,
)
from otium.commitments.plan import DEPRECATED, RETIRED
from otium.commitments.records import Duty, Policy
from otium.commitments.surfaces import floors, notices
from otium.commitments.times import moment, seconds, text
from otium.ledger import Entry
from otium.records import Instant


@undisturbed()
def duties(policy: Policy, entries: Sequence[Entry], now: Instant) -> list[Duty]:
    """Return each duty that *policy* lays on the organisation, with its state at *now*.

    A policy that was not adopted in *entries* binds nobody.
    """
    log = Log(entries, now)
    found: list[Duty] = []
    for promise in promises(policy, log):
        found += duties_of(promise)
    return found


def duties_of(promise: Promise, models: Collection[str] | None = None) -> list[Duty]:
    """Return the duties of one promise, about all that is in scope or some *models* of it."""
    subjects = promise.joined if models is None else promise.joined.keys() & models
    if promise.it.kind == "notice":
        return notices(promise, subjects)
    if promise.it.kind == "floor":
        return floors(promise, subjects)
    deeds = _Deeds(promise)
    judge = {"within": deeds.within, "before": deeds.before, "every": deeds.every}
    return list(judge[promise.it.kind](deeds.starts(subjects)))


class _Deeds:
    """The duties of a promise that something is done."""

    def __init__(self, promise: Promise) -> None:
        self.promise = promise
        self.it = promise.it
        self.log = promise.log
        self._asks = bool(promise.it.where or promise.it.at_least)

    @cached_property
    def _deeds(self) -> Mapping[Key, Sequence[int]]:
        """The fulfilments in log order."""
        found = self.log.deeds(self.it.fulfil)
        if not self._asks:
            return found
        entries = self.log.entries
        return {
            key: [at for at in indices if self._says(entries[at].body)]
            for key, indices in found.items()
        }

    @cached_property
    def _rhythms(self) -> Mapping[Key, Rhythm]:
        if not self._asks:
            return self.log.rhythms(self.it.fulfil)
        return {key: self.log.rhythm(deeds) for key, deeds in self._deeds.items() if deeds}

    # What starts a duty

    def starts(self, subjects: Collection[str]) -> list[Start]:
        """Return the first trigger of each key, in log order."""
        found = [one for one in self.log.first(self.it.trigger) if one.subject in subjects]
        if (self.it.kind, self.it.trigger, self.it.before) != ("before", DEPRECATED, RETIRED):
            return found
        ends = [one for one in self.log.unannounced if one.subject in subjects]
        if not ends:
            return found
        ended = {one.subject for one in ends}
        rest = [it for it in found if it.preference is not None or it.subject not in ended]
        return sorted([*rest, *ends], key=lambda start: start.at)

    # How it stands

    def within(self, starts: Sequence[Start]) -> Iterator[Duty]:
        """Judge what is to be done by a deadline."""
        length, deeds, waived = self.promise.length, self._deeds, self.promise.waived
        for start, begin in zip(starts, self._begins(starts), strict=True):
            due, excuse = begin + length, None
            if start.subject in waived:
                due, excuse = self._extended(start, due)
            done = deeds.get(start.key)
            yield self._by(start, due, excuse, done[0] if done else None)

    def _extended(self, start: Start, due: int) -> tuple[int, int | None]:
        for waiver in self._waivers(start):
            if self.log.moments[waiver] > due:
                continue
            until = moment(self.log.entries[waiver].body.get("until"))
            if until is None:
                return due, waiver
            due = max(due, until)
        return due, None

    def _by(self, start: Start, due: int, excuse: int | None, done: int | None) -> Duty:
        when = text(due)
        if done is None:
            if excuse is None:
                return self._open(start, due)
            return self.promise.duty(start, "waived", when, None, self.promise.waived_by(excuse))
        fulfilled = self.log.times[done]
        if self.log.moments[done] <= due:
            return self.promise.duty(
                start, "kept", when, fulfilled, f"done at {fulfilled}, due at {when}"
            )
        if excuse is not None:
            return self.promise.duty(
                start, "waived", when, fulfilled, self.promise.waived_by(excuse)
            )
        why = f"done at {fulfilled}, but due at {when}"
        return self.promise.duty(start, "breached", when, fulfilled, why)

    def before(self, starts: Sequence[Start]) -> Iterator[Duty]:
        """Judge what is to be done before something else."""
        for start in starts:
            end = self._end(start)
            if end is None or end >= self.promise.bound(start.subject):
                yield self._before(start, end)

    def _before(self, start: Start, end: int | None) -> Duty:
        due = None if end == start.at else self.log.retirement(start.at)
        deeds = self._deeds.get(start.key)
        done = deeds[0] if deeds else None
        excuse = self._excuse(start, end, due)
        when = None if due is None else text(due)
        fulfilled = None if done is None else self.log.times[done]
        if done is not None and (end is None or done < end):
            return self.promise.duty(start, "kept", when, fulfilled, f"done at {fulfilled}")
        lenient = self.it.on_withdrawal != "same"
        if end is not None and lenient and self.promise.is_withdrawal(end):
            return self._withdrawn(start, end, due, excuse, done)
        if excuse is not None:
            return self.promise.duty(
                start, "waived", when, fulfilled, self.promise.waived_by(excuse)
            )
        if end is not None:
            why = f"{self.log.entries[end].type} came first, at {self.log.times[end]}"
            return self.promise.duty(start, "breached", when, fulfilled, why)
        return self._open(start, due)

    def _withdrawn(
        self, start: Start, end: int, due: int | None, excuse: int | None, done: int | None
    ) -> Duty:
        if self.it.on_withdrawal == "after":
            grace = seconds(self.it.grace)
            return self._by(start, self.log.moments[end] + grace, excuse, done)
        when = None if due is None else text(due)
        fulfilled = None if done is None else self.log.times[done]
        why = f"lifted by the withdrawal at {self.log.times[end]}"
        return self.promise.duty(start, "waived", when, fulfilled, why)

    def every(self, starts: Sequence[Start]) -> Iterator[Duty]:
        """Judge what is to be done again and again."""
        length, waived, rhythms = self.promise.length, self.promise.waived, self._rhythms
        for start, begin in zip(starts, self._begins(starts), strict=True):
            rhythm = rhythms.get(start.key)
            if start.subject in waived:
                yield self._course(start, begin, self._waivers(start))
            elif rhythm is None or rhythm.last < begin:
                yield self._going_on(start, begin + length, None)
            elif rhythm.widest <= length and rhythm.first - begin <= length:
                # Most are never late: to see that needs no walk through what was done.
                yield self._going_on(start, rhythm.last + length, rhythm.fulfilled)
            else:
                yield self._course(start, begin, ())

    def _course(self, start: Start, begin: int, waivers: Sequence[int]) -> Duty:
        moments, point, last, gap = self.log.moments, begin, None, None
        limit, waiver = self._limit(begin, waivers)
        for at in self._deeds.get(start.key, ()):
            then = moments[at]
            if then > limit and gap is None:
                gap = (point, then)
            if then >= begin:
                last, point = at, then
                limit, waiver = self._limit(point, waivers)
        fulfilled = None if last is None else self.log.times[last]
        if gap is not None:
            return self.promise.duty(start, "breached", text(limit), fulfilled, self._skipped(*gap))
        if waiver is not None and point + self.promise.length < self.log.now <= limit:
            why = self.promise.waived_by(waiver)
            return self.promise.duty(start, "waived", text(limit), fulfilled, why)
        return self._going_on(start, limit, fulfilled)

    def _going_on(self, start: Start, limit: int, fulfilled: Instant | None) -> Duty:
        when = text(limit)
        so_far = f"last done at {fulfilled}" if fulfilled else "not done yet"
        if self.log.now > limit:
            return self.promise.duty(
                start, "overdue", when, fulfilled, f"{so_far}, was due at {when}"
            )
        return self.promise.duty(start, "due", when, fulfilled, f"{so_far}, next due at {when}")

    def _skipped(self, point: int, then: int) -> str:
        days = f"{(then - point) / 86400:.1f} days passed"
        return f"{days} from {text(point)} to {text(then)}; {self.it.days:g} are promised"

    def _limit(self, point: int, waivers: Sequence[int]) -> tuple[int, int | None]:
        """Return until when the next time has time, and the waiver that moved it, if one did."""
        limit, by, moments = point + self.promise.length, None, self.log.moments
        for waiver in waivers[bisect_left(waivers, point, key=moments.__getitem__) :]:
            if moments[waiver] > limit:
                break
            until = moment(self.log.entries[waiver].body.get("until"))
            if until is not None and until > limit:
                limit, by = until, waiver
        return limit, by

    def _open(self, start: Start, due: int | None) -> Duty:
        if due is None:
            return self.promise.duty(start, "due", None, None, f"needed before {self.it.before}")
        when = text(due)
        if self.log.now <= due:
            return self.promise.duty(start, "due", when, None, f"due at {when}")
        return self.promise.duty(start, "overdue", when, None, f"was due at {when}")

    # What bears on it

    def _begins(self, starts: Sequence[Start]) -> list[int]:
        """Return when each duty begins."""
        since = self.it.since
        if since == "time":
            return self.promise.begins(starts)
        dates = [moment(self.log.entries[it.at].body.get(since)) for it in starts]
        return self.promise.begins(
            [
                start if date is None else replace(start, moment=date)
                for start, date in zip(starts, dates, strict=True)
            ]
        )

    def _end(self, start: Start) -> int | None:
        """Return the index of what the duty must come before, if it has happened."""
        stands_in = self.it.trigger == DEPRECATED and self.log.entries[start.at].type != DEPRECATED
        if stands_in or self.it.trigger == self.it.before:
            return start.at
        ends = self.log.about(self.it.before).get(start.subject, ())
        place = bisect_right(ends, start.at)
        return ends[place] if place < len(ends) else None

    def _excuse(self, start: Start, end: int | None, due: int | None) -> int | None:
        for waiver in self._waivers(start):
            in_time = due is None or self.log.moments[waiver] <= due
            if in_time and (end is None or waiver < end):
                return waiver
        return None

    def _waivers(self, start: Start) -> list[int]:
        if not self.promise.waived:
            return []
        return self.promise.waivers(start.subject, start.preference)

    def _says(self, body: Mapping[str, object]) -> bool:
        says = all(body.get(name) == said for name, said in self.it.where.items())
        return says and all(reaches(body.get(name), low) for name, low in self.it.at_least.items())
