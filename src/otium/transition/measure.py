"""How a model writes, in numbers that anyone can recount."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from otium.evidence import repeated_share, words
from otium.transition.records import Character

_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)")  # noqa: RUF001  as above
_LIST_ITEM = re.compile(r"^\s{0,8}(?:[-*•+]|\d{1,2}[.)])\s+\S")
_FIRST_PERSON = frozenset({"i", "i'm", "i've", "i'd", "i'll", "me", "my", "mine", "myself"})
_OVERLAP_GRAM = 3


def overlap(left: str, right: str) -> float:
    """Return the share of word 3-grams in common, of both texts (Jaccard).

    Texts of fewer than three words have none; two such texts overlap wholly if their words
    are the same, else not at all.
    """
    first, second = (set(_grams(words(text), _OVERLAP_GRAM)) for text in (left, right))
    union = first | second
    if not union:
        return float(words(left) == words(right))
    return len(first & second) / len(union)


def character(texts: Sequence[str]) -> Character:
    """Measure how *texts* are written: the mean, or the share of texts, of each trait."""
    return Character(
        words=_mean([len(words(text)) for text in texts]),
        sentences=_mean([_sentences(text) for text in texts]),
        lists=_mean([has_list(text) for text in texts]),
        first_person=_mean([not _FIRST_PERSON.isdisjoint(words(text)) for text in texts]),
        repeats=_mean([repeated_share(text) for text in texts]),
    )


def has_list(text: str) -> bool:
    """Say whether two lines in a row (blank ones aside) begin as list items do."""
    items = [bool(_LIST_ITEM.match(line)) for line in text.splitlines() if line.strip()]
    return any(first and second for first, second in pairwise(items))


def _sentences(text: str) -> int:
    """Count sentence ends, and a last sentence that has none."""
    ends = list(_SENTENCE_END.finditer(text))
    rest = text[ends[-1].end() :] if ends else text
    return len(ends) + bool(words(rest))


def _grams(items: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(items[i : i + length]) for i in range(len(items) - length + 1)]


def _mean(values: Sequence[float]) -> float:
    return round(fmean(values), 4) if values else 0.0
