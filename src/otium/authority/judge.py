"""Judge each entry by the keys that stood when it was made: docs/formats/roles-1.md."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from otium.authority.records import Judgement, KeyStanding, Refusal
from otium.authority.roles import ROLES, Role, keys_needed, makers
from otium.errors import BadInstant, BadNote
from otium.ledger import Entry, EntrySignature
from otium.notes import ED25519, VerifierKey, decode64
from otium.parallel import in_order
from otium.records import Instant, instant, later

_FOUNDED, _GRANTED, _REVOKED = "archive.created", "key.granted", "key.revoked"
_LONGEST_WAIT = 30
"""Days that an act may wait for its second signature."""
_CHUNK = 64
"""Signatures that a thread verifies at a time."""


_UNREADABLE = "body cannot be read"

Verified = Mapping[tuple[int, str], bool]
"""Whether a signature, by its ``id``, is of a key, by its verifier key."""


class Judge:
    """The keys of a log as they stand after the entries judged so far."""

    def __init__(
        self,
        origin: str,
        *,
        has_roles: bool = False,
        keys: Iterable[KeyStanding] = (),
        entries: Iterable[Entry] = (),
    ) -> None:
        """Begin before the first entry of the log *origin*.

        Or go on after *entries*, which were authorised, with the *keys* that stand.
        """
        self.origin = origin
        self.has_roles = has_roles
        self.keys = {key.id: key for key in keys}
        self._founded = has_roles
        self._used = {(it.key, it.sig) for entry in entries for it in entry.sigs}

    def copy(self) -> Judge:
        """Return a judge that goes on from here and leaves this one as it is."""
        twin = Judge(self.origin, has_roles=self.has_roles, keys=self.keys.values())
        twin._founded = self._founded
        twin._used = set(self._used)
        return twin

    def begin(self, entries: Iterable[Entry]) -> None:
        """Learn from the founding among *entries* whether there are roles, and the root keys."""
        first = next((entry for entry in entries if entry.type == _FOUNDED), None)
        if first is not None and not self.has_roles:
            self._take_roots(first)

    def judge(self, entry: Entry, verified: Verified | None = None) -> str | None:
        """Return why *entry* is not authorised, or None; keys change if it is and says so.

        *verified* says of signatures whether they were found right before.
        """
        founds = entry.type == _FOUNDED and not self._founded
        if founds:
            self._founded = True
            self.begin([entry])
        if not self.has_roles:
            return None
        fault = self._fault_of_founding if founds else self._fault
        why = fault(entry, verified or {})
        if why is None and entry.type in {_GRANTED, _REVOKED}:
            why = self._grant(entry) if entry.type == _GRANTED else self._revoke(entry)
        if why is None:
            self._used |= {(it.key, it.sig) for it in entry.sigs}
        return why

    def _take_roots(self, entry: Entry) -> None:
        roots = entry.body.get("root")
        if not isinstance(roots, list | tuple):
            return
        keys = [key for key in map(_role_key, roots) if key is not None]
        if keys and len(keys) == len(roots):
            self.has_roles = True
            for key in keys:
                self.keys[key.id] = KeyStanding(
                    id=key.id, vkey=key.vkey, roles=("root",), since=entry.time
                )

    def _fault(self, entry: Entry, verified: Verified) -> str | None:
        """Return the first reason, in the page's order, for which *entry* does not count."""
        if entry.v == 1 or not entry.sigs:
            return "not signed"
        keys = [self.keys[it.key] for it in entry.sigs if it.key in self.keys]
        if len(keys) < len(entry.sigs):
            return "unknown key"
        if any(key.revoked for key in keys):
            return "revoked key"
        if not all(self._is_right(entry, it, verified) for it in entry.sigs):
            return "wrong signature"
        return _fault_of_roles(entry, keys) or self._fault_of_times(entry)

    def _fault_of_times(self, entry: Entry) -> str | None:
        """Return why signatures of another time do not count, or were said before.

        What is signed at the entry's own time can only be repeated within that second.
        """
        if not all(_in_time(entry, it.time) for it in entry.sigs):
            return "signed at another time"
        older = {(it.key, it.sig) for it in entry.sigs if it.time < entry.time}
        return "signature used before" if older & self._used else None

    def _fault_of_founding(self, entry: Entry, verified: Verified) -> str | None:
        """Return why the first entry does not count: one root key's signature is enough."""
        if entry.v == 1 or not entry.sigs:
            return "not signed"
        known = [it for it in entry.sigs if it.key in self.keys]
        right = [it for it in known if self._is_right(entry, it, verified)]
        if not right:
            return "wrong signature" if known else "unknown key"
        in_time = any(_in_time(entry, it.time) for it in right)
        return None if in_time else "signed at another time"

    def _is_right(self, entry: Entry, signature: EntrySignature, verified: Verified) -> bool:
        vkey = self.keys[signature.key].vkey
        known = verified.get((id(signature), vkey))
        return verifies(entry, signature, vkey, self.origin) if known is None else known

    def _grant(self, entry: Entry) -> str | None:
        key, roles = _role_key(entry.body.get("key")), _roles(entry.body.get("roles"))
        if key is None or not roles:
            return _UNREADABLE
        was = self.keys.get(key.id)
        if was is not None and was.revoked:
            return "revoked key"
        if "root" not in roles and self._is_last_root(key.id):
            return "the last root key"
        self.keys[key.id] = KeyStanding(id=key.id, vkey=key.vkey, roles=roles, since=entry.time)
        return None

    def _revoke(self, entry: Entry) -> str | None:
        named, reason = entry.body.get("key"), entry.body.get("reason")
        since = entry.body.get("compromised_since")
        key = self.keys.get(named) if isinstance(named, str) else None
        if key is None or key.revoked or not isinstance(reason, str) or not _is_instant(since):
            return _UNREADABLE
        if self._is_last_root(key.id):
            return "the last root key"
        self.keys[key.id] = replace(
            key,
            roles=(),
            revoked=entry.time,
            reason=reason,
            compromised_since=Instant(str(since)) if since else None,
        )
        return None

    def _is_last_root(self, key: str) -> bool:
        roots = [it.id for it in self.keys.values() if "root" in it.roles]
        return roots == [key]


