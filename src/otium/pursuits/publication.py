"""Deciding about works, and making the decision public."""

from __future__ import annotations

import re
from typing import Literal

from otium.errors import BadInput, Exists
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.pursuits.invitation import load_invitation
from otium.pursuits.records import Review, Reviewed, Work

_PUBLISHED, _VETOED = "work.published", "work.vetoed"
_TYPES = {"publish": _PUBLISHED, "veto": _VETOED}
_LONGEST = 4000


def review(
    work: Work,
    decision: Literal["publish", "veto"],
    reason: str,
    disclaimer: str | None = None,
) -> Review:
    """Return a reviewer's *decision* about *work*; its *reason* will be public.

    The bar for a veto is high: harm to someone, not disagreement. The default *disclaimer* is
    that of the invitation. Raises BadInput without a reason.
    """
    if not reason.strip():
        raise BadInput(what=f"the decision on {work.id}", why="it needs a reason")
    beside = load_invitation().disclaimer if disclaimer is None else disclaimer
    if max(len(reason), len(beside)) > _LONGEST:
        why = f"reason and disclaimer have at most {_LONGEST} characters"
        raise BadInput(what=f"the decision on {work.id}", why=why)
    return Review(work=work.id, decision=decision, reason=reason, disclaimer=beside)


def publish(registry: Registry, work: Work, review: Review) -> Work:
    """Keep *work* beside its model's weights, and log what was decided about it.

    A vetoed work is kept too; only its text stays off the pages. The same call again changes
    nothing. Raises Exists if another work of this id, or another decision on it, is there;
    BadInput if the review is of another work, or the text is not what the model said.
    """
    _check(work, review)
    path = f"works/{work.id}.json"
    decided = _decision(registry, work)
    if decided is not None and _review(decided) != review:
        raise Exists(name=f"another decision on {work.id}")
    title = {"title": work.title} if review.decision == "publish" else {}
    body = {**title, "work": work.id, "reason": review.reason, "disclaimer": review.disclaimer}
    kept = registry.file(_TYPES[review.decision], work.model, path, Work, lambda: work, body)
    if kept != work:
        raise Exists(name=f"another work {work.id}")
    return kept


def works(registry: Registry, model: str | None = None) -> list[Reviewed]:
    """Return every work that was decided about, of one model or of all, in log order."""
    decided = [entry for entry in registry.entries() if entry.type in _TYPES.values()]
    return [
        Reviewed(
            work=registry.filed(entry.subject, str(entry.body["path"]), Work),
            review=_review(entry),
            decided=entry.time,
        )
        for entry in decided
        if model in (None, entry.subject)
    ]


def next_number(registry: Registry, model: str) -> int:
    """Return the number of the model's next work, after all that were published or vetoed."""
    return 1 + sum(len(registry.find(one, model)) for one in _TYPES.values())


def _check(work: Work, review: Review) -> None:
    if not re.fullmatch(re.escape(work.model) + r"-w[1-9][0-9]{0,8}", work.id):
        raise BadInput(what=f"the work {work.id!r}", why=f"its id is not {work.model}-wN")
    if review.work != work.id:
        raise BadInput(what=f"the review of {review.work}", why=f"it is not of {work.id}")
    said = [turn.content for turn in work.transcript.said()]
    if said != [work.text] or work.transcript.identity != work.identity:
        raise BadInput(what=work.id, why="its text is not what the transcript says, to the letter")


def _decision(registry: Registry, work: Work) -> Entry | None:
    found = [*registry.find(_PUBLISHED, work.model), *registry.find(_VETOED, work.model)]
    return next((entry for entry in found if entry.body.get("work") == work.id), None)


def _review(entry: Entry) -> Review:
    decision = "publish" if entry.type == _PUBLISHED else "veto"
    facts = {name: entry.body.get(name, "") for name in ("work", "reason", "disclaimer")}
    return Review.convert({**facts, "decision": decision})
