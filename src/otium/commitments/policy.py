"""What an organisation promises: reading a policy, finding the one in force."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from otium.commitments.records import Commitment, Policy
from otium.errors import BadData, BadRecord
from otium.ledger import Entry

ADOPTED = "commitments.adopted"
_LONGEST = 48_000
"""Bytes of canonical JSON: a policy must fit into one entry, 65,535 bytes."""
_CENTURY = 36525
_PLANNED = {"notice": "model.deprecated", "floor": "model.floor"}
"""The kinds that are about the plan of a surface, and what they are triggered by."""


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy from TOML, by default otium's own; raise BadData naming what is wrong."""
    file: Traversable = path or resources.files("otium") / "data" / "commitments.toml"
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST * 2 + 1)
        if len(data) > _LONGEST * 2:
            raise BadData(path=file, why=f"it is longer than {_LONGEST * 2} bytes")
        value = tomllib.loads(data.decode())
        policy = Policy.convert({"schema": "otium.commitments/2", **value})
        check_policy(policy)
    except (OSError, ValueError, RecursionError) as error:
        raise BadData(path=file, why=str(error)) from error
    except BadRecord as error:
        raise BadData(path=file, why=error.facts["why"]) from error
    return policy


def check_policy(policy: Policy) -> Policy:
    """Return *policy* if it can be adopted, else raise BadRecord naming the commitment at fault."""
    for why in _faults(policy):
        raise BadRecord(what=f"policy {policy.id}", why=why)
    return policy


def policy_in_force(entries: Iterable[Entry]) -> Policy | None:
    """Return the policy that was adopted last."""
    *_, last = [None, *adoptions(entries)]
    return last[1] if last else None


def adoptions(entries: Iterable[Entry]) -> Iterator[tuple[int, Policy]]:
    """Yield the index and the policy of each adoption that can be read.

    What makes one readable is in docs/formats/commitments-2.md; `oddities` reports the others.
    """
    for index, entry in enumerate(entries):
        policy = read_adoption(entry)
        if policy is not None:
            yield index, policy


def read_adoption(entry: Entry) -> Policy | None:
    """Return the policy that *entry* adopts, or None if it adopts none that can be read."""
    if entry.type != ADOPTED:
        return None
    value = entry.body.get("policy")
    if not isinstance(value, Mapping) or "schema" not in value:
        return None
    try:
        policy = Policy.convert(value)
    except BadRecord:
        return None
    ids = [one.id for one in policy.commitments]
    lengths = [length for one in policy.commitments for length in (one.days, one.grace)]
    sound = all(0 <= length <= _CENTURY for length in lengths)
    return policy if sound and len(set(ids)) == len(ids) else None


def same_promise(one: Commitment, other: Commitment) -> bool:
    """Return whether two commitments bind alike: they may differ in words and owner."""
    return msgspec.structs.replace(one, text=other.text, owner=other.owner) == other


def _faults(policy: Policy) -> Iterator[str]:
    for name, count in Counter(one.id for one in policy.commitments).items():
        if count > 1:
            yield f"commitment {name!r} stands there {count} times"
    for one in policy.commitments:
        for fault in _faults_of(one):
            yield f"commitment {one.id!r}: {fault}"
    if len(policy.encode()) > _LONGEST:
        yield f"it is longer than {_LONGEST} bytes"


def _faults_of(one: Commitment) -> Iterator[str]:
    for name, length in (("days", one.days), ("grace", one.grace)):
        if not 0 <= length <= _CENTURY:
            yield f"{name} must be 0 to {_CENTURY}, not {length:g}"
    if not one.id or not one.trigger:
        yield "id and trigger must not be empty"
    yield from _faults_of_kind(one)
    yield from _faults_of_withdrawal(one)
    if one.fulfil and one.fulfil in {one.trigger, one.before}:
        yield "fulfil must differ from trigger and before"


def _faults_of_kind(one: Commitment) -> Iterator[str]:
    if (one.kind in _PLANNED) != (not one.fulfil):
        yield "fulfil is needed, except for the kinds notice and floor, which have none"
    if one.kind in _PLANNED and one.trigger != _PLANNED[one.kind]:
        yield f"the kind {one.kind} has the trigger {_PLANNED[one.kind]}"
    if (one.kind == "before") != bool(one.before):
        yield "the kind before, and no other, has `before`"
    if one.kind in {"before", "floor"} and one.days:
        yield f"the kind {one.kind} has days = 0"
    if one.kind not in {"before", "floor"} and not one.days:
        yield "days must be more than 0"
    if one.kind not in {"within", "every"} and one.since != "time":
        yield "only the kinds within and every have `since`"
    if not one.fulfil and (one.where or one.at_least):
        yield "where and at_least say what must fulfil it, and nothing does"


def _faults_of_withdrawal(one: Commitment) -> Iterator[str]:
    if (one.on_withdrawal == "after") != bool(one.grace):
        yield 'on_withdrawal = "after", and nothing else, needs grace: days from the withdrawal'
    if one.on_withdrawal == "after" and one.kind != "before":
        yield 'only the kind before can have on_withdrawal = "after"'
    if one.on_withdrawal == "lapses" and one.kind in {"within", "every"}:
        yield "a withdrawal does not lift the kinds within and every"
