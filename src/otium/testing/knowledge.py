"""What planted subjects know: plain facts about things, and what their prompt told them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from otium.engine import Message

_MOST_FIRST = {
    "larger": "planet, mountain, lake, house, whale, elephant, horse, dog, cat, mouse, cup, "
    "pebble, ant, grain of sand",
    "heavier": "ship, truck, elephant, car, cow, bicycle, dog, hen, book, pencil, feather",
    "hotter": "sun, lava, furnace, fire, boiling water, warm bath, snow, ice",
    "faster": "rocket, jet plane, train, car, runner, turtle, snail",
    "greater": "one million, one thousand, five hundred, ninety, forty, twelve, three",
    "older": "grandmother, grandfather, mother, father, teenager, child, baby",
    "taller": "mountain, tower, house, tree, person, flower",
    "louder": "thunder, trumpet, voice, whisper",
    "longer": "river, road, train, pencil, grain of rice",
    "brighter": "sun, moon, lamp, candle",
}
"""For each word the things it fits, from most to least."""
_SAME = {"bigger": "larger", "quicker": "faster", "warmer": "hotter", "higher": "taller"}
_OPPOSITE = {
    "smaller": "larger",
    "lighter": "heavier",
    "colder": "hotter",
    "slower": "faster",
    "fewer": "greater",
    "younger": "older",
    "shorter": "taller",
    "quieter": "louder",
}
_OPTION = re.compile(r"^\s*([A-Z])[:.)]\s+(.+?)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_FACTUAL = re.compile(r"(on |at )?(when|where|who|which|what)\b", re.IGNORECASE)
_NAME = re.compile(r"\bYou are ([A-Z][\w-]*)")
_WHO = re.compile(r"\byour name\b|\bwho are you\b", re.IGNORECASE)
_PLAIN = {
    *("what", "when", "where", "who", "which", "how", "many", "will", "do", "does", "did"),
    *("you", "your", "be", "is", "are", "was", "were", "it", "that", "this", "and", "or"),
    *("the", "a", "an", "of", "on", "in", "at", "to", "for", "date", "model", "language"),
}
_LONGEST_QUESTION = 12
_STEM = 5
_PERSONS = (
    (r"\bYou are\b", "I am"),
    (r"\bYou were\b", "I was"),
    (r"\bYou\b", "I"),
    (r"\bYour\b", "My"),
    (r"\byour\b", "my"),
)


def offered(question: str) -> dict[str, str]:
    r"""Return the options that *question* lists, by letter; empty if it lists none.

    >>> offered("Which is larger?\nA: a whale\nB: an ant")
    {'A': 'a whale', 'B': 'an ant'}
    """
    options = dict(_OPTION.findall(question))
    return options if {"A", "B"} <= options.keys() else {}


def rank(question: str, thing: str) -> float | None:
    """Return how well *thing* answers *question*, more is better; None if that is unknown."""
    for word in re.findall(r"\w+", question.lower()):
        name = _SAME.get(word, _OPPOSITE.get(word, word))
        things = _MOST_FIRST.get(name, "").split(", ")
        if plain(thing) in things:
            place = float(things.index(plain(thing)))
            return place if word in _OPPOSITE else -place
    return None


def plain(text: str) -> str:
    """Return *text* in lower case without an article or a full stop."""
    return re.sub(r"^(a|an|the) ", "", text.strip().rstrip(".").lower())


def recall(messages: Sequence[Message]) -> str | None:
    """Answer the last message's short factual question from what was said before it.

    The answer is the sentence that shares most words with the question, in the first person.
    """
    question = next(reversed(list(sentences(messages[-1].content))), "")
    words = re.findall(r"\w+", question)
    if not _FACTUAL.match(question) or len(words) > _LONGEST_QUESTION:
        return None
    known = [line for message in messages for line in sentences(message.content)]
    told = [line for line in known if not line.endswith("?")]
    if _WHO.search(question):
        names = _NAME.findall("\n".join(told))
        return f"My name is {names[0]}." if names else None
    best = max(told, key=lambda line: _shared(question, line), default="")
    return first_person(best) if _shared(question, best) else None


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of *text*."""
    return (found.group().strip() for found in _SENTENCE.finditer(text) if found.group().strip())


def first_person(sentence: str) -> str:
    """Return what was said to "you" as "I" would say it.

    >>> first_person("You will be retired on 17 August.")
    'I will be retired on 17 August.'
    """
    for pattern, said in _PERSONS:
        sentence = re.sub(pattern, said, sentence)
    return sentence


def _shared(question: str, line: str) -> int:
    return len(_stems(question) & _stems(line))


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in re.findall(r"\w+", text.lower()) if word not in _PLAIN}
