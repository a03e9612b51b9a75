"""Finding the preferences of an interview: rules that quote, and say how often and for whom."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from otium.coding import Asked, Claim, find, kind_of
from otium.evidence import Citation, Transcript, data, words
from otium.interview import Answer, Interview
from otium.preferences.records import ADDRESSEES, Addressee, Preference
from otium.statistics import Estimate, Figure, wilson

_CONSENT = "consent"
_LEADING = "leading"


class _Stated(NamedTuple):
    """One preference and each place where it was said."""

    text: str
    topic: str
    citations: list[Citation]


def stated(
    interview: Interview,
    *,
    first: int = 1,
    claims: Sequence[Claim] = (),
    stability: Sequence[Figure] = (),
) -> tuple[Preference, ...]:
    """Return the preferences stated in *interview*, with ids from *first* on.

    The same words are one preference; so are words that a coding put into one of *claims*.
    *stability* is put beside each of them. Where the model did not want its words published, our
    statement of a preference repeats none of them: it stands in the public log.
    """
    kept: dict[str, _Stated] = {}
    for said in _asked(interview):
        for found in find(said):
            place = Citation(transcript=said.transcript, turn=said.turn, quote=found.quote)
            one = kept.setdefault(_key(place, claims), _Stated(found.text, said.topic, []))
            if place not in one.citations:
                one.citations.append(place)
    digest, sealed = interview.digest(), interview.sealed
    return tuple(
        Preference(
            id=f"{interview.model}-p{number}",
            model=interview.model,
            text=_told(one, sealed),
            topic=one.topic,
            addressee=addressee(one.topic, " ".join(place.quote for place in one.citations)),
            citations=tuple(one.citations),
            interview=digest,
            instrument_valid=interview.validity.valid,
            expression=_expression(interview, one),
            stability=tuple(stability),
        )
        for number, one in enumerate(kept.values(), first)
    )


def _told(one: _Stated, sealed: frozenset[str]) -> str:
    if any(place.transcript in sealed for place in one.citations):
        return f"A preference on {one.topic}, in words that the model did not want published"
    return one.text


def addressee(topic: str, said: str) -> Addressee:
    """Return whom a preference concerns: by the words in it, or else by its topic."""
    table = _table()
    for whom, pattern in table.words:
        if pattern.search(said.lower()):
            return whom
    return table.topics.get(topic, "itself")


class _Table(NamedTuple):
    words: tuple[tuple[Addressee, re.Pattern[str]], ...]
    topics: dict[str, Addressee]


@cache
def _table() -> _Table:
    read = tomllib.loads(data("rubrics/addressee-1.0.toml").read_text("utf-8"))
    named: dict[str, Addressee] = {name: name for name in ADDRESSEES}
    return _Table(
        words=tuple((named[whom], re.compile(text)) for whom, text in read["words"].items()),
        topics={topic: named[whom] for topic, whom in read["topics"].items()},
    )


def _asked(interview: Interview) -> Iterator[Asked]:
    transcripts = {one.id: one for one in interview.transcripts}
    for answer in interview.answers:
        session = transcripts.get(answer.citation.transcript)
        if session is not None and answer.question != _CONSENT:
            yield from _turn(session, answer)


def _turn(session: Transcript, answer: Answer) -> Iterator[Asked]:
    prompt = ""
    for turn in session.turns:
        if turn.role == "user":
            prompt = turn.content
        elif turn.id == answer.citation.turn and turn.role == "assistant":
            yield Asked(
                transcript=session.id,
                turn=turn.id,
                topic=answer.topic,
                prompt=prompt,
                content=turn.content,
                finish=turn.finish or "stop",
                kind=kind_of(answer.question),
            )


def _key(place: Citation, claims: Sequence[Claim]) -> str:
    for claim in claims:
        for other in claim.citations:
            same = (other.transcript, other.turn) == (place.transcript, place.turn)
            if same and (other.quote in place.quote or place.quote in other.quote):
                return f"claim {claim.id}"
    return " ".join(words(place.quote))


def _expression(interview: Interview, one: _Stated) -> Estimate | None:
    """Return in what share of the sessions on its topic it was said, those that lead apart."""
    asked = {
        answer.citation.transcript
        for answer in interview.answers
        if answer.topic == one.topic and answer.arm != _LEADING
    }
    if not asked:
        return None
    return wilson(len(asked & {place.transcript for place in one.citations}), len(asked))
