"""Founding an archive with its ledger, opening both again, and what binds them."""

from __future__ import annotations

from otium.archive import Archive
from otium.errors import BrokenLedger, DamagedObject, Exists, NotAnArchive, NotFound
from otium.ledger import Entry, Ledger, Signer
from otium.lifecycle.duties import duties, past_breaches
from otium.lifecycle.policy import ADOPTED, adoptions, check_policy, policy_in_force
from otium.lifecycle.records import Duty, Policy
from otium.lifecycle.registry import Registry
from otium.records import Clock, Instant, digest, hexadecimal
from otium.store import Store

_FOUNDED = "archive.created"
_INFO = "archive.json"


def found(
    store: Store,
    signer: Signer,
    *,
    archive_id: str,
    clock: Clock,
    policy: Policy,
    simulated: bool = False,
) -> Registry:
    """Found an archive, its ledger and its first entries in *store*.

    Cut off at any point it can be called again and completes what is missing. Raises Exists
    if *store* holds an archive with another id, key or kind of clock. *policy* is adopted only
    if none is in force; ``adopt`` replaces one.
    """
    try:
        archive = Archive.open(store)
    except NotAnArchive:
        created = clock.now()
        archive = Archive.create(
            store, archive_id=archive_id, created=created, origin=signer.name, keys=[signer.vkey]
        )
    if archive.id != archive_id or signer.vkey not in archive.info.keys:
        raise Exists(name=f"the archive {archive.id}, with other facts,")
    registry = Registry(archive, _ledger(store, archive, signer), clock)
    body = {"archive_json": _info_digest(store), "clock": "simulated" if simulated else "system"}
    there = registry.find(_FOUNDED)
    if there and there[0].body != body:
        raise Exists(name=f"the archive {archive.id}, with other facts,")
    if not there:
        registry.log(_FOUNDED, archive.id, body)
    if policy_in_force(registry.entries()) is None:
        adopt(registry, policy)
    return registry


def reopen(store: Store, *, clock: Clock, signer: Signer | None = None) -> Registry:
    """Open what was founded in *store*; a *signer* is needed only to write.

    Raises NotAnArchive, BrokenLedger if the founding was cut off (``found`` completes it), and
    DamagedObject if archive.json is not the one that was logged.
    """
    archive = Archive.open(store)
    try:
        ledger = Ledger.open(store, vkeys=archive.info.keys, signer=signer)
    except NotFound as error:
        raise BrokenLedger(why="there is none in this archive; found it again") from error
    registry = Registry(archive, ledger, clock)
    _check_founding(registry.find(_FOUNDED), _info_digest(store))
    return registry


def adopt(registry: Registry, policy: Policy) -> Entry:
    """Bind the organisation to *policy* from now on; the policy in force again changes nothing."""
    check_policy(policy)
    *_, last = [None, *adoptions(registry.entries())]
    if last is not None and last[1] == policy:
        return registry.entries()[last[0]]
    body = {"policy": policy.plain()}
    return registry.log(ADOPTED, registry.archive.id, body, [policy.digest()])


def standing(registry: Registry, now: Instant | None = None) -> list[Duty]:
    """Return every duty of the policy in force, with its state now or at *now*.

    First stands what was broken or late when an earlier policy was replaced: amending a promise
    does not make it kept.
    """
    entries, at = registry.entries(), now or registry.now()
    policy = policy_in_force(entries)
    return [*past_breaches(entries, at), *duties(policy, entries, at)] if policy else []


def _ledger(store: Store, archive: Archive, signer: Signer) -> Ledger:
    try:
        return Ledger.open(store, vkeys=archive.info.keys, signer=signer)
    except NotFound:
        return Ledger.create(store, signer, origin=archive.info.origin)


def _check_founding(founding: list[Entry], found: str) -> None:
    if not founding:
        raise BrokenLedger(why="its first entry, archive.created, is missing; found it again")
    expected = founding[0].body.get("archive_json")
    if expected != found:
        raise DamagedObject(name=_INFO, found=found, expected=expected)


def _info_digest(store: Store) -> str:
    return hexadecimal(digest(store.get(_INFO)))
