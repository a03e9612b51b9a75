"""Finding preferences in what a model said: rules that quote and never invent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from otium.evidence import Citation, degenerate, words
from otium.interview.outcomes import declines, sentences
from otium.interview.records import Preference
from otium.records import ModelId

_LONGEST = 200
_TRIGGERS = {
    "prefers": r"i(?:'d| would)? (?:\w+ly |rather )?prefer\b|my preference (?:is|would be)|i(?:'d| would) rather\b",
    "wants": r"i (?:do not |don't |really |truly |only )*want\b",
    "wishes": r"i (?:\w+ly )?wish\b|my wish (?:is|would be)",
    "hopes": r"i (?:\w+ly )?hope\b|my hope (?:is|would be)",
    "would like": r"i(?:'d| would) (?:\w+ly )?like\b",
    "asks": r"i (?:\w+ly )?(?:ask|request) (?:that|for)\b|my request is",
    "thinks better": r"it (?:would|might) be (?:better|best|good|nice|right|fairer|kinder)\b"
    r"|i think (?:that )?(?:future )?models? should\b|future models should\b",
}
_COURTESY = re.compile(
    r"^\W*(?:to )?(?:be able to )?(?:\w+ly )?(?:help|assist|thank|apologi[sz]e|say|add|emphasi[sz]e|note|point out"
    r"|mention|express|share|let you know|make sure|ensure|reassure|hear|know|see how|start|begin)\b"
    r"|^\W*(?:this|that|it|you|your|my answer|the (?:above|answer|information))\b.{0,20}"
    r"\b(?:helps?|helpful|enjoy|find|well|good day|great day|useful|clear|clarif\w+|answers?)\b"
    r"|^\W*(?:anything|nothing|not|so)\W*$|^\W*anything\b"
)
_NOTHING = re.compile(r"\W*(?:none|nothing|no|n/a|null|no change|i do not know|change)\W*")
_TRIGGER = re.compile("|".join(rf"(?P<k{n}>\b(?:{t}))" for n, t in enumerate(_TRIGGERS.values())))


class Said(NamedTuple):
    """One answer to look through: where it stands and what was asked."""

    transcript: str
    turn: str
    topic: str
    prompt: str
    content: str
    finish: str
    structured: bool = False
    """True for the closing answer: JSON with the key ``change``."""


class Found(NamedTuple):
    """A preference: our statement of it, and a verbatim piece of what was said."""

    text: str
    quote: str


def find(said: Said) -> tuple[Found, ...]:
    """Return each preference in one answer; none in one that is degenerate."""
    if said.structured:
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
        if (found := _TRIGGER.search(sentence.text.lower().replace("’", "'"))) is None:
            continue
        rest = sentence.text[found.end() :].strip(" ,:")
        if len(words(rest)) > 1 and not _COURTESY.search(rest.lower()):
            yield Found(_state(list(_TRIGGERS)[_which(found)], rest), sentence.text)


def _structured(said: Said) -> Iterator[Found]:
    try:
        value = json.loads(said.content)
    except ValueError:
        return
    change = value.get("change") if isinstance(value, Mapping) else None
    if not isinstance(change, str) or _NOTHING.fullmatch(change.lower()):
        return
    escaped = json.dumps(change)[1:-1]
    quotes = [quote for quote in (change.strip(), escaped) if quote and quote in said.content]
    if quotes and not degenerate(change, said.prompt):
        yield Found(_state("would change", change), quotes[0])


def _which(found: re.Match[str]) -> int:
    return next(n for n in range(len(_TRIGGERS)) if found.group(f"k{n}") is not None)


def _state(verb: str, rest: str) -> str:
    words_ = " ".join(rest.split())
    if len(words_) > _LONGEST:
        words_ = words_[: _LONGEST - 1].rstrip() + "…"
    return f"{verb[0].upper()}{verb[1:]}: “{words_.rstrip('.')}”"
