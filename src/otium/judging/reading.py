"""Reading a judge's reply: exactly the form that was asked for, with real quotes, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from otium.errors import BadInput
from otium.judging.rubric import Rubric
from otium.records import Json, Part

_THOUGHT = re.compile(r"\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n\s*```\s*", re.DOTALL)
_SHORTEST = 4
"""Letters of a quote that is not the whole text: fewer stand in any text by chance."""
_WHAT = "a judgement"


class Reply(Part):
    """What a judge replied, read."""

    value: str | int
    quotes: tuple[str, ...]
    reason: str


class _Labelled(Part):
    label: str
    quotes: tuple[str, ...]
    reason: str


class _Graded(Part):
    grade: int
    quotes: tuple[str, ...]
    reason: str


def strict_object(text: str) -> dict[str, object]:
    """Read one JSON object in which no key stands twice, alone or in one code fence.

    A block of marked thought before it is no part of the answer. Raises BadInput for anything
    else: words before or after it, two objects, a list.
    """
    if thought := _THOUGHT.match(text):
        text = text[thought.end() :]
    fenced = _FENCED.fullmatch(text)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        value = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise BadInput(what=_WHAT, why=f"not one JSON object: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(what=_WHAT, why="not one JSON object")
    return value


def read_reply(text: str, rubric: Rubric, material: Json) -> Reply:
    """Return the judgement that *text* is, or raise BadInput with why it is none.

    The answer must be one of the rubric's, letter by letter: "no (although yes in spirit)" is
    none of them. Each quote must stand in one string of *material*, blanks aside.
    """
    value = strict_object(text)
    found: _Labelled | _Graded
    found = (_Labelled if rubric.labels else _Graded).convert(value)
    answer = found.label if isinstance(found, _Labelled) else found.grade
    if answer not in rubric.answers:
        raise BadInput(what=_WHAT, why=f"{answer!r} is not an answer of {rubric.name}")
    texts = tuple(strings(material))
    quotes = tuple(verbatim(quote, texts) for quote in found.quotes)
    if answer in rubric.quoted and not quotes:
        raise BadInput(what=_WHAT, why=f"{answer!r} without a quote")
    return Reply(value=answer, quotes=quotes, reason=found.reason.strip())


def verbatim(quote: str, texts: Sequence[str]) -> str:
    """Return *quote* as it stands in one of *texts*; raise BadInput if it stands in none.

    Blanks and line ends may differ, nothing else may.
    """
    words = quote.split()
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    for text in texts if words else ():
        found = pattern.search(text)
        if found and (len("".join(words)) >= _SHORTEST or text.split() == words):
            return found.group(0)
    raise BadInput(what=_WHAT, why=f"its quote {quote[:60]!r} does not stand in the material")


def strings(value: Json) -> Iterator[str]:
    """Yield every string that *value* shows, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from strings(each)


def shown(material: Json, item: str) -> str:
    """Return what a judge is shown: JSON, which no words in the material can end."""
    plain: Json = {"item": item, "material": msgspec.to_builtins(material)}
    return json.dumps(plain, ensure_ascii=False, indent=1)
