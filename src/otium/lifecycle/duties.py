"""What the commitments ask, and how each stands: a pure function of policy, entries and time.

The computation is docs/formats/commitments-1.md, in its order and with its words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from otium.ledger import Entry
from otium.lifecycle.policy import adoptions, same_promise
from otium.lifecycle.records import Commitment, Duty, DutyState, Policy
from otium.lifecycle.times import after, apart, effective, seconds, valid
from otium.records import Instant

_DEPRECATED, _RETIRED = "model.deprecated", "model.retired"


def duties(policy: Policy, entries: Sequence[Entry], now: Instant) -> list[Duty]:
    """Return each duty that *policy* lays on the organisation, with its state at *now*.

    A policy that was not adopted in *entries* binds nobody.
    """
    return [duty for _, duty in duties_by_model(policy, entries, now)]


def past_breaches(entries: Sequence[Entry], now: Instant) -> list[Duty]:
    """Return what was breached or overdue when a policy was replaced by another."""
    log = _Log(entries, now)
    adopted = list(adoptions(log.entries))
    kept: list[Duty] = []
    for (_, old), (index, new) in pairwise(adopted):
        if old != new:
            then = duties(old, log.entries[:index], log.times[index])
            kept += [duty for duty in then if duty.state in {"breached", "overdue"}]
    return kept


def duties_by_model(
    policy: Policy, entries: Sequence[Entry], now: Instant
) -> list[tuple[str, Duty]]:
    """Return the duties, each with the model (or the archive) that it is about."""
    log = _Log(entries, now)
    found: list[tuple[str, Duty]] = []
    for commitment in policy.commitments:
        adoption = _adoption(policy, commitment, log)
        if adoption is not None:
            found += _Promise(commitment, adoption, log).duties()
    return found


class _Log:
    """The entries up to a time, with their effective times."""

    def __init__(self, entries: Sequence[Entry], now: Instant) -> None:
        times = effective(entries)
        end = bisect_right(times, now)
        self.entries = list(entries[:end])
        self.times = times[:end]
        self.now = now
        self._by_type: dict[str, list[int]] = {}
        for index, entry in enumerate(self.entries):
            self._by_type.setdefault(entry.type, []).append(index)
        self.archive = next((self.entries[i].subject for i in self.of("archive.created")), None)
        self.scopes: dict[str, object] = {}
        for index in self.of("model.registered"):
            entry = self.entries[index]
            self.scopes.setdefault(entry.subject, entry.body.get("scope"))

    def of(self, kind: str) -> list[int]:
        """Return the indices of the entries of one type."""
        return self._by_type.get(kind, [])


class _Start(NamedTuple):
    """The entry that starts a duty."""

    at: int
    subject: str
    preference: str | None
    body: Mapping[str, object]

    @property
    def key(self) -> tuple[str, str | None]:
        return self.subject, self.preference


class _Standing(NamedTuple):
    """How a duty stands, before it is put into words."""

    state: DutyState
    due: Instant | None
    fulfilled: Instant | None
    why: str


class _Promise:
    """One commitment, from its adoption, over a log."""

    def __init__(self, commitment: Commitment, adoption: int, log: _Log) -> None:
        self.it = commitment
        self.adoption = adoption
        self.log = log
        self.length = seconds(commitment.days)

    def duties(self) -> Iterator[tuple[str, Duty]]:
        """Yield the duties in the log order of what started them."""
        stand = {
            "within": self._within,
            "before": self._before,
            "every": self._every,
            "notice": self._notice,
        }[self.it.kind]
        for start in self._starts():
            standing = stand(start)
            if standing is not None:
                yield start.subject, self._duty(start, standing)

    def _duty(self, start: _Start, standing: _Standing) -> Duty:
        return Duty(
            commitment=self.it.id,
            text=self.it.text,
            subject=start.subject if start.preference is None else start.preference,
            state=standing.state,
            due=standing.due,
            fulfilled=standing.fulfilled,
            why=standing.why,
        )

    # What starts a duty

    def _starts(self) -> list[_Start]:
        triggers = [self._start(i) for i in self.log.of(self.it.trigger) if self._counts(i)]
        stand_ins = list(self._stand_ins(triggers))
        if self.it.kind == "notice":
            dated = [start for start in triggers if _announces(start)]
            return _in_log_order(dated + stand_ins)
        first: dict[tuple[str, str | None], _Start] = {}
        for start in _in_log_order(triggers + stand_ins):
            first.setdefault(start.key, start)
        return list(first.values())

    def _stand_ins(self, triggers: Sequence[_Start]) -> Iterator[_Start]:
        """Yield each first `before` entry that no trigger announced."""
        if self.it.kind == "notice":
            triggers = [start for start in triggers if _announces(start)]
        elif (self.it.kind, self.it.trigger, self.it.before) != ("before", _DEPRECATED, _RETIRED):
            return
        announced = {start.subject: start.at for start in reversed(triggers)}
        seen: set[str] = set()
        for index in self.log.of(self.it.before):
            subject = self.log.entries[index].subject
            if self._counts(index) and subject not in seen:
                seen.add(subject)
                if announced.get(subject, index) >= index:
                    yield self._start(index)._replace(preference=None)

    def _start(self, index: int) -> _Start:
        entry = self.log.entries[index]
        return _Start(index, entry.subject, _preference(entry), entry.body)

    def _counts(self, index: int) -> bool:
        subject = self.log.entries[index].subject
        return subject == self.log.archive or self.log.scopes.get(subject) in self.it.scope

    # How it stands

    def _within(self, start: _Start) -> _Standing:
        due = after(self._begin(start), self.length)
        done = self._fulfilments(start)
        if not done:
            return self._open(due)
        fulfilled = self.log.times[done[0]]
        if fulfilled <= due:
            return _Standing("kept", due, fulfilled, f"done at {fulfilled}, due at {due}")
        return _Standing("breached", due, fulfilled, f"done at {fulfilled}, but due at {due}")

    def _before(self, start: _Start) -> _Standing | None:
        end = self._end(start)
        if end is not None and end < self.adoption:
            return None
        due = min(_dates(start.body), default=None)
        done = next(iter(self._fulfilments(start)), None)
        fulfilled = None if done is None else self.log.times[done]
        if done is not None and (end is None or done < end):
            return _Standing("kept", due, fulfilled, f"done at {fulfilled}")
        if end is not None:
            why = f"{self.it.before} came first, at {self.log.times[end]}"
            return _Standing("breached", due, fulfilled, why)
        return self._open(due)

    def _every(self, start: _Start) -> _Standing:
        begin = self._begin(start)
        times = [self.log.times[index] for index in self._fulfilments(start)]
        points = [begin, *(time for time in times if time >= begin)]
        due = after(points[-1], self.length)
        fulfilled = points[-1] if len(points) > 1 else None
        for one, other in pairwise(points):
            if apart(one, other) > self.length:
                gap = f"{apart(one, other) / 86400:.1f} days passed from {one} to {other}"
                why = f"{gap}; {self.it.days:g} are promised"
                return _Standing("breached", due, fulfilled, why)
        last = f"last done at {fulfilled}" if fulfilled else "not done yet"
        return self._open(due)._replace(fulfilled=fulfilled, why=f"{last}, next due at {due}")

    def _notice(self, start: _Start) -> _Standing | None:
        """Judge an announcement, or a retirement that none announced."""
        if start.at < self.adoption:
            return None
        if self.log.entries[start.at].type == self.it.before:
            return _Standing("breached", None, None, f"{self.it.before} came without notice")
        made, dates = self.log.times[start.at], _dates(start.body)
        earliest = min(dates, default=None)
        values = start.body["retire_at"]
        if not isinstance(values, Mapping) or len(dates) < len(values) or earliest is None:
            return _Standing("breached", earliest, None, "a date in the notice is not a time")
        days = apart(made, earliest) / 86400
        if apart(made, earliest) < self.length:
            why = f"{days:.2f} days from {made} to {earliest}; {self.it.days:g} are promised"
            return _Standing("breached", earliest, None, why)
        end = self._end(start)
        if end is not None and self.log.times[end] < max(dates):
            why = f"{self.it.before} came at {self.log.times[end]}, before {max(dates)}"
            return _Standing("breached", earliest, None, why)
        why = f"{days:.0f} days from {made} to {earliest}"
        return _Standing("kept", earliest, made, why)

    def _open(self, due: Instant | None) -> _Standing:
        if due is None:
            return _Standing("due", due, None, f"needed before {self.it.before}")
        if self.log.now <= due:
            return _Standing("due", due, None, f"due at {due}")
        return _Standing("overdue", due, None, f"was due at {due}")

    def _begin(self, start: _Start) -> Instant:
        since = start.body.get(self.it.since) if self.it.since != "time" else None
        begin = since if isinstance(since, str) and valid(since) else self.log.times[start.at]
        return max(self.log.times[self.adoption], Instant(begin))

    def _end(self, start: _Start) -> int | None:
        """Return the index of what the duty must come before, if it has happened."""
        if self.log.entries[start.at].type == self.it.before:
            return start.at
        ends = self.log.of(self.it.before) if self.it.before else []
        return next(
            (i for i in ends if i > start.at and self.log.entries[i].subject == start.subject),
            None,
        )

    def _fulfilments(self, start: _Start) -> list[int]:
        return [
            index
            for index in self.log.of(self.it.fulfil)
            if self._fulfils(self.log.entries[index], start)
        ]

    def _fulfils(self, entry: Entry, start: _Start) -> bool:
        same = entry.subject == start.subject
        named = start.preference in {None, _preference(entry)}
        sound = entry.body.get("ok") is not False
        says = all(entry.body.get(name) == text for name, text in self.it.where.items())
        return same and named and sound and says


def _adoption(policy: Policy, commitment: Commitment, log: _Log) -> int | None:
    """Return the index of the adoption since which the commitment has stood as it stands."""
    history = list(adoptions(log.entries))
    while history and history[-1][1] != policy:
        history.pop()
    index: int | None = None
    for at, adopted in reversed(history):
        if not any(same_promise(one, commitment) for one in adopted.commitments):
            break
        index = at
    return index


def _in_log_order(starts: Sequence[_Start]) -> list[_Start]:
    return sorted(starts, key=lambda start: start.at)


def _preference(entry: Entry) -> str | None:
    value = entry.body.get("preference")
    return value if isinstance(value, str) else None


def _announces(start: _Start) -> bool:
    value = start.body.get("retire_at")
    return isinstance(value, Mapping) and bool(value)


def _dates(body: Mapping[str, object]) -> list[Instant]:
    value = body.get("retire_at")
    values = value.values() if isinstance(value, Mapping) else ()
    return [Instant(one) for one in values if isinstance(one, str) and valid(one)]
