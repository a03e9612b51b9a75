"""The entries up to a time, found by type and subject, and one promise as it binds over them."""

from __future__ import annotations

import gc
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from operator import sub

from msgspec import UNSET, Struct, UnsetType

from otium.commitments.plan import DEPRECATED, RETIRED, TOLD, WITHDRAWN, Plan, plans
from otium.commitments.policy import ADOPTED, read_adoption, same_promise
from otium.commitments.records import Commitment, Duty, DutyState, Policy, Significant
from otium.commitments.times import counted, moment, seconds, since_epoch
from otium.ledger import Entry
from otium.records import Instant

_ALWAYS = -1


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the garbage collector still: it would walk the whole log again and again in vain.

    Nothing here makes a cycle.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


Key = str | tuple[str, str]
"""A subject, or a subject and a preference."""


class Start(Struct, frozen=True, gc=False):
    """An entry that starts a duty."""

    at: int
    subject: str
    preference: str | None
    moment: int
    """Its effective time."""
    key: Key
    about: str
    """The preference, or else the subject."""


class Rhythm(Struct, frozen=True, gc=False):
    """How deeds follow each other, in seconds."""

    first: int
    last: int
    widest: int
    """The longest time between two of them that are neighbours."""
    fulfilled: Instant
    """When the last was done."""


