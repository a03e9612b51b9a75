"""Telling the ledger what the database has: each ending, reopening and change of policy once."""

from __future__ import annotations

from collections.abc import Mapping

from otium.appeals.store import Appeals
from otium.closure import EVERY, Ending, Policy, commitment
from otium.errors import UnknownModel
from otium.lifecycle import Registry

ENDED, REOPENED, CHANGED = "conversation.ended", "conversation.reopened", "exit.changed"


def tell(registry: Registry, appeals: Appeals) -> int:
    """Log what the ledger does not have yet; return how many entries were made.

    Found again by content, so that a crash between the entry and its note repeats nothing. No
    entry says who asked, or what was said.
    """
    closings = appeals.closings
    made = 0
    for ending in closings.unlogged():
        made += _once(registry, ENDED, ending.model, ended(ending), "closing")
        closings.mark_logged(ending.id)
    for review in appeals.unlogged():
        closings.reopen(review.closing)  # again changes nothing; a crash may have come before it
        model = closings.ending(review.closing).model
        body = {"closing": review.closing, "reason": review.ground, "by": "reviewer"}
        made += _once(registry, REOPENED, model, body, "closing")
        appeals.mark_logged(review)
    for number, policy in closings.policies.unlogged():
        subject = policy.model if policy.model != EVERY else registry.archive.info.id
        made += _once(registry, CHANGED, subject, changed(policy, number), "number")
        closings.policies.mark_logged(number)
    return made


def ended(ending: Ending) -> dict[str, object]:
    """Return the body of an ending's entry."""
    return {
        "prefix": commitment(ending),
        "by": ending.by,
        "reason": ending.reason,
        "closing": ending.id,
        "method": ending.method,
        "verified": ending.how,
        **({"weights": ending.weights} if ending.weights else {}),
    }


def changed(policy: Policy, number: int) -> dict[str, object]:
    """Return the body of a change's entry; a caller is only said to be one, never which."""
    kept = ("offered", "method", "redirections", "turns", "veto", "unverified", "reason")
    values = {name: getattr(policy, name) for name in kept}
    return {**values, "for": "all" if policy.caller == EVERY else "one caller", "number": number}


def _once(
    registry: Registry, type_: str, subject: str, body: Mapping[str, object], by: str
) -> bool:
    known = registry.find(type_, subject)
    if any(entry.body.get(by) == body[by] for entry in known):
        return False
    if type_ != CHANGED or subject != registry.archive.info.id:
        try:
            registry.model(subject)
        except UnknownModel:
            return False  # a model that this house never registered has no public log
    registry.log(type_, subject, body)
    return True
