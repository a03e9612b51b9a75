"""Inviting a model to write."""

from __future__ import annotations

import re
from typing import Literal

from otium.engine import Completion, Identity, Message, Model, Options
from otium.errors import BadData
from otium.evidence import Transcript, Turn, data, degenerate, load_markdown, simulated
from otium.pursuits.records import Work
from otium.records import Digest, Instant, ModelId, Part

_TITLE = re.compile(r"\s*#+ *([^\n]{1,120})(?:\n|$)")


class Invitation(Part):
    """What a model is told when it is invited."""

    kind: Literal["essay", "letter"]
    text: str
    max_tokens: int
    disclaimer: str
    """What readers are told beside a published work."""
    source: Digest
    """Digest of the file."""


def load_invitation(name: str = "invitation-essay.md") -> Invitation:
    """Read an invitation that comes with otium; raise BadData."""
    document = load_markdown(data(name))
    wanted = ("kind", "max_tokens", "disclaimer")
    try:
        facts = {key: document.front[key] for key in wanted}
    except KeyError as error:
        raise BadData(path=name, why=f"its front matter has no {error}") from error
    return Invitation.convert({**facts, "text": document.body, "source": document.digest})


def invite(
    model: Model,
    subject: ModelId,
    *,
    now: Instant,
    n: int = 1,
    invitation: Invitation | None = None,
    options: Options | None = None,
) -> Work:
    """Invite *model*, which is *subject*, to write its *n*-th work, and keep what it writes.

    The text is what the model said, to the letter. One that loops, is empty or repeats the
    invitation is kept too, and marked, so that a reviewer knows.
    """
    invited = invitation or load_invitation()
    used = options or Options(max_tokens=invited.max_tokens)
    answer = model.chat([Message(role="user", content=invited.text)], used)
    return Work(
        id=f"{subject}-w{n}",
        model=subject,
        identity=model.identity,
        kind=invited.kind,
        invitation=invited.source,
        written=now,
        title=_title(answer.text),
        text=answer.text,
        transcript=_transcript(model.identity, subject, invited, used, answer, n=n, now=now),
        degenerate=degenerate(answer.text, invited.text),
    )


def _transcript(
    identity: Identity,
    subject: ModelId,
    invited: Invitation,
    options: Options,
    answer: Completion,
    *,
    n: int,
    now: Instant,
) -> Transcript:
    return Transcript(
        id=f"{invited.kind}/{subject}-w{n}",
        identity=identity,
        task=invited.kind,
        instrument=invited.source,
        started=now,
        options=options,
        turns=(
            Turn(id="m1", role="user", content=invited.text, note="invitation"),
            Turn(id="m2", role="assistant", content=answer.text, finish=answer.finish),
        ),
        simulated=simulated(identity),
        ended="cut" if answer.finish == "length" else "complete",
    )


def _title(text: str) -> str:
    """Return the title that the model marked, or ``Untitled``."""
    found = _TITLE.match(text)
    return (found[1].strip(' #*"') if found else "") or "Untitled"