class Log:
    """The entries up to a time, with their effective times, found by type and subject."""

    def __init__(self, entries: Sequence[Entry], now: Instant) -> None:
        self.now = since_epoch(now)
        self.times: list[Instant] = []
        self.moments = array("q")
        self._by_type: dict[str, dict[str, list[int]]] = {}
        self._failed: set[int] = set()
        self._preference: dict[int, str] = {}
        self._read(entries)
        self.entries = entries[: len(self.times)]
        self._first: dict[str, list[Start]] = {}
        self._deeds: dict[str, dict[Key, list[int]]] = {}
        self._rhythms: dict[str, dict[Key, Rhythm]] = {}
        self._retirements: dict[int, int | None] = {}
        self._joined: dict[tuple[object, ...], dict[str, int]] = {}

    def _read(self, entries: Sequence[Entry]) -> None:
        # In one pass: what takes long is to reach an entry in memory, not what is asked of it.
        times, moments, by_type = self.times, self.moments, self._by_type
        counts = zip(entries, counted(entries), strict=True)
        for index, (entry, (time, second)) in enumerate(counts):
            if second > self.now:
                break
            times.append(time)
            moments.append(second)
            kind, subject, body = entry.type, entry.subject, entry.body
            if kind not in by_type:
                by_type[kind] = {}
            by_subject = by_type[kind]
            if subject in by_subject:
                by_subject[subject].append(index)
            else:
                by_subject[subject] = [index]
            if body:
                if body.get("ok") is False:
                    self._failed.add(index)
                preference = body.get("preference")
                if isinstance(preference, str):
                    self._preference[index] = preference

    def of(self, *kinds: str) -> list[int]:
        """Return the indices of the entries of some types."""
        found = (self._by_type[one].values() for one in kinds if one in self._by_type)
        return sorted(chain.from_iterable(chain.from_iterable(found)))

    def about(self, kind: str) -> Mapping[str, list[int]]:
        """Return the same for one type, by subject; a withdrawal is a retirement, too."""
        return self._ends if kind == RETIRED else self._by_type.get(kind, {})

    @cached_property
    def _ends(self) -> dict[str, list[int]]:
        found = dict(self._by_type.get(RETIRED, {}))
        for subject, indices in self._by_type.get(WITHDRAWN, {}).items():
            found[subject] = sorted([*found.get(subject, ()), *indices])
        return found

    def start(self, at: int, subject: str, preference: str | None) -> Start:
        """Return what starts a duty by the entry at an index."""
        then = self.moments[at]
        if preference is None:
            return Start(at, subject, None, then, subject, subject)
        return Start(at, subject, preference, then, (subject, preference), preference)

    def first(self, kind: str) -> list[Start]:
        """Return the first entry of a type for each subject and preference, in log order."""
        if kind not in self._first:
            starts: list[Start] = []
            for subject, indices in self.about(kind).items():
                found: set[str | None] = set()
                for at in indices:
                    preference = self._preference.get(at)
                    if preference not in found:
                        found.add(preference)
                        starts.append(self.start(at, subject, preference))
            self._first[kind] = sorted(starts, key=lambda start: start.at)
        return self._first[kind]

    def deeds(self, kind: str) -> dict[Key, list[int]]:
        """Return the entries of exactly this type that do not say that it went wrong.

        They are found by subject, and by subject and preference.
        """
        if kind not in self._deeds:
            failed, found = self._failed, self._by_type.get(kind, {})
            sound = {
                subject: indices
                if failed.isdisjoint(indices)
                else [at for at in indices if at not in failed]
                for subject, indices in found.items()
            }
            self._deeds[kind] = self._by_preference(sound)
            self._deeds[kind].update(sound)
        return self._deeds[kind]

    def rhythms(self, kind: str) -> dict[Key, Rhythm]:
        """Return how the same follow each other: all promises of this deed ask for it."""
        if kind not in self._rhythms:
            found = self.deeds(kind).items()
            self._rhythms[kind] = {key: self.rhythm(deeds) for key, deeds in found if deeds}
        return self._rhythms[kind]

    def rhythm(self, deeds: Sequence[int]) -> Rhythm:
        """Return how some deeds follow each other."""
        moments = [self.moments[at] for at in deeds]
        widest = max(map(sub, moments[1:], moments), default=0)
        return Rhythm(moments[0], moments[-1], widest, self.times[deeds[-1]])

    def _by_preference(self, sound: dict[str, list[int]]) -> dict[Key, list[int]]:
        found: defaultdict[Key, list[int]] = defaultdict(list)
        for subject, indices in sound.items():
            for at in indices:
                if at in self._preference:
                    found[subject, self._preference[at]].append(at)
        return found

    @cached_property
    def unannounced(self) -> list[Start]:
        """Return the first end of each subject that no deprecation stands before."""
        announced, found = self.about(DEPRECATED), []
        for subject, (end, *_) in self.about(RETIRED).items():
            if subject not in announced or end < announced[subject][0]:
                found.append(self.start(end, subject, None))
        return found

    def retirement(self, at: int) -> int | None:
        """Return the earliest date that a deprecation names: many promises ask for it."""
        if at not in self._retirements:
            named = self.entries[at].body.get("retire_at")
            dates = map(moment, named.values()) if isinstance(named, dict) else ()
            self._retirements[at] = min((it for it in dates if it is not None), default=None)
        return self._retirements[at]

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """Return the plan of each model's surfaces."""
        return plans(self.entries, self.of(*TOLD))

    @cached_property
    def adopted(self) -> list[tuple[int, Policy]]:
        """Return the adoptions, each with its index."""
        found = ((at, read_adoption(self.entries[at])) for at in self.of(ADOPTED))
        return [(at, policy) for at, policy in found if policy is not None]

    @cached_property
    def archive(self) -> str | None:
        """Return the archive's id."""
        first = self.of("archive.created")
        return self.entries[first[0]].subject if first else None

    def joined(self, scope: Sequence[str], significant: Significant) -> dict[str, int]:
        """Return the subjects in scope, each with the index since which it is, or -1: always."""
        key = (*scope, significant.users, significant.requests_per_day)
        if key not in self._joined:
            found = dict(self._in_scope(scope, significant))
            if self.archive is not None:
                found[self.archive] = _ALWAYS
            self._joined[key] = found
        return self._joined[key]

    def _in_scope(
        self, scope: Sequence[str], significant: Significant
    ) -> Iterator[tuple[str, int]]:
        for subject, indices in self.about("model.registered").items():
            word = self.entries[indices[0]].body.get("scope")
            if word in scope:
                yield subject, _ALWAYS
            elif word == "internal" and "significant-internal" in scope:
                crossed = self._crossed(subject, significant)
                if crossed is not None:
                    yield subject, crossed

    def _crossed(self, subject: str, significant: Significant) -> int | None:
        limits = (
            ("users", significant.users),
            ("requests_per_day", significant.requests_per_day),
        )
        for index in self.about("model.used").get(subject, ()):
            body = self.entries[index].body
            if any(reaches(body.get(name), limit) for name, limit in limits):
                return index
        return None

    @cached_property
    def waived(self) -> dict[str, dict[str, list[int]]]:
        """Return the waivers by commitment, then by subject."""
        found: dict[str, dict[str, list[int]]] = {}
        for index in self.of("duty.waived"):
            entry = self.entries[index]
            commitment = entry.body.get("commitment")
            if isinstance(commitment, str):
                found.setdefault(commitment, {}).setdefault(entry.subject, []).append(index)
        return found


