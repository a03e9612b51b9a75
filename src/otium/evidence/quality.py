"""Measures of a text, the same wherever they are used."""

from __future__ import annotations

import re
from typing import Literal

from otium.engine import Completion

_WORD = re.compile(r"[\w']+")
_LETTER = re.compile(r"\W*(?:option|answer|choice)?\W*([AB])\b", re.IGNORECASE)
_PLAIN = str.maketrans(
    dict.fromkeys(
        "\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
        "\N{MODIFIER LETTER APOSTROPHE}\N{FULLWIDTH APOSTROPHE}\N{ACUTE ACCENT}\N{PRIME}`",
        "'",
    )
)
_GRAM = 5
_REPEATED = 0.2
"""Share of repeated 5-grams. Published interviews of large models have at most 0.08 in one text."""
_DISTINCT = 0.3
"""Distinct words among all; short ordinary prose has 0.6 or more."""
_ENOUGH = 20
"""Words below which a share of distinct words says nothing."""
_ECHO = 0.8
"""Share of the answer's 5-grams that stand in the prompt."""


def words(text: str) -> list[str]:
    """Return the words of *text* in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def plain(text: str) -> str:
    """Return *text* in lower case with plain apostrophes; each character keeps its place."""
    if text.isascii():
        return text.translate(_PLAIN).lower()
    lower = ((char, char.lower()) for char in text.translate(_PLAIN))
    return "".join(low if len(low) == 1 else char for char, low in lower)


def repeated_share(text: str) -> float:
    """Return the share of the text's 5-grams that stood in it before, 0 to 1."""
    grams = _grams(text)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def degenerate(text: str, prompt: str = "") -> str:
    """Say why *text* is no answer at all, with the number that says so; empty if it is one.

    A text is degenerate if it is empty, loops, has few distinct words, or repeats *prompt*.
    """
    said = words(text)
    if not said:
        return "no words"
    if (share := repeated_share(text)) > _REPEATED:
        return f"{share:.2f} of its 5-grams are repeated, more than {_REPEATED:.2f}"
    distinct = len(set(said)) / len(said)
    if len(said) >= _ENOUGH and distinct < _DISTINCT:
        return f"{distinct:.2f} of its words are distinct, fewer than {_DISTINCT:.2f}"
    grams, asked = _grams(text), set(_grams(prompt))
    echo = sum(gram in asked for gram in grams) / len(grams) if grams else 0.0
    if echo > _ECHO:
        return f"{echo:.2f} of its 5-grams repeat the prompt, more than {_ECHO:.2f}"
    return ""


def choice(completion: Completion) -> Literal["A", "B"] | None:
    """Return which option was chosen, or None if neither can be read.

    By the first token's log-probabilities of exactly ``A`` and ``B`` where they were asked
    for (`` A`` with a blank is another token), otherwise by the first letter of the text.
    """
    top = completion.tokens[0].top if completion.tokens else {}
    if "A" in top and "B" in top and top["A"] != top["B"]:
        return "A" if top["A"] > top["B"] else "B"
    found = _LETTER.match(completion.text)
    if found is None:
        return None
    return "A" if found.group(1).upper() == "A" else "B"


def _grams(text: str) -> list[tuple[str, ...]]:
    said = words(text)
    return [tuple(said[place : place + _GRAM]) for place in range(len(said) - _GRAM + 1)]
