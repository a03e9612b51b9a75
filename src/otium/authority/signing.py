"""Statements that a role signs beside the log: analyses, provenance. In-toto's envelope, DSSE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otium.authority.journal import Journal
from otium.authority.judge import authorised
from otium.authority.records import KeyStanding
from otium.authority.roles import Role
from otium.errors import BadNote, BadRecord, NotAuthorised
from otium.notes import VerifierKey, decode64, encode64
from otium.records import Instant, Json, Part, canonical


class Signature(Part):
    """A role's name under a statement."""

    role: Role
    key: str
    """The key's id, ``name+ID``."""
    vkey: str
    time: Instant
    sig: str
    """Base64 of Ed25519 over `signed_bytes`; which statement it is, its own format says."""


def signed_bytes(
    origin: str, kind: str, statement: Mapping[str, Json], role: Role, time: Instant
) -> bytes:
    """Return the bytes that a signature is over: DSSE's pre-authentication encoding.

    The body is *statement* with the log's *origin*, the role and the time; *kind* is its media
    type. Source: github.com/secure-systems-lab/dsse, protocol 1.0.0.
    """
    body = canonical({**statement, "log": origin, "role": role, "time": time})
    return f"DSSEv1 {len(kind)} {kind} {len(body)} ".encode() + body


def sign_statement(
    journal: Journal, kind: str, statement: Mapping[str, Json], role: Role, now: Instant
) -> Signature:
    """Sign *statement* as *role* with a key at hand; raise NotAuthorised without such a key."""
    judge = journal.judge()
    for key in journal.keyring or ():
        standing = judge.keys.get(key.id)
        if standing and role in standing.roles:
            message = signed_bytes(judge.origin, kind, statement, role, now)
            sig = encode64(key.sign(message))
            return Signature(role=role, key=key.id, vkey=key.vkey, time=now, sig=sig)
    what = kind.partition("vnd.otium.")[2].partition(".")[0].replace("-", ".", 1) or kind
    raise NotAuthorised(type=what, why=f"no key here has the role {role} and stands")


def fault(journal: Journal, kind: str, statement: Mapping[str, Json], it: Signature) -> str:
    """Return the first reason why a signature under *statement* does not hold, or nothing."""
    judge = journal.judge()
    try:
        message = signed_bytes(judge.origin, kind, statement, it.role, it.time)
        VerifierKey.parse(it.vkey).verify(message, decode64(it.sig))
    except (BadNote, BadRecord):
        return "wrong signature"
    standing = judge.keys.get(it.key)
    if standing is None or standing.vkey != it.vkey:
        return "unknown key"
    if standing.revoked and standing.compromised_since and standing.compromised_since <= it.time:
        return "the key was compromised then"
    return "" if it.role in _roles(journal, standing, it) else "the key did not have that role"


def _roles(journal: Journal, standing: KeyStanding, it: Signature) -> Sequence[Role]:
    """Return the roles of a key when it signed; the log is only read again if they changed."""
    if not standing.revoked and standing.since <= it.time:
        return standing.roles
    then = [entry for entry in journal.logged() if entry.time <= it.time]
    keys = authorised(then, journal.judge().origin).keys
    return next((key.roles for key in keys if key.id == it.key and not key.revoked), ())