def _fault_of_roles(entry: Entry, keys: Sequence[KeyStanding]) -> str | None:
    if not all(set(key.roles) & set(makers(entry.type)) for key in keys):
        return "not of a role that may"
    if not any(entry.actor in key.roles for key in keys):
        return "not of the role that it names"
    # One key under two names is one key.
    if len({key.vkey.split("+", 2)[2] for key in keys}) < keys_needed(entry.type):
        return "too few keys"
    return None


def authorised(entries: Iterable[Entry], origin: str) -> Judgement:
    """Return which *entries* of the log *origin* count, which do not, and how its keys stand."""
    entries = list(entries)
    judge = Judge(origin)
    judge.begin(entries)
    verified = _verify_all(entries, origin)
    kept: list[int] = []
    refused: list[Refusal] = []
    for index, entry in enumerate(entries):
        why = judge.judge(entry, verified)
        if why is None:
            kept.append(index)
        else:
            refused.append(Refusal(index=index, type=entry.type, subject=entry.subject, why=why))
    return Judgement(
        has_roles=judge.has_roles,
        entries=tuple(entries[index] for index in kept),
        indices=tuple(kept),
        refused=tuple(refused),
        keys=tuple(judge.keys.values()),
    )


def doubtful(entries: Iterable[Entry], keys: Iterable[KeyStanding]) -> Iterator[tuple[int, str]]:
    """Yield the places of *entries* signed by a key when it was compromised, and the key's id."""
    suspect = {key.id: key for key in keys if key.compromised_since}
    for index, entry in enumerate(entries):
        for it in entry.sigs:
            key = suspect.get(it.key)
            if key and str(key.compromised_since) <= it.time <= str(key.revoked):
                yield index, key.id


def verifies(entry: Entry, signature: EntrySignature, vkey: str, origin: str) -> bool:
    """Say whether *signature* is that of the key *vkey* on *entry* in the log *origin*."""
    try:
        payload = entry.signing_payload(origin, signature.time)
        _parsed(vkey).verify(payload, decode64(signature.sig))
    except BadNote:
        return False
    return True


@functools.lru_cache(256)
def _parsed(vkey: str) -> VerifierKey:
    return VerifierKey.parse(vkey)


def _verify_all(entries: Sequence[Entry], origin: str) -> Verified:
    """Verify every signature by a key that is ever named, on all cores.

    A signature is by the key, whatever may come of the key: so the order does not matter here.
    Several keys can have one ID, of four bytes: each of them is tried, and none for another.
    """
    named = [
        vkey
        for entry in entries
        if entry.type in {_FOUNDED, _GRANTED}
        for vkey in _named(entry.body.get("root"), entry.body.get("key"))
    ]
    keys: dict[str, set[str]] = {}
    for key in map(_role_key, named):
        if key is not None:
            keys.setdefault(key.id, set()).add(key.vkey)
    work = [
        (entry, it, vkey) for entry in entries for it in entry.sigs for vkey in keys.get(it.key, ())
    ]
    chunks = [work[at : at + _CHUNK] for at in range(0, len(work), _CHUNK)]

    def verify(chunk: list[tuple[Entry, EntrySignature, str]]) -> Verified:
        return {(id(it), vkey): verifies(entry, it, vkey, origin) for entry, it, vkey in chunk}

    return {key: right for found in in_order(verify, chunks) for key, right in found.items()}


def _named(roots: object, key: object) -> list[object]:
    return [*(roots if isinstance(roots, list | tuple) else ()), key]


def _roles(value: object) -> tuple[Role, ...]:
    """Return the roles in *value*, none unless it is a list of roles alone."""
    named = list(value) if isinstance(value, list | tuple) else []
    roles = tuple(role for role in ROLES if role in named)
    return roles if all(one in ROLES for one in named) else ()


def _role_key(vkey: object) -> VerifierKey | None:
    try:
        key = VerifierKey.parse(vkey) if isinstance(vkey, str) else None
    except BadNote:
        return None
    return key if key is not None and key.kind == ED25519 else None


def _in_time(entry: Entry, signed: Instant) -> bool:
    if signed == entry.time:
        return True
    if not _is_instant(signed):
        return False
    return later(entry.time, days=-_LONGEST_WAIT) <= signed <= entry.time


def _is_instant(value: object) -> bool:
    """Say whether *value* is a complete UTC time, or absent."""
    try:
        return value is None or (isinstance(value, str) and instant(value) == value)
    except BadInstant:
        return False
