"""The side of who decides: an outcome with its reason, and the key that follows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from otium.access.desk import Desk
from otium.access.records import DECIDED, OUTCOMES, Asked, Given, Outcome, Standing
from otium.access.terms import terms_for
from otium.admission import Key, Scope, insert_key, planned
from otium.errors import BadInput
from otium.quotas import Budget, Rate
from otium.records import Instant, later

_SHORTEST_NAME = 4


def decide(
    desk: Desk, request: str, outcome: Outcome, *, reason: str, dry_run: bool = False
) -> Standing:
    """Grant or refuse a request, or an appeal, with a public reason.

    Raises NotFound, and BadInput without a reason, with one that names who asked, or for a
    request that does not wait for a decision.
    """
    if not dry_run:
        desk.settle()
    standing, asked = desk.asked(request)
    if outcome not in OUTCOMES:
        raise BadInput(what="the decision", why=f"it is one of {', '.join(OUTCOMES)}")
    if standing.state not in {"asked", "appealed"}:
        raise BadInput(what=f"a decision on {request}", why=f"it is {standing.state}")
    _check_reason(reason, asked)
    if not dry_run:
        body = {"commitment": standing.commitment, "outcome": outcome, "reason": reason.strip()}
        desk.registry.log(DECIDED, standing.model, body)
        standing = desk.find(request)
    return standing


def plan_key(
    desk: Desk,
    request: str,
    *,
    expires: Instant | None = None,
    budgets: Sequence[Budget] | None = None,
    rates: Sequence[Rate] | None = None,
    terms: Path | None = None,
) -> Key:
    """Return the key that a granted request would get: for its model alone, ending, limited.

    What is not given is as the accepted terms offer. Raises NotFound, DateInPast, BadInput.
    """
    standing, asked = desk.asked(request)
    if standing.state != "granted":
        already = f" (otium access key rotate {standing.key} gives another secret)"
        why = f"it is {standing.state}{already if standing.key else ''}"
        raise BadInput(what=f"a key for {request}", why=why)
    offer, now = terms_for(asked.terms, terms), desk.registry.now()
    rates = offer.rates if rates is None else rates
    if not rates:
        raise BadInput(what=f"a key for {request}", why="it needs a rate")
    return planned(
        asked.who,
        Scope(models=(asked.model,), verbs=("chat", "models", "prewarm")),
        now=now,
        budgets=offer.budgets if budgets is None else budgets,
        rates=rates,
        expires=expires or later(now, days=offer.days),
        grant=asked.id,
    )


def give(
    desk: Desk,
    request: str,
    *,
    expires: Instant | None = None,
    budgets: Sequence[Budget] | None = None,
    rates: Sequence[Rate] | None = None,
    terms: Path | None = None,
) -> Given:
    """Make the key of a granted request, once; its secret is in the result and nowhere else.

    Raises as `plan_key`.
    """
    desk.settle()
    key = plan_key(desk, request, expires=expires, budgets=budgets, rates=rates, terms=terms)
    with desk.engine.begin() as connection:
        issued = insert_key(connection, key)
        desk.put(connection, key.grant, key=key.id)
    desk.settle()
    return Given(standing=desk.find(request), issued=issued)


def _check_reason(reason: str, asked: Asked) -> None:
    """Raise BadInput unless a reason is there and has nothing of who asked in it."""
    if not reason.strip():
        raise BadInput(what="the decision", why="it needs a reason")
    private = f"{asked.who} {asked.contact} {asked.affiliation}"
    words = {one.lower() for one in re.findall(r"[^\s,;]+", private) if len(one) >= _SHORTEST_NAME}
    told = sorted(one for one in words if one in reason.lower())
    if told:
        why = f"it stays in the public log for ever, and has of who asked: {', '.join(told)}"
        raise BadInput(what="the reason", why=why)
