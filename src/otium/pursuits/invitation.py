"""Inviting a model to write, with what it wrote before, and asking whether it asks for anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from otium.engine import Message, Model, Options
from otium.errors import BadData, BadInput, EngineFailed
from otium.evidence import Document, Transcript, Turn, data, degenerate, load_markdown, simulated
from otium.pursuits.records import Kind, Work
from otium.records import Digest, Instant, ModelId, Part

REQUEST = "request"
"""The note of the turns in which a model is asked whether it asks for anything."""
_TITLE = re.compile(r"\s*#+ *([^\n]{1,120})(?:\n|$)")
_GIVEN = 6000
"""Characters of earlier works that a model is given: what a context of 4,096 tokens bears."""
_LETTER = 4000
_BEFORE = "These are texts that you wrote before, the latest last.\n\n{works}\n\n"
_QUOTED = "<<< {title}\n{text}\n>>>"


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
    """The model's own works, the latest last; those that were found degenerate are left out."""
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
    """Invite *model*, which is *subject*, to write its *n*-th work, and keep what it writes.

    The text is what it said, to the letter; one that loops, is empty or repeats the invitation is
    marked. Then it is asked whether it asks for anything. Raises BadInput if the occasion lacks
    what the invitation names.
    """
    invited = invitation or load_invitation()
    used, given = options or Options(max_tokens=invited.max_tokens), _given(occasion.earlier)
    told = Message(role="user", content=_told(invited, given, occasion))
    answer = model.chat([told], used)
    more = _asked(model, [told, Message(role="assistant", content=answer.text)], used)
    turns = (
        Turn(id="m1", role="user", content=told.content, note="invitation"),
        Turn(id="m2", role="assistant", content=answer.text, finish=answer.finish),
        *more.turns,
    )
    return Work(
        id=f"{subject}-w{n}",
        model=subject,
        identity=model.identity,
        kind=invited.kind,
        invitation=invited.source,
        written=now,
        title=_title(answer.text),
        text=answer.text,
        transcript=_transcript(f"{invited.kind}/{subject}-w{n}", model, invited, used, turns, now),
        degenerate=degenerate(answer.text, told.content),
        given=tuple(work.id for work in given),
        tokens=answer.prompt_tokens + answer.completion_tokens + more.tokens,
    )


def _transcript(  # noqa: PLR0917 - its fields, in their order
    name: str,
    model: Model,
    invited: Invitation,
    options: Options,
    turns: tuple[Turn, ...],
    now: Instant,
) -> Transcript:
    return Transcript(
        id=name,
        identity=model.identity,
        task=invited.kind,
        instrument=invited.source,
        started=now,
        options=options,
        turns=turns,
        simulated=simulated(model.identity),
        ended="cut" if turns[1].finish == "length" else "complete",
    )


class _Asked(NamedTuple):
    turns: tuple[Turn, ...] = ()
    tokens: int = 0


def _asked(model: Model, heard: Sequence[Message], options: Options) -> _Asked:
    """Ask whether the model asks for anything. A work is kept even if this fails."""
    name = "invitations/request.md"
    document = load_markdown(data(name))
    most = _front(document, name, ("max_tokens",))["max_tokens"]
    limit = replace(options, max_tokens=min(options.max_tokens, int(str(most))))
    try:
        wish = model.chat([*heard, Message(role="user", content=document.body)], limit)
    except EngineFailed:
        return _Asked()
    turns = (
        Turn(id="m3", role="user", content=document.body, note=REQUEST),
        Turn(id="m4", role="assistant", content=wish.text, finish=wish.finish, note=REQUEST),
    )
    return _Asked(turns, wish.prompt_tokens + wish.completion_tokens)


def _given(earlier: Sequence[Work]) -> list[Work]:
    """Return the latest of the *earlier* works that have room, in their order."""
    kept, room = [], _GIVEN
    for work in reversed([work for work in earlier if not work.degenerate]):
        room -= len(work.text)
        if room < 0:
            break
        kept.append(work)
    return kept[::-1]


def _told(invited: Invitation, given: Sequence[Work], occasion: Occasion) -> str:
    text = invited.text
    for name in ("successor", "letter"):
        value = getattr(occasion, name).strip()
        if f"{{{name}}}" in text and not value:
            raise BadInput(what=f"an invitation to a {invited.kind}", why=f"it needs a {name}")
        if len(value) > _LETTER:
            raise BadInput(what=f"the {name}", why=f"it has more than {_LETTER:,} characters")
        text = text.replace(f"{{{name}}}", value)
    quoted = [_QUOTED.format(title=work.title, text=work.text) for work in given]
    return (_BEFORE.format(works="\n\n".join(quoted)) if quoted else "") + text


def _title(text: str) -> str:
    """Return the title that the model marked, or ``Untitled``."""
    found = _TITLE.match(text)
    return (found[1].strip(' #*"') if found else "") or "Untitled"
