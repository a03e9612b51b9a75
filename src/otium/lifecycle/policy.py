"""What an organisation promises: reading a policy, finding the one in force."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from otium.errors import BadData, BadRecord
from otium.ledger import Entry
from otium.lifecycle.records import Commitment, Policy

ADOPTED = "commitments.adopted"
_LONGEST = 48_000
"""Bytes of canonical JSON: a policy must fit into one entry, 65,535 bytes."""
_CENTURY = 36525


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy from TOML, by default otium's own; raise BadData naming what is wrong."""
    file: Traversable = path or resources.files("otium") / "data" / "commitments.toml"
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST * 2 + 1)
        if len(data) > _LONGEST * 2:
            raise BadData(path=file, why=f"it is longer than {_LONGEST * 2} bytes")
        value = tomllib.loads(data.decode())
        policy = Policy.convert({"schema": "otium.commitments/1", **value})
        check_policy(policy)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
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

    What makes one readable is in docs/formats/commitments-1.md; `oddities` reports the others.
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
    sound = all(0 <= one.days <= _CENTURY for one in policy.commitments)
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
    if not 0 <= one.days <= _CENTURY:
        yield f"days must be 0 to {_CENTURY}, not {one.days:g}"
    if not one.id or not one.trigger:
        yield "id and trigger must not be empty"
    if (one.kind == "notice") != (not one.fulfil):
        yield "fulfil is needed, except for a notice, which has none"
    if one.kind == "before" and (not one.before or one.days):
        yield "the kind before needs `before`, and days = 0"
    if one.kind in {"within", "every"} and one.before:
        yield "only the kinds before and notice have `before`"
    if one.kind != "before" and one.days == 0:
        yield "days must be more than 0"
    if one.fulfil and one.fulfil in {one.trigger, one.before}:
        yield "fulfil must differ from trigger and before"
