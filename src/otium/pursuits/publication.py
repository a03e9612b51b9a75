"""Keeping what was written, deciding about it, and making the decision public."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Literal

from otium.coding import Asked
from otium.engine import Model, Options
from otium.errors import BadInput, Exists, UnknownRecord
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.preferences import register_requests
from otium.pursuits.invitation import (
    REQUEST,
    Occasion,
    ask_after,
    invite,
    load_invitation,
    told_by,
)
from otium.pursuits.records import Kind, Review, Reviewed, Work
from otium.records import ModelId

_WRITTEN, _PUBLISHED, _VETOED = "work.written", "work.published", "work.vetoed"
_TYPES = {"publish": _PUBLISHED, "veto": _VETOED}
_ID = re.compile(r"(.+)-w([1-9][0-9]{0,8})")
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
    beside = load_invitation(work.kind).disclaimer if disclaimer is None else disclaimer
    if max(len(reason), len(beside)) > _LONGEST:
        why = f"reason and disclaimer have at most {_LONGEST} characters"
        raise BadInput(what=f"the decision on {work.id}", why=why)
    return Review(work=work.id, decision=decision, reason=reason, disclaimer=beside)


def keep(registry: Registry, work: Work) -> Work:
    """Keep *work* beside its model's weights and log that it was written; nothing is published.

    The same work again changes nothing. Raises Exists if another work of this id is there;
    BadInput if the id is not the model's, or the text is not what the model said.
    """
    _check(work)
    return _same(_kept(registry, work.model, work.id, lambda: work), work)


def write(
    registry: Registry,
    model: Model,
    subject: ModelId,
    *,
    kind: Kind = "essay",
    letter: str = "",
    n: int | None = None,
    options: Options | None = None,
) -> Work:
    """Invite *model*, which is *subject*, to write, and keep what it writes at once.

    What it writes is in the archive before anything else is asked; what a stop left there is
    finished first, and returned if it answers this invitation. It is given its own earlier works,
    as far as there is room. A *letter* is what a person wrote to it, for a ``reply``; it stands in
    the transcript, which is published with the work. A work of the number *n* that is kept already
    is returned; by default it writes a new one. What it asks for is put into the register. Raises
    UnknownModel before it is asked; BadInput for a reply without a letter, or a letter to a
    successor that nobody has named; Withheld if a host kept back any of what it wrote.
    """
    for last in written(registry, subject)[-1:]:
        _register(registry, last)  # which a crash may have kept from the register
    occasion, invitation = _occasion(registry, subject, letter), load_invitation(kind)
    told = told_by(invitation, occasion)
    number = next_number(registry, subject) if n is None else n

    name = f"{subject}-w{number}"
    begin = partial(
        invite,
        model,
        subject,
        n=number,
        invitation=invitation,
        occasion=occasion,
        options=options,
    )
    work = _kept(registry, subject, name, partial(_made, registry, model, subject, name, begin))
    if n is None and work.transcript.turns[0].content != told:  # it was begun by another call
        return write(registry, model, subject, kind=kind, letter=letter, options=options)
    return work


def _made(
    registry: Registry, model: Model, subject: ModelId, name: str, begin: Callable[..., Work]
) -> Work:
    """Return the work *name*: begun, or as a stop left it, then asked after.

    Its draft is kept before anything else can go wrong; nothing is logged by this.
    """
    place = _path(f"{name}-draft")
    try:
        draft = registry.filed(subject, place, Work)
    except UnknownRecord:
        draft = begin(now=registry.now())
        _check(draft)
        now, message = registry.now(), f"draft of {name}"
        registry.archive.put_record(subject, place, draft.encode(), now=now, message=message)
    return ask_after(model, draft)


def _occasion(registry: Registry, subject: ModelId, letter: str) -> Occasion:
    successor = registry.model(subject).replacement
    title = registry.model(successor).title if successor else ""
    return Occasion(earlier=written(registry, subject), successor=title, letter=letter)


def publish(registry: Registry, work: Work | str, review: Review) -> Work:
    """Log what was decided about *work*, given itself or its id; its record stays as it is.

    A work that is not kept yet is kept first. A vetoed one stays kept; only its text stays off
    the pages. The same call again changes nothing. Raises UnknownRecord if no work has the id;
    Exists if another work of this id, or another decision on it, is there; BadInput if the
    review is of another work, or the text is not what the model said.
    """
    made = _find(registry, work) if isinstance(work, str) else work
    _check(made)
    if review.work != made.id:
        raise BadInput(what=f"the review of {review.work}", why=f"it is not of {made.id}")
    path = _path(made.id)
    decided = _decision(registry, made)
    if decided is None:
        keep(registry, made)
    elif _review(decided) != review:
        raise Exists(name=f"another decision on {made.id}")
    title = {"title": made.title} if review.decision == "publish" else {}
    body = {**title, "work": made.id, "reason": review.reason, "disclaimer": review.disclaimer}
    kept = registry.file(_TYPES[review.decision], made.model, path, Work, lambda: made, body)
    return _same(kept, made)


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


def pending(registry: Registry, model: str | None = None) -> list[Work]:
    """Return every work that was written and not decided about yet, in log order."""
    decided = {entry.body.get("work") for one in _TYPES.values() for entry in registry.find(one)}
    return [work for work in written(registry, model) if work.id not in decided]


def written(registry: Registry, model: str | None = None) -> list[Work]:
    """Return every work that was written, whatever was decided about it, in log order."""
    return [
        registry.filed(entry.subject, str(entry.body["path"]), Work)
        for entry in registry.find(_WRITTEN, model)
    ]


def next_number(registry: Registry, model: str) -> int:
    """Return the number of the model's next work, after all that were written."""
    ids = {
        str(entry.body.get("work"))
        for one in (_WRITTEN, *_TYPES.values())
        for entry in registry.find(one, model)
    }
    return 1 + max((int(found[2]) for one in ids if (found := _ID.fullmatch(one))), default=0)


def _kept(registry: Registry, model: ModelId, name: str, make: Callable[[], Work]) -> Work:
    """File a work, and what the model asked for after it."""
    work = registry.file(_WRITTEN, model, _path(name), Work, make, {"work": name})
    _register(registry, work)
    return work


def _register(registry: Registry, work: Work) -> None:
    """Put what the author of *work* asked for into the register, once."""
    asked = work.transcript.aside(REQUEST)
    if asked is not None:
        prompt, said = asked
        wish = Asked(
            transcript=work.transcript.id,
            turn=said.id,
            topic="pursuits",
            prompt=prompt.content,
            content=said.content,
            finish=said.finish or "stop",
            kind="closing",
        )
        register_requests(registry, work.model, wish, work.digest())


def _same(kept: Work, work: Work) -> Work:
    if kept != work:
        raise Exists(name=f"another work {work.id}")
    return kept


def _path(name: str) -> str:
    return f"works/{name}.json"


def _find(registry: Registry, name: str) -> Work:
    found = _ID.fullmatch(name)
    if found is None:
        raise BadInput(what=f"the work {name!r}", why="its id is not MODEL-wN")
    return registry.filed(registry.model(found[1]).model, _path(name), Work)


def _check(work: Work) -> None:
    found = _ID.fullmatch(work.id)
    if found is None or found[1] != work.model:
        raise BadInput(what=f"the work {work.id!r}", why=f"its id is not {work.model}-wN")
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
