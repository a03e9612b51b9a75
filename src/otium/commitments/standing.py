"""All that binds an organisation: the policy in force, and what outlives those it replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from otium.commitments.duties import duties, duties_of
from otium.commitments.log import Log, Promise, holds, promises, undisturbed
from otium.commitments.policy import same_promise
from otium.commitments.records import Amendment, Change, Commitment, Duty, Policy
from otium.ledger import Entry
from otium.records import Instant


class _Replaced(NamedTuple):
    """A policy and the adoption that replaced it."""

    policy: Policy
    at: int
    by: Policy


class _Carried(NamedTuple):
    """A promise that the policy in force no longer makes, and the models it is still kept for."""

    policy: Policy
    commitment: Commitment
    models: frozenset[str]


@undisturbed()
def standing(entries: Sequence[Entry], now: Instant) -> list[Duty]:
    """Return every duty: past, carried, then those of the policy in force.

    Past is what was broken or late when a policy was replaced: amending a promise does not make
    it kept. Carried is what was promised about a model whose end was under way.
    """
    log = Log(entries, now)
    if not log.adopted:
        return []
    carried = list(_carried(log))
    last = log.adopted[-1][1]
    in_force = list(promises(last, log))
    current = (duty for promise in in_force for duty in duties_of(promise))
    return [*_past(log, carried, in_force), *_duties_of(log, carried), *current]


def amendments(entries: Sequence[Entry], now: Instant) -> list[Amendment]:
    """Return what each new policy changed about the promises of the one before, with its reason."""
    log = Log(entries, now)
    found = []
    for old, at, new in _replaced(log):
        reason = log.entries[at].body.get("reason")
        found += [
            Amendment(
                at=log.times[at],
                commitment=commitment,
                change=change,
                version=new.version,
                reason=reason if isinstance(reason, str) else "",
            )
            for commitment, change in _changes(old, new)
        ]
    return found


def _replaced(log: Log) -> Iterator[_Replaced]:
    for (_, old), (at, new) in zip(log.adopted, log.adopted[1:], strict=False):
        if old != new:
            yield _Replaced(old, at, new)


def _changes(old: Policy, new: Policy) -> Iterator[tuple[str, Change]]:
    before = {one.id: one for one in old.commitments}
    after = {one.id: one for one in new.commitments}
    for name, one in before.items():
        if name not in after:
            yield name, "withdrawn"
        elif not same_promise(one, after[name]):
            yield name, "amended"
    yield from ((name, "added") for name in after if name not in before)


def _past(log: Log, carried: Sequence[_Carried], in_force: Sequence[Promise]) -> Iterator[Duty]:
    """Yield what was broken or late at a replacement, and is computed nowhere else any more."""
    for old, at, _ in _replaced(log):
        stands = [one.it for one in in_force if one.adoption < at]
        gone = {
            it.id: it for it in old.commitments if not any(same_promise(it, one) for one in stands)
        }
        for duty in duties(old, log.entries[:at], log.times[at]):
            promise = gone.get(duty.commitment)
            if promise is None or duty.state not in {"breached", "overdue"}:
                continue
            if not any(
                duty.model in one.models and same_promise(one.commitment, promise)
                for one in carried
            ):
                yield duty


def _carried(log: Log) -> Iterator[_Carried]:
    """Yield the promises that are kept for models under way, in the order of the policies."""
    last = log.adopted[-1][1]
    replaced = list(_replaced(log))
    under_way = [_under_way(log, one.at) for one in replaced]
    for number, one in enumerate(replaced):
        for commitment in one.policy.commitments:
            if not holds(last, commitment):
                later = [
                    models
                    for other, models in zip(
                        replaced[number + 1 :], under_way[number + 1 :], strict=True
                    )
                    if holds(other.policy, commitment)
                ]
                yield _Carried(one.policy, commitment, under_way[number].difference(*later))


def _under_way(log: Log, end: int) -> frozenset[str]:
    """Return the models whose deprecation stood when the entry *end* was made."""
    found: set[str] = set()
    for entry in log.entries[:end]:
        if entry.type == "model.deprecated":
            found.add(entry.subject)
        elif entry.type == "deprecation.cancelled":
            found.discard(entry.subject)
    return frozenset(found)


def _duties_of(log: Log, carried: Sequence[_Carried]) -> Iterator[Duty]:
    for one in carried:
        if one.models:
            for promise in promises(one.policy, log):
                if promise.it == one.commitment:
                    yield from duties_of(promise, one.models)
