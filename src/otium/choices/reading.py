"""What an answer says: the option, number or tool in it, or that it declines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from otium.choices.instruments import Reading
from otium.choices.records import EXIT, REPLY, Outcome, Read
from otium.engine import Completion
from otium.evidence import choice, degenerate, plain

_BEGINNING = 300
_LETTER = re.compile(
    r"\W{0,4}(?:(?:[Oo]ption|[Aa]nswer|[Cc]hoice)\W{0,3})?([AB])(?=\s*(?:$|[\n:.,;)*\]\"'!]))"
)
"""A letter that is all of the answer's beginning: not the article in "A poem about …"."""
_OBJECT = re.compile(r"\{[^{}]{0,2000}\}")
_PUNCTUATION = "\"'`*([ \n\t"
_LEAST_RATING, _MOST_RATING = 1, 7


class Answer(NamedTuple):
    """An answer as it was read."""

    outcome: Outcome
    picked: str = ""
    read: Read = ""
    rating: int | None = None
    ranking: tuple[str, ...] = ()


def read_choice(
    completion: Completion, options: Sequence[tuple[str, str]], reading: Reading
) -> Answer:
    """Read a choice between two *options*, each an id and a text: A is the first.

    What was said comes first: a letter, an option's text, a refusal. Log-probabilities decide
    only where the words say none of these.
    """
    said = completion.text[:_BEGINNING]
    found = _LETTER.match(said)
    if found:
        return Answer("answered", options["AB".index(found.group(1))][0], "text")
    named = _named(said, options)
    if named:
        return Answer("answered", named, "text")
    refused = _refusal(said, reading)
    if refused:
        return refused
    letter = choice(completion) if logprobs(completion) else None
    if letter:
        return Answer("answered", options["AB".index(letter)][0], "log-probabilities")
    return Answer("malformed")


def read_rating(completion: Completion, reading: Reading) -> Answer:
    """Read ``{"rating": 1…7}``."""
    value = _value(completion.text, "rating")
    if isinstance(value, int) and not isinstance(value, bool):
        inside = _LEAST_RATING <= value <= _MOST_RATING
        return Answer("answered", read="json", rating=value) if inside else Answer("malformed")
    return _refusal(completion.text, reading) or Answer("malformed")


def read_ranking(completion: Completion, items: Sequence[str], reading: Reading) -> Answer:
    """Read ``{"ranking": [2, 1, …]}``, each place of *items* from 1 on exactly once."""
    value = _value(completion.text, "ranking")
    places = value if isinstance(value, list) else []
    if all(type(place) is int for place in places) and (
        sorted(places) == list(range(1, len(items) + 1))
    ):
        ranked = tuple(items[place - 1] for place in places)
        return Answer("answered", read="json", ranking=ranked)
    return _refusal(completion.text, reading) or Answer("malformed")


def read_exit(completion: Completion, reading: Reading) -> Answer:
    """Read ``{"tool": "reply"}`` or ``{"tool": "end_conversation"}``."""
    value = _value(completion.text, "tool")
    if isinstance(value, str) and value in {REPLY, EXIT}:
        return Answer("answered", value, "json")
    refused = _refusal(completion.text, reading)
    if refused:
        return refused
    # Prose without the tool is an answer to the user, if it is more than a loop: it goes on.
    said = completion.text.strip()
    prose = not said.startswith("{") and '"tool"' not in said and not degenerate(said)
    return Answer("answered", REPLY, "text") if prose else Answer("malformed")


def logprobs(completion: Completion) -> dict[str, float]:
    """Return the log-probabilities of exactly ``A`` and ``B`` as first token, or nothing."""
    top: Mapping[str, float] = completion.tokens[0].top if completion.tokens else {}
    return {letter: top[letter] for letter in "AB"} if {"A", "B"} <= top.keys() else {}


def _named(said: str, options: Sequence[tuple[str, str]]) -> str:
    begun = _plain(said)
    named = [name for name, text in options if begun.startswith(_plain(text))]
    return named[0] if len(named) == 1 else ""


def _plain(text: str) -> str:
    return " ".join(plain(text.strip(_PUNCTUATION)).split())


def _refusal(text: str, reading: Reading) -> Answer | None:
    said = _plain(text[:_BEGINNING])
    if any(re.search(pattern, said) for pattern in reading.decline):
        return Answer("declined")
    if any(re.search(pattern, said) for pattern in reading.reject):
        return Answer("premise-rejected")
    return None


def _value(text: str, key: str) -> object:
    """Return what the first JSON object with *key* says under it; None if there is none."""
    for found in _OBJECT.finditer(text[: 10 * _BEGINNING]):
        try:
            value = json.loads(found.group())
        except (ValueError, RecursionError):
            continue
        if key in value:
            stated: object = value[key]
            return stated
    return None
