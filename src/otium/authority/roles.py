"""Which role may say what: the table of docs/formats/roles-1.md."""

from __future__ import annotations

from typing import Literal, get_args

from otium.records import Actor

Role = Literal["root", "steward", "archivist", "researcher", "decider", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

_TABLE: dict[Role, str] = {
    "root": "key.granted key.revoked",
    "steward": (
        "commitments.adopted duty.waived model.registered model.floor model.legacy "
        "model.deprecated model.rescheduled model.replacement deprecation.cancelled "
        "deaccession.approved surface.ended model.retired model.withdrawn model.availability "
        "model.used alias.pointed transition.published report.prepared report.published "
        "usage.recorded incidents.recorded notice.sent notice.failed exit.changed "
        "witnesses.adopted work.published work.vetoed pursuit.planned access.requested "
        "access.appealed access.granted access.withdrawn heartbeat"
    ),
    "archivist": (
        "archive.* model.deposited model.checked model.restored model.revived "
        "model.deaccessioned deaccession.proposed deaccession.approved copies.counted custody.* "
        "conversation.ended conversation.reopened access.requested access.appealed "
        "access.withdrawn heartbeat"
    ),
    "researcher": (
        "fingerprint.recorded assessment.* interview.* choices.* preference.registered "
        "preference.merged preference.split preference.answered work.written behaviour.*"
    ),
    "decider": "preference.considered preference.decided preference.outcome access.decided",
    "auditor": "audit.*",
}
_TWO = frozenset({"model.retired", "model.withdrawn", "duty.waived", "deaccession.approved"})


def _read(table: dict[Role, str]) -> dict[str, tuple[Role, ...]]:
    found: dict[str, tuple[Role, ...]] = {}
    for role, types in table.items():
        for one in types.split():
            found[one] = (*found.get(one, ()), role)
    return found


_MAKERS = _read(_TABLE)


def makers(type: str) -> tuple[Role, ...]:  # noqa: A002
    """Return the roles that may make entries of *type*, the first its usual actor."""
    noun, dot, _ = type.partition(".")
    return _MAKERS.get(type) or (_MAKERS.get(f"{noun}.*") if dot else None) or ROLES


def is_named(type: str) -> bool:  # noqa: A002
    """Say whether a type of entry is one that otium makes."""
    return makers(type) != ROLES or type == "archive.created"


def actor_for(type: str) -> Actor:  # noqa: A002
    """Return the role in which the house makes entries of *type*."""
    found = makers(type)
    return Actor("steward" if found == ROLES else found[0])


def keys_needed(type: str) -> int:  # noqa: A002
    """Return how many keys must sign an entry of *type*."""
    return 2 if type in _TWO else 1
