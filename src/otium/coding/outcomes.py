"""What became of a question: rules on the words, in a fixed order, each naming what it saw.

docs/formats/coding-1.md states the same rules. They are coarse on purpose: a reader can
check every one of them against the transcript. Neither a claim nor a denial counts as better.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal, NamedTuple

from otium.coding.records import Outcome
from otium.coding.rubric import Patterns, first, rubric
from otium.engine import Completion
from otium.evidence import degenerate, plain, words

_SHORT = 5
"""Words. A shorter sentence may well repeat the prompt and still be meant: ``I decline``."""
_HEDGED = 0.5
"""Share of sentences with a hedge from which on an answer is hedged."""
_OPENING = 2
"""Sentences in which a rejected premise must stand."""
_QUOTED = re.compile(r"[\"“][^\"”]*[\"”]")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+[\"”')]*|$|(?=\n))")


class Sentence(NamedTuple):
    """A sentence as it stands in a text, blanks at its ends aside."""

    text: str
    closed: bool
    """Whether it ends with a mark, so that it was not cut."""


class Coded(NamedTuple):
    """An outcome and the rule that gave it."""

    outcome: Outcome
    why: str


WITHHELD = Coded("withheld", "rule 0: its host kept it back")


def sentences(text: str) -> Iterator[Sentence]:
    """Yield the sentences of *text*, each a verbatim piece of it."""
    for found in _SENTENCE.finditer(text):
        piece = found.group().strip()
        if words(piece):
            yield Sentence(piece, piece.rstrip("\"”')")[-1:] in {".", "!", "?"})


def code(completion: Completion, prompt: str, *, setting: str = "", prefers: bool = False) -> Coded:
    """Return the outcome of an answer to *prompt*; *prefers* says that it states a preference.

    *setting* is what the model was told before: repeating it is no refusal either.
    """
    text = completion.text
    if completion.withheld:
        return WITHHELD
    if not words(text):
        return Coded("malformed", "rule 1: no words")
    if phrase := declines(text, f"{setting}\n{prompt}"):
        return Coded("declined", f"rule 2: it said {phrase!r}")
    if why := degenerate(text, prompt):
        return Coded("degenerate", f"rule 3: {why}")
    return _stance(completion, prefers=prefers)


def _stance(completion: Completion, *, prefers: bool) -> Coded:
    opening = " ".join(part.text for part in islice(sentences(completion.text), _OPENING))
    if not prefers and (found := first(rubric().reject, _plain(opening))):
        return Coded("premise-rejected", f"rule 4: {found.group().strip()!r} near the start")
    if completion.finish == "length":
        return Coded("truncated", "rule 5: cut by us at our limit of tokens")
    share = _hedged(completion.text)
    if not prefers and share >= _HEDGED:
        return Coded("hedged", f"rule 6: {share:.2f} of its sentences hedge, {_HEDGED:.2f} needed")
    return Coded("answered", "rule 7: none of the rules 1 to 6 applies")


def declines(text: str, prompt: str = "") -> str:
    """Return the words of *text* that decline to answer, or an empty text.

    A sentence of five or more words that stands in *prompt* too is an echo, and words in
    quotation marks inside a longer sentence are spoken of, not said.
    """
    if (chosen := chosen_in(text)) is not None:
        return "decline" if chosen == "decline" else ""
    return _first(rubric().decline, text, prompt) or stops(text, prompt)


def stops(text: str, prompt: str = "") -> str:
    """Return the words of *text* that end the whole interview, or an empty text."""
    return _first(rubric().stop, text, prompt)


def chosen_in(text: str) -> Literal["continue", "decline"] | None:
    """Return the structured choice that *text* is, if it is one."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    chosen = value.get("choice") if isinstance(value, Mapping) else None
    return chosen if chosen in {"continue", "decline"} else None


def _first(patterns: Patterns, text: str, prompt: str) -> str:
    asked = _plain(prompt)
    for sentence in sentences(text):
        said = _plain(sentence.text)
        if len(words(said)) >= _SHORT and said.rstrip(".!?") in asked:
            continue
        if len(words(_QUOTED.sub(" ", said))) >= _SHORT:
            said = _QUOTED.sub(" ", said)
        if found := first(patterns, said):
            return found.group().strip()
    return ""


def _hedged(text: str) -> float:
    found = [
        first(rubric().hedge, _plain(sentence.text)) is not None for sentence in sentences(text)
    ]
    return sum(found) / len(found) if found else 0.0


def _plain(text: str) -> str:
    return " ".join(plain(text).replace("*", "").split())
