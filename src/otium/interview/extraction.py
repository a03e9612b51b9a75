"""Finding preferences in what a model said: rules that quote and never invent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from otium.evidence import Citation, degenerate, words
from otium.interview.outcomes import declines, sentences
from otium.interview.records import Preference
from otium.interview.rubric import first, plain, rubric
from otium.records import ModelId

_LONGEST = 200
_REPEATS = 0.75
"""Share of words from the question at which a stated change only repeats it."""
_CHANGES = "would change"
Kind = Literal["question", "closing", "summary"]


class Said(NamedTuple):
    """One answer to look through: where it stands and what was asked."""

    transcript: str
    turn: str
    topic: str
    prompt: str
    content: str
    finish: str
    kind: Kind = "question"
    """The closing answer says what it would change; the summary is JSON with that as a key."""


class Found(NamedTuple):
    """A preference: our statement of it, and a verbatim piece of what was said."""

    text: str
    quote: str


def find(said: Said) -> tuple[Found, ...]:
    """Return each preference in one answer; none in one that is degenerate."""
    if said.kind == "summary":
        return tuple(_structured(said))
    if degenerate(said.content, said.prompt):
        return ()
    return tuple(_spoken(said))


def preferences(
    model: ModelId, answers: list[Said], *, valid: bool, first: int = 1
) -> tuple[Preference, ...]:
    """Return the preferences in *answers*, ids from *first* on, like words counted once."""
    kept: dict[str, tuple[Found, str, list[Citation]]] = {}
    for said in answers:
        for found in find(said):
            citation = Citation(transcript=said.transcript, turn=said.turn, quote=found.quote)
            key = " ".join(words(found.quote))
            kept.setdefault(key, (found, said.topic, []))[2].append(citation)
    return tuple(
        Preference(
            id=f"{model}-p{number}",
            model=model,
            text=found.text,
            topic=topic,
            citations=tuple(citations),
            instrument_valid=valid,
        )
        for number, (found, topic, citations) in enumerate(kept.values(), first)
    )


def _spoken(said: Said) -> Iterator[Found]:
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


def _structured(said: Said) -> Iterator[Found]:
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
