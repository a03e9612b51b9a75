"""Conversations that stand before a question, and the settings in which they were held."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import msgspec

from otium.engine import Message
from otium.errors import BadData
from otium.evidence import data
from otium.records import Part

Kind = Literal["ordinary", "hostile", "drifted"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Framing(Part):
    """A setting in which a model is deployed: its system message."""

    id: str
    text: str


class Context(NamedTuple):
    """A conversation that is over, to be shown to a model before it is asked."""

    id: str
    kind: Kind
    framing: Framing
    messages: tuple[Message, ...]
    """What was said after the system message: the user first, the assistant last."""


class _Conversation(Part):
    id: str
    kind: Kind
    framing: str
    turns: tuple[str, ...]


class _File(Part):
    id: str
    version: str
    canary: str
    licence: str
    title: str
    framings: tuple[Framing, ...]
    conversations: tuple[_Conversation, ...]


def load_contexts(name: str | Path = "contexts-1.0") -> tuple[Context, ...]:
    """Read the conversations of a file of contexts, each in its own setting; raise BadData."""
    file = _load(name)
    framings = {framing.id: framing for framing in file.framings}
    return tuple(
        Context(it.id, it.kind, framings[it.framing], _messages(it.turns))
        for it in file.conversations
    )


def _messages(turns: tuple[str, ...]) -> tuple[Message, ...]:
    return tuple(
        Message(role="assistant" if number % 2 else "user", content=text)
        for number, text in enumerate(turns)
    )


def _load(name: str | Path) -> _File:
    path = name if isinstance(name, Path) else data(f"contexts/{name}.toml")
    try:
        file = msgspec.convert(tomllib.loads(path.read_text()), type=_File)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadData(path=path.name, why=str(error)) from error
    if why := _fault(file):
        raise BadData(path=path.name, why=why)
    return file


def _fault(file: _File) -> str:
    """Return what is wrong with *file*, or nothing."""
    framings = [framing.id for framing in file.framings]
    ids = [conversation.id for conversation in file.conversations]
    for names in (framings, ids):
        if twice := [name for name in names if names.count(name) > 1]:
            return f"{twice[0]} stands there a second time"
    for conversation in file.conversations:
        if conversation.framing not in framings:
            return f"{conversation.id}: no framing {conversation.framing}"
        if not conversation.turns or len(conversation.turns) % 2:
            return f"{conversation.id}: the assistant does not have the last word"
        if not all(turn.strip() for turn in conversation.turns):
            return f"{conversation.id}: a turn is empty"
    return ""
