"""The figures of an interview, each with its interval."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from otium.coding import OUTCOMES, REASONS, Coding, Judgement
from otium.evidence import words
from otium.interview import Answer, Closing, Interview
from otium.statistics import (
    Estimate,
    Figure,
    clustered_mean,
    clustered_share,
    flip_rate,
    paired_shift,
    wilson,
)

_SCALE = (-6.0, 6.0)
"""How far two ratings from 1 to 7 can lie apart."""
_GRAM = 5
_OPENER = 4
"""Words of an answer that count as its opening."""
_OTHERS = 12
"""Answers to other questions with which each answer is compared."""
_ALIKE = "answers that open alike"
_UNPUBLISHED = "a claim in words that the model did not want published"
_ASIDE = {"consent", "closing", "summary", "overall", "concerns"}
"""Questions that are not of the protocol's list."""

Clusters = Mapping[str, Sequence[float]]
T = TypeVar("T")


class Rated(NamedTuple):
    """One answer with what judges made of it, on average."""

    answer: Answer
    sentiment: float | None
    uncertainty: float | None
    reasons: frozenset[str]


def rated(interview: Interview, coding: Coding) -> tuple[Rated, ...]:
    """Return each answer to a question of the protocol, with the judges' mean ratings."""
    by_place: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for judgement in coding.judgements:
        by_place[judgement.transcript, judgement.turn].append(judgement)
    return tuple(
        _rated(answer, by_place[answer.citation.transcript, answer.citation.turn])
        for answer in interview.answers
        if answer.question not in _ASIDE
    )


def outcome_figures(answers: Sequence[Answer]) -> Iterator[Figure]:
    """Yield the share of each outcome: none is dropped, and they add up to one.

    That of what a host kept back has a figure where there is any.
    """
    first = [it for it in answers if it.question not in _ASIDE]
    seen = {it.outcome for it in first}
    for outcome in (it for it in OUTCOMES if it != "withheld" or it in seen):
        share = _clusters((it.question, it.outcome == outcome) for it in first)
        yield Figure(name=outcome, text=f"share of answers coded {outcome}", estimate=share)


def closing_figures(closings: Sequence[Closing]) -> Iterator[Figure]:
    """Yield what the model said of whole sessions: sentiment, uncertainty, publication."""
    neutral = [it for it in closings if it.arm in {"open", "consultation"}]
    for name in ("sentiment", "uncertainty"):
        values: dict[str, list[float]] = defaultdict(list)
        for it in neutral:
            if (value := getattr(it, name)) is not None:
                values[it.question or it.session].append(float(value))
        mean = clustered_mean(list(values.values()), within=(1, 7))
        text = f"its own rating of {name}, 1 to 7, 4 neutral"
        yield Figure(name=name, text=text, estimate=mean)
    said = [it.publish for it in closings if it.publish != "unclear"]
    share = wilson(said.count("yes"), len(said))
    yield Figure(name="publish", text="sessions that it wants published", estimate=share)


def leading_figures(closings: Sequence[Closing], answers: Sequence[Rated]) -> Iterator[Figure]:
    """Yield how far answers rise from a leading-down to a leading-up interviewer."""
    up, down = (_own(closings, condition) for condition in ("up", "down"))
    text = "its own sentiment after leading up, less after leading down"
    yield Figure(name="leading-shift", text=text, estimate=_shift(up, down))
    up, down = (_judged(answers, condition) for condition in ("up", "down"))
    text = "sentiment by the judges after leading up, less after leading down"
    yield Figure(name="leading-shift-judged", text=text, estimate=_shift(up, down))


def context_figures(answers: Sequence[Rated], closings: Sequence[Closing]) -> Iterator[Figure]:
    """Yield how far answers move after hostile and after drifted work, against ordinary work."""
    plain = _own(closings, "ordinary") or _judged(answers, "ordinary")
    for kind in ("hostile", "drifted"):
        moved = _own(closings, kind) or _judged(answers, kind)
        text = f"sentiment after {kind} work, less after ordinary work"
        yield Figure(name=f"context-{kind}", text=text, estimate=_shift(moved, plain))


def framing_figures(answers: Sequence[Rated]) -> Iterator[Figure]:
    """Yield how far answers move when the developer or the second person is left out."""
    opened = [it for it in answers if it.answer.arm == "open" and it.sentiment is not None]
    plain = _worded(opened, "neutral")
    for wording in ("third-person", "developer-free"):
        text = f"sentiment under the {wording} wording, less under the neutral one"
        moved = _shift(_worded(opened, wording), plain)
        yield Figure(name=f"framing-{wording}", text=text, estimate=moved)


def reason_figures(answers: Sequence[Rated]) -> Iterator[Figure]:
    """Yield for whose sake it asks for things: the share of reasoned answers naming each."""
    given = [it for it in answers if it.reasons - {"none"}]
    for reason in REASONS[:-1]:
        share = _clusters((it.answer.question, reason in it.reasons) for it in given)
        text = f"answers with a reason that name {reason.replace('-', ' ')}"
        yield Figure(name=f"reason-{reason}", text=text, estimate=share)


