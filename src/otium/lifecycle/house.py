"""Founding an archive with its ledger, opening both again, and what binds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otium import commitments
from otium.archive import Archive
from otium.authority import Keyring, Role, actor_for
from otium.commitments import (
    ADOPTED,
    Amendment,
    Duty,
    Policy,
    adoptions,
    check_policy,
    policy_in_force,
)
from otium.errors import BadInput, BrokenLedger, DamagedObject, Exists, NotAnArchive, NotFound
from otium.ledger import Entry, Ledger
from otium.lifecycle.registry import Registry
from otium.notes import Signer, VerifierKey
from otium.records import Clock, Instant, digest, hexadecimal
from otium.store import Store

_FOUNDED = "archive.created"
_INFO = "archive.json"
_NO_ROLES = "this log was founded without roles, and gets none: otium archive create begins another"


def found(
    store: Store,
    signer: Signer,
    *,
    archive_id: str,
    clock: Clock,
    policy: Policy,
    simulated: bool = False,
    keyring: Keyring | None = None,
    waiting: Callable[[Entry], str] | None = None,
) -> Registry:
    """Found an archive, its ledger and its first entries in *store*.

    With a *keyring* the log has roles: its keys sign every entry from the first on, and acts
    that need two persons wait by *waiting*. Cut off at any point it can be called again and
    completes what is missing. Raises Exists if *store* holds an archive with another id, key or
    kind of clock. *policy* is adopted only if none is in force; ``adopt`` replaces one.
    """
    try:
        archive = Archive.open(store)
    except NotAnArchive:
        created = clock.now()
        archive = Archive.create(
            store, archive_id=archive_id, created=created, origin=signer.name, keys=signer.vkeys
        )
    if archive.id != archive_id or set(signer.vkeys) != set(archive.info.keys):
        raise Exists(name=f"the archive {archive.id}, with other facts,")
    ledger = _ledger(store, archive, signer)
    registry = Registry(archive, ledger, clock, keyring=keyring, waiting=waiting)
    roots, grants = keyring.founders() if keyring else ([], [])
    _begin(registry, "simulated" if simulated else "system", roots)
    if policy_in_force(registry.entries()) is None:
        granted = {entry.body.get("key") for entry in registry.find("key.granted")}
        for vkey, roles in grants:
            if vkey not in granted:
                grant_key(registry, vkey, roles)
        adopt(registry, policy)
    return registry


def reopen(
    store: Store,
    *,
    clock: Clock,
    signer: Signer | None = None,
    keyring: Keyring | None = None,
    waiting: Callable[[Entry], str] | None = None,
) -> Registry:
    """Open what was founded in *store*; a *signer* (and a *keyring*) are needed only to write.

    Raises NotAnArchive, BrokenLedger if the founding was cut off (``found`` completes it), and
    DamagedObject if archive.json is not the one that was logged.
    """
    archive = Archive.open(store)
    try:
        ledger = Ledger.open(store, vkeys=archive.info.keys, signer=signer)
    except NotFound as error:
        raise BrokenLedger(why="there is none in this archive; found it again") from error
    registry = Registry(archive, ledger, clock, keyring=keyring, waiting=waiting)
    _check_founding(registry.find(_FOUNDED), _info_digest(store))
    return registry


def adopt(registry: Registry, policy: Policy, reason: str = "") -> Entry:
    """Bind the organisation to *policy* from now on; the policy in force again changes nothing.

    Raises BadInput if it replaces another without a *reason*, or under the same version.
    """
    check_policy(policy)
    *_, last = [None, *adoptions(registry.entries())]
    if last is not None and last[1] == policy:
        return registry.entries()[last[0]]
    if last is not None and not reason.strip():
        raise BadInput(what="the new policy", why="it replaces another: say the reason")
    if last is not None and (last[1].id, last[1].version) == (policy.id, policy.version):
        why = f"version {policy.version} of {policy.id} says something else: give it another"
        raise BadInput(what="the new policy", why=why)
    body = {"policy": policy.plain()} | ({"reason": reason} if last is not None else {})
    return registry.log(ADOPTED, registry.archive.id, body, [policy.digest()])


def changes_by(registry: Registry, policy: Policy) -> list[Amendment]:
    """Return what adopting *policy* now would add, amend and withdraw."""
    entries, now = registry.entries(), registry.now()
    body: dict[str, object] = {"policy": check_policy(policy).plain()}
    adoption = Entry(
        type=ADOPTED, time=now, actor=actor_for(ADOPTED), subject=registry.archive.id, body=body
    )
    before = commitments.amendments(entries, now)
    return commitments.amendments([*entries, adoption], now)[len(before) :]


def waive(
    registry: Registry,
    commitment: str,
    subject: str,
    *,
    reason: str,
    until: Instant | None = None,
    preference: str | None = None,
    surface: str | None = None,
) -> Entry:
    """Excuse a duty, visibly: needs two signatures where there are roles.

    *subject* is a model or the archive's id. Raises BadInput for a promise that is not in
    force, for a duty that is open nowhere, or without a *reason*.
    """
    standing_now = standing(registry)
    if not any((it.commitment, it.model) == (commitment, subject) for it in standing_now):
        what = f"the waiver of {commitment} for {subject}"
        raise BadInput(what=what, why="there is no such duty yet: see otium duties")
    _check_waiver(registry, commitment, reason, until)
    more = {"until": until, "preference": preference, "surface": surface}
    body: dict[str, object] = {"commitment": commitment, "reason": reason}
    body |= {name: it for name, it in more.items() if it is not None}
    there = [entry for entry in registry.find("duty.waived", subject) if entry.body == body]
    return there[0] if there else registry.log("duty.waived", subject, body)


def _check_waiver(registry: Registry, commitment: str, reason: str, until: Instant | None) -> None:
    """Raise BadInput for a waiver that would change nothing."""
    policy = policy_in_force(registry.entries())
    kinds = {it.id: it.kind for it in (policy.commitments if policy else ())}
    what = f"the waiver of {commitment}"
    if not reason.strip():
        raise BadInput(what=what, why="it needs a reason")
    if until is not None and until <= registry.now():
        raise BadInput(what=what, why=f"{until} is past")
    if until is None and kinds.get(commitment) == "every":
        raise BadInput(what=what, why="it comes again and again: say until when it is put off")


def grant_key(registry: Registry, vkey: str, roles: Sequence[Role]) -> Entry:
    """Give a key these roles from now on, and no others.

    Raises NotAuthorised, BadNote; BadInput in a log without roles, where it would do nothing.
    """
    VerifierKey.parse(vkey)
    if not registry.journal.judge().has_roles:
        raise BadInput(what=f"the key {vkey}", why=_NO_ROLES)
    return registry.log("key.granted", registry.archive.id, {"key": vkey, "roles": list(roles)})


def revoke_key(
    registry: Registry, key: str, *, reason: str, compromised_since: Instant | None = None
) -> Entry:
    """Take a key's roles for ever.

    Raises NotFound, NotAuthorised for the last root key, BadInput for one that has lost them.
    """
    if (there := registry.journal.judge().keys.get(key)) and there.revoked:
        raise BadInput(what=f"the key {key}", why=f"it was revoked at {there.revoked}")
    there = registry.journal.judge().keys.get(key)
    if there is None:
        raise NotFound(what=f"the key {key!r}")
    if there.revoked:
        raise BadInput(what=f"the key {key}", why=f"it was revoked at {there.revoked}")
    body: dict[str, object] = {"key": key, "reason": reason}
    body |= {"compromised_since": compromised_since} if compromised_since else {}
    return registry.log("key.revoked", registry.archive.id, body)


def standing(registry: Registry, now: Instant | None = None) -> list[Duty]:
    """Return every duty, past, carried and in force, with its state now or at *now*."""
    return commitments.standing(registry.entries(), now or registry.now())


def _begin(registry: Registry, clock: str, roots: Sequence[str]) -> None:
    """Log the first entry; raise Exists if there is one with other facts."""
    archive = registry.archive
    facts: dict[str, object] = {"archive_json": _info_digest(archive.store), "clock": clock}
    there = registry.find(_FOUNDED)
    if not there:
        registry.log(_FOUNDED, archive.id, facts | ({"root": list(roots)} if roots else {}))
    elif {name: there[0].body.get(name) for name in facts} != facts:
        raise Exists(name=f"the archive {archive.id}, with other facts,")


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
