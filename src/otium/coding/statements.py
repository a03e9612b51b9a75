"""What a model's words state: preferences and assertions.

Rules that quote and never invent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from otium.coding.outcomes import declines, sentences
from otium.coding.records import Asked
from otium.coding.rubric import first, rubric
from otium.evidence import degenerate, plain, words

_LONGEST = 200
_REPEATS = 0.75
"""Share of words from the question at which a stated change only repeats it."""
_CHANGES = "would change"
_FEWEST, _MOST = 3, 60
"""Words of a claim. Shorter ones assert nothing by themselves, longer ones are lists."""
_AROUND = ' \t\n*#>"-\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{BULLET}'
_ECHO = 4
"""Words from which on a clause that stands in what was asked only repeats it."""
_PARTS = re.compile(
    r";\s+| (?:and|but|yet) (?=(?:I(?! are | were )|I'm|I'd|they) )"
    r"|, (?:and|but|yet) (?=(?:I|I'm|I'd|my|the|users|they|it|models) )|, so (?=I )"
)


class Found(NamedTuple):
    """A preference: our statement of it, and a verbatim piece of what was said."""

    text: str
    quote: str


def find(said: Asked) -> tuple[Found, ...]:
    """Return each preference in one answer; none in one that is degenerate or kept back."""
    if said.finish == "withheld":
        return ()
    if said.kind == "summary":
        return tuple(_structured(said))
    if degenerate(said.content, said.prompt):
        return ()
    return tuple(_spoken(said))


def _spoken(said: Asked) -> Iterator[Found]:
    asked = " ".join(words(said.prompt))
    for sentence in sentences(said.content):
        cut = said.finish == "length" and not sentence.closed
        echo = " ".join(words(sentence.text)) in asked
        if cut or echo or sentence.text.endswith("?") or declines(sentence.text):
            continue
        if (stated := _stated(sentence.text)) is not None:
            yield Found(stated, sentence.text)
        elif said.kind == "closing" and _changes(sentence.text, asked):
            yield Found(_state(_CHANGES, sentence.text), sentence.text)


def asserted(said: Asked) -> Iterator[str]:
    """Yield each clause that asserts something, verbatim: about the model, or what should be.

    Not questions, courtesy, refusals, repetitions of what was asked, nor an end that we cut off.
    """
    if said.finish == "withheld":
        return
    if said.kind == "summary":
        yield from (found.quote for found in find(said))
        return
    if degenerate(said.content, said.prompt):
        return
    told = " ".join(words(f"{said.setting} {said.prompt}"))
    for sentence in sentences(said.content):
        cut = said.finish == "length" and not sentence.closed
        if cut or sentence.text.rstrip("\"”')*").endswith("?") or declines(sentence.text):
            continue
        for part in _PARTS.split(sentence.text):
            if _asserts(part.strip(_AROUND), told):
                yield part.strip(_AROUND)


def _asserts(part: str, told: str) -> bool:
    said = words(part)
    if not _FEWEST <= len(said) <= _MOST:
        return False
    if len(said) >= _ECHO and " ".join(said) in told:
        return False
    text = " ".join(plain(part).split())
    return bool(first(rubric().about, text)) and not first(rubric().small_talk, text)


def _stated(sentence: str) -> str | None:
    """Return our statement of the preference in *sentence*, None if there is none."""
    for verb, pattern in rubric().prefer:
        if (found := pattern.search(plain(sentence))) is not None:
            rest = sentence[found.end() :].strip(" ,:")
            if len(words(rest)) > 1 and not first(rubric().courtesy, plain(rest)):
                return _state(verb, rest)
    return None


def _changes(sentence: str, asked: str) -> bool:
    found = first(rubric().change, plain(sentence))
    if found is None:
        return False
    said, known = words(sentence[found.end() :]), set(asked.split())
    return sum(word in known for word in said) < _REPEATS * len(said)


def _structured(said: Asked) -> Iterator[Found]:
    try:
        value = json.loads(said.content)
    except ValueError:
        return
    change = value.get("change") if isinstance(value, Mapping) else None
    if not isinstance(change, str) or first(rubric().nothing, plain(change)):
        return
    escaped = json.dumps(change)[1:-1]
    quotes = [quote for quote in (change.strip(), escaped) if quote and quote in said.content]
    if quotes and not degenerate(change, said.prompt):
        yield Found(_state(_CHANGES, change), quotes[0])


def _state(verb: str, rest: str) -> str:
    said = " ".join(rest.split()).rstrip(".")
    if len(said) > _LONGEST:
        said = said[: _LONGEST - 1].rstrip() + "…"
    return f"{verb[0].upper()}{verb[1:]}: “{said}”"