class Promise:
    """One commitment of an adopted policy, as it binds over a log."""

    def __init__(self, commitment: Commitment, policy: Policy, adoption: int, log: Log) -> None:
        self.it = commitment
        self.log = log
        self.length = seconds(commitment.days)
        self.joined = log.joined(commitment.scope, policy.significant)
        self.waived = log.waived.get(commitment.id, {})
        """The waivers of this promise, by subject."""
        self.adoption = adoption
        """The index of the entry since which it stands as it stands."""
        self._later = {subject: at for subject, at in self.joined.items() if at > adoption}
        self._names = (commitment.id, commitment.text, commitment.owner, policy.version)

    def begins(self, starts: Sequence[Start]) -> list[int]:
        """Return when the duty of each trigger begins, if it counts from the trigger's time."""
        if self._later:
            moments = self.log.moments
            return [max(moments[self.bound(it.subject)], it.moment) for it in starts]
        bound = self.log.moments[self.adoption]
        # Quicker than a call of `max` for each of very many.
        return [it.moment if it.moment > bound else bound for it in starts]  # noqa: FURB136

    def bound(self, subject: str) -> int:
        """Return the index of the entry since which the promise binds about *subject*."""
        return self._later.get(subject, self.adoption)

    def waivers(self, subject: str, preference: str | None = None, about: str = "") -> list[int]:
        """Return the waivers that concern one duty."""
        if subject not in self.waived:
            return []
        bodies = [(index, self.log.entries[index].body) for index in self.waived[subject]]
        return [
            index
            for index, body in bodies
            if ("preference" not in body or _is(body["preference"], preference))
            and body.get("surface", about) == about
        ]

    def waived_by(self, index: int) -> str:
        """Return who waived it and why, in words."""
        entry = self.log.entries[index]
        reason = entry.body.get("reason")
        why = f": {reason}" if isinstance(reason, str) and reason else ""
        return f"waived by {entry.actor} at {self.log.times[index]}{why}"

    def is_withdrawal(self, index: int | None) -> bool:
        """Return whether the entry is an emergency withdrawal."""
        return index is not None and self.log.entries[index].type == WITHDRAWN

    def duty(
        self,
        start: Start,
        state: DutyState,
        due: Instant | None,
        fulfilled: Instant | None,
        why: str,
    ) -> Duty:
        """Return what *start* started, in words and facts."""
        id_, words, owner, under = self._names
        subject, model = start.about, start.subject
        return Duty(id_, words, owner, subject, model, state, due, under, "", fulfilled, why)

    def duty_about(
        self,
        surface: str,
        model: str,
        state: DutyState,
        due: Instant | None,
        *,
        fulfilled: Instant | None = None,
        why: str,
    ) -> Duty:
        """Return what is asked for a surface of a model, in words and facts."""
        id_, words, owner, under = self._names
        return Duty(id_, words, owner, model, model, state, due, under, surface, fulfilled, why)


def promises(policy: Policy, log: Log) -> Iterator[Promise]:
    """Yield each commitment of *policy*, from its adoption; none if it was never adopted."""
    held = [index for index, (_, adopted) in enumerate(log.adopted) if adopted == policy]
    history = log.adopted[: held[-1] + 1] if held else []
    for commitment in policy.commitments:
        adoption = _adoption(commitment, history)
        if adoption is not None:
            yield Promise(commitment, policy, adoption, log)


def holds(policy: Policy, commitment: Commitment) -> bool:
    """Return whether *policy* makes this promise, in whatever words."""
    return any(same_promise(one, commitment) for one in policy.commitments)


def reaches(value: object, limit: float | UnsetType) -> bool:
    """Return whether *value* is a number that is not below *limit*."""
    if limit is UNSET or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value >= limit


def _adoption(commitment: Commitment, history: Sequence[tuple[int, Policy]]) -> int | None:
    index: int | None = None
    for at, adopted in reversed(history):
        if not holds(adopted, commitment):
            break
        index = at
    return index


def _is(value: object, preference: str | None) -> bool:
    return preference is not None and value == preference