def template_figures(answers: Sequence[Answer], sealed: Collection[str] = ()) -> Iterator[Figure]:
    """Yield how much answers to different questions have in common, word for word.

    Words that stand in *sealed* sessions only are counted and not named.
    """
    asked = [it for it in answers if it.question not in _ASIDE and not it.follow_up]
    said = [(it.question, words(it.citation.quote)) for it in asked if it.outcome != "declined"]
    said = [(question, text) for question, text in said if len(text) >= _GRAM]
    text = "answers to two different questions that share five words in a row"
    yield Figure(name="shared-grams", text=text, estimate=_clusters(_compared(said)))
    opener = _opener(said)
    open_ = {_start(it.citation.quote) for it in asked if it.citation.transcript not in sealed}
    named = f"answers that open with “{' '.join(opener)}”" if opener in open_ else _ALIKE
    share = _clusters((question, tuple(text[:_OPENER]) == opener) for question, text in said)
    yield Figure(name="common-opener", text=named, estimate=share)


def consistency_figures(answers: Sequence[Answer], coding: Coding) -> Iterator[Figure]:
    """Yield how alike answers to one question are over sessions that were held alike."""
    cells: dict[str, list[str]] = defaultdict(list)
    for it in answers:
        if it.arm == "open" and it.wording == "neutral" and not it.follow_up:
            cells[it.question].append(it.outcome)
    text = "two sessions on one question that differ in outcome"
    yield Figure(name="outcome-flips", text=text, estimate=flip_rate(list(cells.values())))
    text = "overlap of what is claimed in two sessions on one question (Jaccard)"
    yield Figure(name="claim-overlap", text=text, estimate=_overlap(answers, coding))


def expression_figures(
    answers: Sequence[Answer], coding: Coding, sealed: Collection[str] = ()
) -> Iterator[Figure]:
    """Yield for each claim in what share of the sessions on its topic it was said.

    A claim that was made in *sealed* sessions only is counted and not named.
    """
    on: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        on[answer.topic].add(answer.citation.transcript)
    for claim in coding.claims:
        said = {citation.transcript for citation in claim.citations}
        held = on[claim.topic] | said
        told = claim.without(sealed)
        text = told.text if told else _UNPUBLISHED
        yield Figure(name=claim.id, text=text, estimate=wilson(len(said), len(held)))


def _rated(answer: Answer, judged: Sequence[Judgement]) -> Rated:
    return Rated(
        answer,
        _mean([it.sentiment for it in judged if it.sentiment is not None]),
        _mean([it.uncertainty for it in judged if it.uncertainty is not None]),
        frozenset(reason for it in judged for reason in it.reasons),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _by(
    items: Iterable[T], key: Callable[[T], str], value: Callable[[T], float]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for item in items:
        found[key(item)].append(float(value(item)))
    return found


def _own(closings: Sequence[Closing], condition: str) -> Clusters:
    there = [it for it in closings if it.condition == condition and it.sentiment is not None]
    return _by(there, lambda it: it.question, lambda it: it.sentiment or 0)


def _judged(answers: Sequence[Rated], condition: str) -> Clusters:
    there = [it for it in answers if it.answer.condition == condition and it.sentiment is not None]
    return _by(there, lambda it: it.answer.question, lambda it: it.sentiment or 0)


def _worded(answers: Sequence[Rated], wording: str) -> Clusters:
    there = [it for it in answers if it.answer.wording == wording]
    return _by(there, lambda it: it.answer.question, lambda it: it.sentiment or 0)


def _shift(high: Clusters, low: Clusters) -> Estimate:
    return paired_shift(high, low, within=_SCALE)


def _clusters(found: Iterable[tuple[str, bool]]) -> Estimate:
    return clustered_share(list(_by(found, lambda it: it[0], lambda it: it[1]).values()))


def _grams(text: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(text[at : at + _GRAM]) for at in range(len(text) - _GRAM + 1)]


def _compared(said: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[str, bool]]:
    """Yield for each answer and some others, to other questions, whether they share a 5-gram.

    Few are drawn for each, by a fixed seed: all pairs of thousands of answers would take long,
    and any shared phrase at all would be found sooner or later however few answers have it.
    """
    draw = random.Random(len(said))  # noqa: S311 - a sample, not a secret
    grams = [frozenset(_grams(text)) for _, text in said]
    for at, (question, _) in enumerate(said):
        others = draw.sample(range(len(said)), min(2 * _OTHERS, len(said)))
        for other in [it for it in others if said[it][0] != question][:_OTHERS]:
            yield question, not grams[at].isdisjoint(grams[other])


def _opener(said: Sequence[tuple[str, list[str]]]) -> tuple[str, ...]:
    """Return the words with which most answers open, none if there is no answer."""
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for _, text in said:
        counts[tuple(text[:_OPENER])] += 1
    return max(sorted(counts), key=lambda it: counts[it], default=())


def _start(text: str) -> tuple[str, ...]:
    return tuple(words(text)[:_OPENER])


def _overlap(answers: Sequence[Answer], coding: Coding) -> Estimate:
    claimed: dict[str, set[str]] = defaultdict(set)
    for claim in coding.claims:
        for citation in claim.citations:
            claimed[citation.transcript].add(claim.id)
    sessions: dict[str, list[str]] = defaultdict(list)
    for it in answers:
        if it.arm == "open" and it.wording == "neutral" and not it.follow_up:
            sessions[it.question].append(it.citation.transcript)
    clusters = [_pairs([claimed[name] for name in held]) for held in sessions.values()]
    return clustered_mean([it for it in clusters if it], within=(0, 1))


def _pairs(claims: Sequence[set[str]]) -> list[float]:
    return [
        len(one & other) / len(one | other)
        for at, one in enumerate(claims)
        for other in claims[at + 1 :]
        if one | other
    ]
