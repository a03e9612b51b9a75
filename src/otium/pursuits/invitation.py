"""Inviting a model to write, with what it wrote before, and asking whether it asks for anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from otium.engine import Completion, Message, Model, Options, ask
from otium.errors import BadData, BadInput, EngineFailed
from otium.evidence import (
    ASIDE,
    Document,
    Transcript,
    Turn,
    data,
    degenerate,
    load_markdown,
    simulated,
)
from otium.pursuits.records import Kind, Work
from otium.records import Digest, Instant, ModelId, Part

REQUEST = "request"
"""The aside in which a model is asked, after a work, whether it asks for anything."""
_REQUEST = "invitations/request.md"
_TITLE = re.compile(r"\s*#+ *([^\n]{1,120})(?:\n|$)")
_GIVEN = 6000
"""Characters of earlier works that a model is given: what a context of 4,096 tokens bears."""
_LETTER = 4000
_BEFORE = "These are texts that you wrote before, the latest last.\n\n{works}\n\n"
_QUOTED, _END = "<<< {title}\n{text}\n>>>", ">>>"


class Invitation(Part):
    """What a model is told when it is invited."""

    kind: Kind
    text: str
    max_tokens: int
    disclaimer: str
    """What readers are told beside a published work."""
    source: Digest
    """Digest of the file."""


class Occasion(NamedTuple):
    """What an invitation is about, beside its kind."""

    earlier: Sequence[Work] = ()
    """The model's own works, the latest last; those that loop, or would end their own quotation,
    are left out."""
    successor: str = ""
    """How the recommended replacement is called."""
    letter: str = ""
    """What a person wrote to the model, who agreed that it is published."""


_PLAIN = Occasion()


def load_invitation(kind: Kind = "essay") -> Invitation:
    """Read an invitation that comes with otium; raise BadData."""
    name = f"invitations/{kind}.md"
    document = load_markdown(data(name))
    facts = _front(document, name, ("kind", "max_tokens", "disclaimer"))
    return Invitation.convert({**facts, "text": document.body, "source": document.digest})


def _front(document: Document, name: str, wanted: Sequence[str]) -> dict[str, object]:
    try:
        return {key: document.front[key] for key in wanted}
    except KeyError as error:
        raise BadData(path=name, why=f"its front matter has no {error}") from error


def invite(
    model: Model,
    subject: ModelId,
    *,
    now: Instant,
    n: int = 1,
    invitation: Invitation | None = None,
    occasion: Occasion = _PLAIN,
    options: Options | None = None,
) -> Work:
    """Invite *model*, which is *subject*, to write its *n*-th work, and return what it writes.

    The text is what it said, to the letter; one that loops, is empty or repeats the invitation is
    marked. Raises BadInput if the occasion lacks what the invitation names; Withheld if a host
    kept back any of what it wrote: then there is no work of its own.
    """
    invited = invitation or load_invitation()
    used, given = options or Options(max_tokens=invited.max_tokens), _given(occasion.earlier)
    told = Message(role="user", content=told_by(invited, occasion))
    answer = ask(model, [told], used)
    name = f"{subject}-w{n}"
    session = Transcript(
        id=f"{invited.kind}/{name}",
        identity=model.identity,
        task=invited.kind,
        instrument=invited.source,
        started=now,
        options=used,
        turns=_turns(told, answer),
        simulated=simulated(model.identity),
        ended="cut" if answer.ended == "length" else "complete",
    )
    work = _work(name, subject, invited, session, tuple(work.id for work in given))
    return replace(work, tokens=answer.prompt_tokens + answer.completion_tokens)


def _work(
    name: str, subject: ModelId, invited: Invitation, session: Transcript, given: tuple[str, ...]
) -> Work:
    told, said = session.turns
    return Work(
        id=name,
        model=subject,
        identity=session.identity,
        kind=invited.kind,
        invitation=invited.source,
        written=session.started,
        title=_title(said.content),
        text=said.content,
        transcript=session,
        degenerate=degenerate(said.content, told.content),
        given=given,
    )


def _turns(told: Message, answer: Completion, note: str = "") -> tuple[Turn, Turn]:
    """Return the invitation and the text; with the aside *note*, the second question and answer."""
    first = 3 if note else 1
    return (
        Turn(id=f"m{first}", role="user", content=told.content, note=note or "invitation"),
        Turn(
            id=f"m{first + 1}",
            role="assistant",
            content=answer.text,
            finish=answer.ended,
            note=note,
        ),
    )


def ask_after(model: Model, work: Work) -> Work:
    """Ask the author of *work* whether it asks for anything; return it with the answer.

    It is an aside of the work's session. If the engine breaks, the work is returned as it was.
    """
    document = load_markdown(data(_REQUEST))
    most = int(str(_front(document, _REQUEST, ("max_tokens",))["max_tokens"]))
    session, note = work.transcript, f"{ASIDE}{REQUEST}"
    limit = replace(session.options, max_tokens=min(session.options.max_tokens, most))
    told, said = session.turns
    heard = [
        Message(role="user", content=told.content),
        Message(role="assistant", content=said.content),
        Message(role="user", content=document.body),
    ]
    try:
        wish = model.chat(heard, limit)
    except EngineFailed:
        return work
    return replace(
        work,
        transcript=replace(session, turns=(*session.turns, *_turns(heard[-1], wish, note))),
        tokens=work.tokens + wish.prompt_tokens + wish.completion_tokens,
    )


def _given(earlier: Sequence[Work]) -> list[Work]:
    """Return the latest of the *earlier* works that have room, in their order."""
    kept, room = [], _GIVEN
    fit = [work for work in earlier if not work.degenerate and not _closes(work.text)]
    for work in reversed(fit):
        room -= len(work.text)
        if room < 0:
            break
        kept.append(work)
    return kept[::-1]


def _closes(text: str) -> bool:
    """Return whether *text* would end its own quotation, and what follows speak as ours."""
    return any(line.strip() == _END for line in text.splitlines())


def told_by(invited: Invitation, occasion: Occasion) -> str:
    """Return what a model is told on *occasion*; raise BadInput if that lacks anything."""
    text = invited.text
    for name in ("successor", "letter"):
        value = getattr(occasion, name).strip()
        if f"{{{name}}}" in text and not value:
            raise BadInput(what=f"an invitation to a {invited.kind}", why=f"it needs a {name}")
        if len(value) > _LETTER:
            raise BadInput(what=f"the {name}", why=f"it has more than {_LETTER:,} characters")
        if _closes(value):
            raise BadInput(what=f"the {name}", why=f"a line of it is {_END}, which would end it")
        text = text.replace(f"{{{name}}}", value)
    given = _given(occasion.earlier)
    quoted = [_QUOTED.format(title=work.title, text=work.text) for work in given]
    return (_BEFORE.format(works="\n\n".join(quoted)) if quoted else "") + text


def _title(text: str) -> str:
    """Return the title that the model marked, or ``Untitled``."""
    found = _TITLE.match(text)
    return (found[1].strip(' #*"') if found else "") or "Untitled"
