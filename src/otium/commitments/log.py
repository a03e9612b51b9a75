"""The entries up to a time, found by type and subject, and one promise as it binds over them."""

from __future__ import annotations

import gc
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain

from msgspec import UNSET, Struct, UnsetType

from otium.commitments.policy import adoptions, same_promise
from otium.commitments.records import Commitment, Duty, DutyState, Policy, Significant
from otium.commitments.times import counted, moment, seconds, since_epoch
from otium.ledger import Entry
from otium.records import Instant

DEPRECATED, RETIRED, WITHDRAWN = "model.deprecated", "model.retired", "model.withdrawn"
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


class Start(Struct, frozen=True, gc=False):
    """An entry that starts a duty."""

    at: int
    subject: str
    preference: str | None
    moment: int
    """Its effective time."""


class Log:
    """The entries up to a time, with their effective times, found by type and subject."""

    def __init__(self, entries: Sequence[Entry], now: Instant) -> None:
        self.now = since_epoch(now)
        self.times: list[Instant] = []
        self.moments = array("q")
        by_type: defaultdict[str, defaultdict[str, list[int]]]
        by_type = defaultdict(lambda: defaultdict(list))
        self._failed: set[int] = set()
        self._preference: dict[int, str] = {}
        for index, (entry, (time, second)) in enumerate(
            zip(entries, counted(entries), strict=True)
        ):
            if second > self.now:
                break
            self.times.append(time)
            self.moments.append(second)
            by_type[entry.type][entry.subject].append(index)
            if entry.body.get("ok") is False:
                self._failed.add(index)
            if isinstance(preference := entry.body.get("preference"), str):
                self._preference[index] = preference
        self.entries = entries[: len(self.times)]
        self._by_type = by_type
        self._first: dict[str, list[Start]] = {}
        self._sound: dict[str, dict[str, list[int]]] = {}
        self._by_preference: dict[str, dict[tuple[str, str], list[int]]] = {}
        self._joined: dict[tuple[object, ...], dict[str, int]] = {}

    def of(self, kind: str) -> list[int]:
        """Return the indices of the entries of one type; a withdrawal is a retirement, too."""
        found = (self._by_type[one].values() for one in _meant(kind))
        return sorted(chain.from_iterable(chain.from_iterable(found)))

    def subjects(self, *kinds: str) -> set[str]:
        """Return the subjects of the entries of some types."""
        return {subject for kind in kinds for subject in self._by_type[kind]}

    def about(self, subject: str, *kinds: str) -> Sequence[int]:
        """Return the indices of the entries of some types about one subject."""
        there = [found for kind in kinds if (found := self._by_type[kind].get(subject))]
        return there[0] if len(there) == 1 else sorted(chain.from_iterable(there))

    def ends(self, subject: str, kind: str) -> Sequence[int]:
        """Return the entries that a promise about *subject* may have to come before."""
        return self.about(subject, *_meant(kind))

    def first(self, kind: str) -> list[Start]:
        """Return the first entry of a type for each subject and preference, in log order."""
        if kind not in self._first:
            found: dict[tuple[str, str | None], int] = {}
            for one in _meant(kind):
                for subject, indices in self._by_type[one].items():
                    for at in indices:
                        key = (subject, self._preference.get(at))
                        found[key] = min(at, found.get(key, at))
            starts = [Start(at, *key, self.moments[at]) for key, at in found.items()]
            self._first[kind] = sorted(starts, key=lambda start: start.at)
        return self._first[kind]

    @cached_property
    def unannounced(self) -> list[Start]:
        """Return the first end of each subject that no deprecation stands before."""
        found = []
        for subject in self.subjects(RETIRED, WITHDRAWN):
            end, announced = self.ends(subject, RETIRED)[0], self.about(subject, DEPRECATED)
            if not announced or end < announced[0]:
                found.append(Start(end, subject, None, self.moments[end]))
        return found

    def sound(self, kind: str) -> dict[str, list[int]]:
        """Return the entries of a type that do not say that it went wrong, by subject."""
        if kind not in self._sound:
            failed = self._failed
            self._sound[kind] = {
                subject: indices
                if failed.isdisjoint(indices)
                else [at for at in indices if at not in failed]
                for subject, indices in self._by_type[kind].items()
            }
        return self._sound[kind]

    def by_preference(self, kind: str) -> dict[tuple[str, str], list[int]]:
        """Return the same, by subject and preference."""
        if kind not in self._by_preference:
            self._by_preference[kind] = self._preferences(self.sound(kind))
        return self._by_preference[kind]

    def _preferences(self, sound: dict[str, list[int]]) -> dict[tuple[str, str], list[int]]:
        found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for subject, indices in sound.items():
            for at in indices:
                if at in self._preference:
                    found[subject, self._preference[at]].append(at)
        return found

    @cached_property
    def adopted(self) -> list[tuple[int, Policy]]:
        """Return the adoptions, each with its index."""
        return list(adoptions(self.entries))

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
        for subject, indices in self._by_type["model.registered"].items():
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
        for index in self.about(subject, "model.used"):
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
        self._adoption = adoption
        self._later = {subject: at for subject, at in self.joined.items() if at > adoption}
        self._version = policy.version

    def bound(self, subject: str) -> int:
        """Return the index of the entry since which the promise binds about *subject*."""
        return self._later.get(subject, self._adoption)

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
        model: str,
        state: DutyState,
        due: Instant | None,
        fulfilled: Instant | None,
        why: str,
        *,
        preference: str | None = None,
        about: str = "",
    ) -> Duty:
        """Return the duty in words and facts."""
        it = self.it
        return Duty(
            commitment=it.id,
            text=it.text,
            owner=it.owner,
            subject=model if preference is None else preference,
            model=model,
            about=about,
            state=state,
            due=due,
            fulfilled=fulfilled,
            under=self._version,
            why=why,
        )


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


def dates(values: object) -> Iterable[int]:
    """Return the valid instants among the values of an object."""
    found = map(moment, values.values()) if isinstance(values, dict) else ()
    return (one for one in found if one is not None)


def _adoption(commitment: Commitment, history: Sequence[tuple[int, Policy]]) -> int | None:
    index: int | None = None
    for at, adopted in reversed(history):
        if not holds(adopted, commitment):
            break
        index = at
    return index


def _is(value: object, preference: str | None) -> bool:
    return preference is not None and value == preference


def _meant(kind: str) -> tuple[str, ...]:
    return (RETIRED, WITHDRAWN) if kind == RETIRED else (kind,)
