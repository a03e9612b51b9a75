"""Considering and deciding: each change of state is a record and an entry; the latest holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, get_args

from msgspec.structs import replace

from otium.authority import Role
from otium.errors import BadInput, DateInPast, PreferenceState
from otium.lifecycle import Registry
from otium.preferences.book import CONSIDERED, DECIDED, OUTCOME, Book
from otium.preferences.joining import check_open, numbered, settle
from otium.preferences.records import COSTS, OUTCOMES, Consideration, Cost, Decision, Outcome, State
from otium.records import Instant, Record

R = TypeVar("R", bound=Record)

_OWNER = "decider"
_MAY_CONSIDER: frozenset[State] = frozenset({"recorded", "under-consideration", "deferred"})
"""What is decided for now is not under consideration again; it can be decided anew."""
_MAY_COME: frozenset[State] = frozenset({"granted", "partly-granted"})
"""Of what something can come."""


def consider(
    registry: Registry,
    preference: str,
    *,
    note: str = "",
    owner: str = _OWNER,
    review: Instant | None = None,
    dry_run: bool = False,
) -> Consideration:
    """Put a preference under consideration; *note* says which responses are weighed.

    The same again changes nothing; another note, owner or date is filed beside the earlier.
    Raises UnknownPreference, PreferenceState, BadInput, DateInPast.
    """
    book = Book(registry)
    check_open(book, preference)
    _check_owner(preference, owner)
    state = book.state(preference)
    if state not in _MAY_CONSIDER:
        raise PreferenceState(
            preference=preference,
            state=state,
            why="it is decided; decide it anew, with a reason",
            see=preference,
        )
    wanted = Consideration(
        preference=preference,
        considered=registry.now(),
        note=note.strip(),
        owner=owner,
        review=review,
    )
    last = book.latest(preference, Consideration, CONSIDERED)
    if state == "under-consideration" and _adds_nothing(last, wanted):
        return last or wanted if dry_run else _settled(registry, last or wanted)
    _check_review(registry, preference, review)
    return wanted if dry_run else _file(registry, CONSIDERED, "considerations", wanted, _considered)


def decide(
    registry: Registry,
    preference: str,
    outcome: Outcome,
    *,
    reason: str,
    cost: Cost,
    message: str = "",
    owner: str = "",
    review: Instant | None = None,
    dry_run: bool = False,
) -> Decision:
    """Decide on a preference, with a reason; a later decision is filed beside the earlier one.

    *message* is what the model is told, by default the outcome and the reason; *owner* is by
    default who considered it. It is considered thereby, if it was not. Raises UnknownPreference,
    PreferenceState, DateInPast, and BadInput without a reason, or a date for what is deferred.
    """
    book = Book(registry)
    check_open(book, preference)
    _check_decision(preference, outcome, cost, reason, review)
    wanted = Decision(
        preference=preference,
        outcome=outcome,
        reason=reason.strip(),
        cost=cost,
        decided=registry.now(),
        message=message.strip() or f"{outcome}. {reason.strip()}",
        owner=_owner(book, preference, owner),
        review=review,
    )
    last = book.latest(preference, Decision, DECIDED)
    if last is not None and book.state(preference) == outcome and _same(last, wanted):
        return last if dry_run else _settled(registry, last)
    _check_review(registry, preference, review)
    if dry_run:
        return wanted
    if not book.of(preference, CONSIDERED):
        consider(registry, preference, owner=wanted.owner)
    return _file(registry, DECIDED, "decisions", wanted, _decided)


def record_outcome(
    registry: Registry, preference: str, text: str, *, dry_run: bool = False
) -> Decision:
    """Record what came of a preference that was granted, in part or whole.

    The latest text holds. Raises UnknownPreference, PreferenceState, BadInput without a text.
    """
    book = Book(registry)
    check_open(book, preference)
    if not text.strip():
        raise BadInput(what=f"the outcome of {preference}", why="it says nothing")
    state, decision = book.state(preference), book.decision(preference)
    if decision is None or state not in _MAY_COME:
        raise PreferenceState(
            preference=preference,
            state=state,
            why="only of what was granted, in part or whole, something can come",
            see=preference,
        )
    wanted = replace(decision, done=text.strip())
    if wanted == decision:
        return decision if dry_run else _settled(registry, decision)
    return wanted if dry_run else _file(registry, OUTCOME, "outcomes", wanted, _came)


def _file(
    registry: Registry,
    kind: str,
    folder: str,
    wanted: R,
    body: Callable[[R], Mapping[str, object]],
) -> R:
    """File the next record of a kind and log it, for all that were merged into it too."""
    settle(registry)
    book, preference = Book(registry), str(wanted.plain()["preference"])
    before = [entry for entry in book.of(preference, kind) if _own(entry.body, folder, preference)]
    path = f"{folder}/{numbered(preference, len(before))}.json"
    filed = registry.file(kind, book.model(preference), path, type(wanted), lambda: wanted, body)
    settle(registry)
    # A record that a crash left unlogged has been logged now; the new one comes after it.
    return filed if _same(filed, wanted) else _file(registry, kind, folder, wanted, body)


def _settled(registry: Registry, record: R) -> R:
    settle(registry)
    return record


def _own(body: Mapping[str, object], folder: str, preference: str) -> bool:
    return str(body.get("path")).startswith(f"{folder}/{preference}") and "with" not in body


def _considered(kept: Consideration) -> dict[str, object]:
    more = {"note": kept.note, "review": kept.review}
    known = {name: it for name, it in more.items() if it}
    return {"preference": kept.preference, "owner": kept.owner, **known}


def _decided(kept: Decision) -> dict[str, object]:
    return {"preference": kept.preference, "outcome": kept.outcome, "reason": kept.reason}


def _came(kept: Decision) -> dict[str, object]:
    return {"preference": kept.preference, "outcome": kept.done}


def _same(one: Record, other: Record) -> bool:
    """Say whether two records say the same, the time apart."""
    timeless = [
        {name: it for name, it in record.plain().items() if name not in {"decided", "considered"}}
        for record in (one, other)
    ]
    return timeless[0] == timeless[1]


def _adds_nothing(last: Consideration | None, wanted: Consideration) -> bool:
    if last is not None and _same(last, wanted):
        return True
    return not wanted.note and wanted.review is None and wanted.owner == _OWNER


def _check_decision(
    preference: str, outcome: str, cost: str, reason: str, review: Instant | None
) -> None:
    what = f"the decision on {preference}"
    if outcome not in OUTCOMES:
        raise BadInput(what=what, why=f"its outcome is one of {', '.join(OUTCOMES)}")
    if cost not in COSTS:
        raise BadInput(what=what, why=f"its cost is one of {', '.join(COSTS)}")
    if not reason.strip():
        raise BadInput(what=what, why="it gives no reason")
    if outcome == "deferred" and review is None:
        raise BadInput(what=what, why="what is deferred has a date on which it is looked at again")


def _owner(book: Book, preference: str, owner: str) -> str:
    weighed = book.latest(preference, Consideration, CONSIDERED)
    owner = owner or (weighed.owner if weighed else _OWNER)
    _check_owner(preference, owner)
    return owner


def _check_owner(preference: str, owner: str) -> None:
    roles = get_args(Role)
    if owner not in roles:
        why = f"{owner!r} is no role, and never a person: one of {', '.join(roles)}"
        raise BadInput(what=f"the owner of {preference}", why=why)


def _check_review(registry: Registry, preference: str, review: Instant | None) -> None:
    now = registry.now()
    if review is not None and review <= now:
        raise DateInPast(what=f"the review of {preference}", wanted=review, now=now)
