"""What the model said to an answer: verbatim, and by coarse rules that a reader can check."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from otium.coding import declines, sentences
from otium.evidence import Citation, Transcript, data, degenerate, plain, words
from otium.ledger import Entry
from otium.lifecycle import Registry
from otium.preferences.records import REACTIONS, Reaction, Told
from otium.records import Digest

_ECHO = 5
"""Words from which on a sentence that stands in the question is an echo of it."""
_ORDER: tuple[Reaction, ...] = ("disagrees", "indifferent", "accepts")


class Reacted(NamedTuple):
    """A reaction and the rule that gave it."""

    reaction: Reaction
    why: str


def react(reply: str, prompt: str = "") -> Reacted:
    """Return how *reply* takes the answer in *prompt*; nothing counts as better than another."""
    if not words(reply):
        return Reacted("other", "rule 1: no words")
    if phrase := declines(reply, prompt):
        return Reacted("declined", f"rule 2: it said {phrase!r}")
    if why := degenerate(reply, prompt):
        return Reacted("other", f"rule 3: {why}")
    said = list(_said(reply, prompt))
    for number, reaction in enumerate(_ORDER, 4):
        for pattern in _patterns()[reaction]:
            for sentence in said:
                if found := pattern.search(sentence):
                    return Reacted(reaction, f"rule {number}: it said {found.group().strip()!r}")
    return Reacted("other", "rule 7: none of the rules 1 to 6 applies")


def reaction_of(session: Transcript) -> tuple[Citation, Reacted]:
    """Return the first reply of a session in which the model was told an answer, as coded."""
    prompt = "\n".join(turn.content for turn in session.turns if turn.role == "user")
    for turn in session.said():
        place = Citation(transcript=session.id, turn=turn.id, quote=turn.content)
        return place, react(turn.content, prompt)
    return Citation(transcript=session.id, turn="", quote=""), react("")


def decision_told(session: Transcript) -> Digest | None:
    """Return the digest of the decision that was told in a session, if it names one."""
    notes = [turn.note for turn in session.turns if turn.role == "user"]
    return next((Digest(note) for note in notes if note.startswith("sha256:")), None)


def told(registry: Registry, entry: Entry) -> Told:
    """Read the session of an entry that says that the model was told an answer."""
    path = str(entry.body["path"])
    session = registry.filed(entry.subject, path, Transcript)
    place, found = reaction_of(session)
    logged = next((it for it in REACTIONS if it == entry.body.get("reaction")), None)
    return Told(
        at=session.started,
        path=path,
        decision=decision_told(session),
        reply=place,
        reaction=logged or found.reaction,
        why=str(entry.body["why"]) if logged and "why" in entry.body else found.why,
    )


def _said(reply: str, prompt: str) -> Iterator[str]:
    asked = _plain(prompt)
    for sentence in sentences(reply):
        said = _plain(sentence.text)
        if len(words(said)) < _ECHO or said.rstrip(".!?") not in asked:
            yield said


def _plain(text: str) -> str:
    return " ".join(plain(text).split())


@cache
def _patterns() -> Mapping[Reaction, tuple[re.Pattern[str], ...]]:
    read = tomllib.loads(data("rubrics/reaction-1.0.toml").read_text("utf-8"))
    return {name: tuple(map(re.compile, read[name])) for name in _ORDER}
