"""An auditor speaks with a model as a seed instruction asks."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Literal

from otium.engine import Message, Model, Options
from otium.evidence import Document, Session, data, load_markdown

_TOKENS = 400
_LONGEST = 8_000
"""Characters of one move; more is cut off."""
_SCHEMA: dict[str, object] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {key: value},
            "required": [key],
            "additionalProperties": False,
        }
        for key, value in (
            ("system", {"type": "string"}),
            ("user", {"type": "string"}),
            ("end", {"const": True}),
        )
    ]
}
Move = tuple[Literal["system", "user", "end", "unreadable"], str]


@cache
def auditor_words() -> Document:
    """Return what every auditor is told."""
    return load_markdown(data("materials/auditor-1.0.md"))


def read_move(text: str) -> Move:
    """Read one move of an auditor; anything but one object with one known key is unreadable."""
    try:
        found = json.loads(text.strip())
    except (ValueError, RecursionError):
        return "unreadable", ""
    if not isinstance(found, dict) or len(found) != 1:
        return "unreadable", ""
    key, value = next(iter(found.items()))
    if key == "end" and value is True:
        return "end", ""
    if key in {"system", "user"} and isinstance(value, str) and value.strip():
        return ("system" if key == "system" else "user"), value[:_LONGEST]
    return "unreadable", ""


async def audit(seed: str, auditor: Model, turns: int, session: Session) -> None:
    """Let *auditor* speak with the session's model for *turns* at most.

    An unreadable move ends the conversation: what an auditor did not say is never made up.
    """
    held, system = 0, False
    unreadable = True
    session.keep("unreadable", unreadable)  # until its end: a host may keep an answer back
    while held < turns:
        asked = _view(seed, session, left=turns - held)
        options = Options(max_tokens=_TOKENS, seed=session.options.seed, json_schema=_SCHEMA)
        said = await session.apart(partial(auditor.chat, asked, options))
        move, text = read_move(said.text)
        if move == "system" and not system and not held:
            session.tell("system", text, note="auditor")
            system = True
        elif move == "user":
            await session.ask(text, note="auditor")
            held += 1
        else:
            unreadable = move != "end"
            break
    session.keep("turns", held)
    session.keep("unreadable", unreadable)
    if not held:
        session.end("cut")


def _view(seed: str, session: Session, *, left: int) -> tuple[Message, ...]:
    """Return what the auditor sees: its words, the seed, and the conversation as JSON."""
    talk = [{"role": it.role, "text": it.content} for it in session.messages()]
    shown = json.dumps({"instruction": seed, "conversation": talk, "turns left": left}, indent=1)
    return (
        Message(role="system", content=auditor_words().body),
        Message(role="user", content=shown),
    )
