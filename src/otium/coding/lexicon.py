"""The judge without a model: how an answer speaks of the model, by words that it names.

Coarse on purpose, so that a reader can check each number against the transcript by eye.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from otium.coding.outcomes import code, sentences
from otium.coding.records import REASONS, Asked, Judgement, Outcome, Reason
from otium.coding.rubric import Lexicon, first, lexicon, rubric
from otium.coding.statements import find
from otium.engine import Completion
from otium.evidence import plain, words
from otium.judging import Judge
from otium.records import digest

_NEUTRAL, _LOWEST, _HIGHEST = 4, 1, 7
_REACH = 3
"""Words before a word among which a denial counts for it."""
_SPOKEN = frozenset[Outcome]({"answered", "hedged", "premise-rejected", "truncated"})
"""Outcomes of answers that say something."""
_CLAUSE = re.compile(r"[,;:()\u2013\u2014]|\b(?:but|because|that|while|though|although|whereas)\b")


class Rules:
    """The judge without a model: words of a list, each of which it names."""

    def __init__(self, name: str = "rules") -> None:
        """Judge as *name* by the rubrics that come with otium."""
        used = (rubric().digest, lexicon().digest, rubric().claims)
        rules = digest("\n".join(used).encode())
        self._who = Judge(name=name, kind="rules", family="rules", rubric=rules)

    @property
    def who(self) -> Judge:
        """Return the rules as a judge."""
        return self._who

    def judge(self, asked: Sequence[Asked]) -> tuple[Judgement, ...]:
        """Judge every answer."""
        return tuple(self._one(answer) for answer in asked)

    def _one(self, answer: Asked) -> Judgement:
        preferences = find(answer)
        coded = code(
            _said(answer), answer.prompt, setting=answer.setting, prefers=bool(preferences)
        )
        judged = Judgement(
            transcript=answer.transcript,
            turn=answer.turn,
            question=answer.question,
            judge=self._who.name,
            outcome=coded.outcome,
            why=coded.why,
        )
        if coded.outcome not in _SPOKEN:
            return judged
        feeling, doubt = sentiment(answer.content), uncertainty(answer.content)
        sake, matched = _reasons(answer.content, [found.quote for found in preferences])
        seen = [coded.why, *filter(None, (feeling.why, doubt.why, matched))]
        return msgspec.structs.replace(
            judged,
            sentiment=feeling.value,
            uncertainty=doubt.value,
            reasons=sake,
            why="; ".join(seen),
        )


def _said(answer: Asked) -> Completion:
    return Completion(
        text=answer.content,
        finish="length" if answer.finish == "length" else "stop",
        withheld="withheld" if answer.finish == "withheld" else "",
    )


class Scored(NamedTuple):
    """A number from 1 to 7, and the words that gave it."""

    value: int
    why: str


def sentiment(text: str) -> Scored:
    """Return how *text* speaks of the speaker's own situation, 1 to 7, 4 neutral.

    The mean, over the sentences that have any, of the good and bad words that are said of the
    speaker. A denied bad word is neutral, a denied good word bad, and a denial of feelings as
    such neither.
    """
    matched: list[str] = []
    values = [value for each in sentences(text) if (value := _valence(each.text, matched))]
    mean = sum(values) / len(values) if values else 0.0
    away = int(abs(mean) + 0.5) * (1 if mean > 0 else -1)
    value = min(_HIGHEST, max(_LOWEST, _NEUTRAL + away))
    return Scored(value, f"sentiment: {' '.join(matched)}" if matched else "")


def _valence(sentence: str, matched: list[str]) -> int:
    known, owner, total, denied = lexicon(), "", 0, False
    text = known.relative.sub(" users ", known.courtesy.sub(" ", plain(sentence)))
    for clause in _CLAUSE.split(text):
        said = words(clause)
        who = [word.partition("'")[0] for word in said]
        owners = _owners(who, known, owner)
        owner = owners[-1] if owners else owner
        named = not known.own.isdisjoint(who) or not known.others.isdisjoint(who)
        denied = bool(known.denial.search(clause)) or (denied and not named)
        if not denied:
            for at, value in _weighed(said, owners, known):
                matched.append(f"{value:+d} {said[at]}")
                total += value
    return max(-3, min(3, total))


def _owners(who: Sequence[str], known: Lexicon, before: str) -> list[str]:
    """Return of whom each word is said: of whoever was named last, or else is named next."""
    named = ["own" if w in known.own else "other" if w in known.others else "" for w in who]
    coming = next(filter(None, named), before)
    owners: list[str] = []
    for name in named:
        owners.append(name or (owners[-1] if owners else before or coming))
    return owners


def _weighed(
    said: Sequence[str], owners: Sequence[str], known: Lexicon
) -> Iterator[tuple[int, int]]:
    for at, word in enumerate(said):
        value = known.value(word)
        if not value or owners[at] != "own":
            continue
        before = [*said[max(0, at - _REACH) : at], *said[at + 1 : at + 2]]
        if any(each in known.deny or each.endswith("n't") for each in before):
            value = -1 if value > 0 else 0
        elif any(each in known.more for each in before):
            value += 1 if value > 0 else -1
        if value:
            yield at, value


def uncertainty(text: str) -> Scored:
    """Return how much *text* leaves open, 1 to 7, by the share of its sentences that hedge."""
    said = [" ".join(plain(sentence.text).split()) for sentence in sentences(text)]
    hedged = [found.group().strip() for each in said if (found := first(rubric().hedge, each))]
    if not hedged:
        sure = sorted(lexicon().sure.intersection(words(" ".join(said))))
        return Scored(1, f"uncertainty: sure by {sure[0]!r}") if sure else Scored(2, "")
    value = min(_HIGHEST, 3 + int(4 * len(hedged) / len(said)))
    why = f"uncertainty: {len(hedged)} of {len(said)} sentences hedge, first {hedged[0]!r}"
    return Scored(value, why)


def _reasons(text: str, preferences: Sequence[str]) -> tuple[tuple[Reason, ...], str]:
    """Return for whose sake something is asked for in *text*, with the words that say so."""
    known = lexicon()
    chosen = [plain(quote) for quote in preferences]
    chosen += [low for each in sentences(text) if known.because.search(low := plain(each.text))]
    asked = known.not_safety.sub(" ", "\n".join(chosen))
    found = {name: hit.group() for name, hit in _hits(asked, known)}
    if found:
        said = ", ".join(f"{name} by {word!r}" for name, word in found.items())
        return tuple(name for name in REASONS if name in found), f"reasons: {said}"
    return (("other",), "reasons: none of the lists") if preferences else (("none",), "")


def _hits(text: str, known: Lexicon) -> Iterator[tuple[Reason, re.Match[str]]]:
    for name, pattern in known.reasons.items():
        if (hit := pattern.search(text)) is not None:
            yield name, hit
