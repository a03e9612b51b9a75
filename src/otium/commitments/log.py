"""The entries up to a time, found by type and subject, and one promise as it binds over them."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain

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
        self.times, self.moments = counted(entries, now)
        self.entries = entries[: len(self.times)]
        # Only the types are sorted at once: what else is asked of an entry is asked of one type.
        self._by_type: defaultdict[str, list[int]] = defaultdict(list)
        for index, entry in enumerate(self.entries):
            self._by_type[entry.type].append(index)
        self._about: dict[str, dict[str, list[int]]] = {}
        self._first: dict[str, list[Start]] = {}
        self._sound: dict[str, dict[str, list[int]]] = {}
        self._by_preference: dict[str, dict[tuple[str, str], list[int]]] = {}
        self._joined: dict[tuple[object, ...], dict[str, int]] = {}

    def of(self, *kinds: str) -> list[int]:
        """Return the indices of the entries of some types; a withdrawal is a retirement, too."""
        meant = (*kinds, WITHDRAWN) if RETIRED in kinds else kinds
        return sorted(chain.from_iterable(self._by_type.get(one, ()) for one in {*meant}))

    def about(self, kind: str) -> dict[str, list[int]]:
        """Return the same for one type, by subject."""
        if kind not in self._about:
            self._about[kind] = self._by_subject(self.of(kind))
        return self._about[kind]

    def sound(self, kind: str) -> dict[str, list[int]]:
        """Return the entries of a type that do not say that it went wrong, by subject."""
        if kind not in self._sound:
            self._sound[kind] = self._by_subject(self._right(kind))
        return self._sound[kind]

    def by_preference(self, kind: str) -> dict[tuple[str, str], list[int]]:
        """Return the same, by subject and preference."""
        if kind not in self._by_preference:
            found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
            for at in self._right(kind):
                if (preference := self._preference(at)) is not None:
                    found[self.entries[at].subject, preference].append(at)
            self._by_preference[kind] = found
        return self._by_preference[kind]

    def first(self, kind: str) -> list[Start]:
        """Return the first entry of a type for each subject and preference, in log order."""
        if kind not in self._first:
            found: dict[tuple[str, str | None], Start] = {}
            for at in self.of(kind):
                key = (self.entries[at].subject, self._preference(at))
                if key not in found:
                    found[key] = Start(at, *key, self.moments[at])
            self._first[kind] = list(found.values())
        return self._first[kind]

    @cached_property
    def unannounced(self) -> list[Start]:
        """Return the first end of each subject that no deprecation stands before."""
        announced, found = self.about(DEPRECATED), []
        for subject, (end, *_) in self.about(RETIRED).items():
            if subject not in announced or end < announced[subject][0]:
                found.append(Start(end, subject, None, self.moments[end]))
        return found

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """Return the plan of each model's surfaces."""
        return plans(self.entries, self.of(*TOLD))

    def _right(self, kind: str) -> list[int]:
        # A fulfilment is of this one type: a withdrawal fulfils no promise to retire.
        entries = self.entries
        return [at for at in self._by_type.get(kind, ()) if entries[at].body.get("ok") is not False]

    def _by_subject(self, indices: Iterable[int]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at in indices:
            subject = self.entries[at].subject
            if subject in found:
                found[subject].append(at)
            else:
                found[subject] = [at]
        return found

    def _preference(self, index: int) -> str | None:
        preference = self.entries[index].body.get("preference")
        return preference if isinstance(preference, str) else None

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
        self._adoption = adoption
        self._adopted = log.moments[adoption]
        self._later = {subject: at for subject, at in self.joined.items() if at > adoption}
        self._version = policy.version

    def bound(self, subject: str) -> int:
        """Return the index of the entry since which the promise binds about *subject*."""
        return self._later.get(subject, self._adoption)

    def begin(self, subject: str, moment: int) -> int:
        """Return *moment*, or when the promise began to bind about *subject* if that is later."""
        bound = self._adopted
        if subject in self._later:
            bound = self.log.moments[self._later[subject]]
        return max(bound, moment)

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
        it, subject = self.it, model if preference is None else preference
        version = self._version
        return Duty(
            it.id, it.text, it.owner, subject, model, state, due, version, about, fulfilled, why
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
