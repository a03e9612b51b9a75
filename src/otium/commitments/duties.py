"""What the commitments ask, and how each stands: a pure function of policy, entries and time.

The computation is docs/formats/commitments-2.md, in its order and with its words.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from otium.commitments.log import (
    Log,
    Promise,
    Start,
    dates,
    promises,
    reaches,
    undisturbed,
)
from otium.commitments.plan import DEPRECATED, RETIRED
from otium.commitments.records import Duty, DutyState, Policy
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
    return [duty for promise in promises(policy, log) for duty in duties_of(promise)]


def duties_of(promise: Promise, models: Collection[str] | None = None) -> list[Duty]:
    """Return the duties of one promise, about all that is in scope or some *models* of it."""
    subjects = promise.joined if models is None else promise.joined.keys() & models
    if promise.it.kind == "notice":
        return notices(promise, subjects)
    if promise.it.kind == "floor":
        return floors(promise, subjects)
    deeds = _Deeds(promise)
    stand = {"within": deeds.within, "before": deeds.before, "every": deeds.every}
    judge = stand[promise.it.kind]
    found = (judge(start) for start in deeds.starts(subjects))
    return [duty for duty in found if duty is not None]


class _Deeds:
    """The duties of a promise that something is done."""

    def __init__(self, promise: Promise) -> None:
        self.promise = promise
        self.it = promise.it
        self.log = promise.log
        self._since = None if promise.it.since == "time" else promise.it.since
        self._asks = bool(promise.it.where or promise.it.at_least)

    @cached_property
    def _sound(self) -> Mapping[str, Sequence[int]]:
        return self.log.sound(self.it.fulfil)

    @cached_property
    def _ends(self) -> Mapping[str, Sequence[int]]:
        return self.log.about(self.it.before)

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

    def within(self, start: Start) -> Duty:
        """Judge what is to be done by a deadline."""
        due = self._begin(start) + self.promise.length
        excuse = None
        for waiver in self._waivers(start):
            if self.log.moments[waiver] > due:
                continue
            until = moment(self.log.entries[waiver].body.get("until"))
            if until is None:
                excuse = waiver
                break
            due = max(due, until)
        return self._by(start, due, excuse, self._done(start))

    def _by(self, start: Start, due: int, excuse: int | None, done: int | None) -> Duty:
        when = text(due)
        if done is None:
            if excuse is None:
                return self._open(start, due)
            return self._duty(start, "waived", when, None, self.promise.waived_by(excuse))
        fulfilled = self.log.times[done]
        if self.log.moments[done] <= due:
            return self._duty(start, "kept", when, fulfilled, f"done at {fulfilled}, due at {when}")
        if excuse is not None:
            return self._duty(start, "waived", when, fulfilled, self.promise.waived_by(excuse))
        why = f"done at {fulfilled}, but due at {when}"
        return self._duty(start, "breached", when, fulfilled, why)

    def before(self, start: Start) -> Duty | None:
        """Judge what is to be done before something else."""
        end = self._end(start)
        if end is not None and end < self.promise.bound(start.subject):
            return None
        due = (
            None
            if end == start.at
            else min(dates(self._body(start).get("retire_at")), default=None)
        )
        done = self._done(start)
        excuse = self._excuse(start, end, due)
        when = None if due is None else text(due)
        fulfilled = None if done is None else self.log.times[done]
        if done is not None and (end is None or done < end):
            return self._duty(start, "kept", when, fulfilled, f"done at {fulfilled}")
        lenient = self.it.on_withdrawal != "same"
        if end is not None and lenient and self.promise.is_withdrawal(end):
            return self._withdrawn(start, end, due, excuse, done)
        if excuse is not None:
            return self._duty(start, "waived", when, fulfilled, self.promise.waived_by(excuse))
        if end is not None:
            why = f"{self.log.entries[end].type} came first, at {self.log.times[end]}"
            return self._duty(start, "breached", when, fulfilled, why)
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
        return self._duty(start, "waived", when, fulfilled, why)

    def every(self, start: Start) -> Duty:
        """Judge what is to be done again and again."""
        moments, length, waivers = self.log.moments, self.promise.length, self._waivers(start)
        point = begin = self._begin(start)
        limit, waiver = self._limit(begin, waivers) if waivers else (begin + length, None)
        last, gap = None, None
        for at in self._deeds(start):
            then = moments[at]
            if then > limit and gap is None:
                gap = (point, then)
            if then >= begin:
                last, point, limit = at, then, then + length
                if waivers:
                    limit, waiver = self._limit(point, waivers)
        when, fulfilled = text(limit), None if last is None else self.log.times[last]
        if gap is not None:
            days = f"{(gap[1] - gap[0]) / 86400:.1f} days passed"
            why = f"{days} from {text(gap[0])} to {text(gap[1])}; {self.it.days:g} are promised"
            return self._duty(start, "breached", when, fulfilled, why)
        so_far = f"last done at {fulfilled}" if fulfilled else "not done yet"
        if self.log.now > limit:
            return self._duty(start, "overdue", when, fulfilled, f"{so_far}, was due at {when}")
        if waiver is not None and self.log.now > point + length:
            return self._duty(start, "waived", when, fulfilled, self.promise.waived_by(waiver))
        return self._duty(start, "due", when, fulfilled, f"{so_far}, next due at {when}")

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
            return self._duty(start, "due", None, None, f"needed before {self.it.before}")
        when = text(due)
        if self.log.now <= due:
            return self._duty(start, "due", when, None, f"due at {when}")
        return self._duty(start, "overdue", when, None, f"was due at {when}")

    # What bears on it

    def _body(self, start: Start) -> Mapping[str, object]:
        return self.log.entries[start.at].body

    def _begin(self, start: Start) -> int:
        begin = start.moment
        if self._since is not None:
            since = moment(self._body(start).get(self._since))
            begin = begin if since is None else since
        return self.promise.begin(start.subject, begin)

    def _end(self, start: Start) -> int | None:
        """Return the index of what the duty must come before, if it has happened."""
        stands_in = self.it.trigger == DEPRECATED and self.log.entries[start.at].type != DEPRECATED
        if stands_in or self.it.trigger == self.it.before:
            return start.at
        ends = self._ends.get(start.subject, ())
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

    def _done(self, start: Start) -> int | None:
        deeds = self._deeds(start)
        return deeds[0] if deeds else None

    def _deeds(self, start: Start) -> Sequence[int]:
        """Return the fulfilments in log order."""
        if start.preference is None:
            found = self._sound.get(start.subject, ())
        else:
            by_preference = self.log.by_preference(self.it.fulfil)
            found = by_preference.get((start.subject, start.preference), ())
        if not self._asks:
            return found
        return [at for at in found if self._says(self.log.entries[at].body)]

    def _says(self, body: Mapping[str, object]) -> bool:
        says = all(body.get(name) == said for name, said in self.it.where.items())
        return says and all(reaches(body.get(name), low) for name, low in self.it.at_least.items())

    def _duty(
        self,
        start: Start,
        state: DutyState,
        due: Instant | None,
        fulfilled: Instant | None,
        why: str,
    ) -> Duty:
        return self.promise.duty(
            start.subject, state, due, fulfilled, why, preference=start.preference
        )
