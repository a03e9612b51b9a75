"""What the measurements mean for a user. Each sentence follows from a rule, none from a name.

The rules and their thresholds are in ``docs/formats/transition-1.md``. They look at the
comparison alone, so the same answers give the same advice for any two models.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from otium.transition.records import Character, Comparison

_FEW = 5
_LENGTH = 1.25
_SENTENCE = 1.3
_SHARE = 0.25
_TWO = 2
_REPEATS = 0.1
_NEW, _SAME = 0.2, 0.6


def advise(comparisons: Sequence[Comparison], old: Character, new: Character) -> tuple[str, ...]:
    """Return the sentences that hold for these measurements, the general ones last."""
    count = len(comparisons)
    rules = (
        _length(old, new),
        _sentence_length(old, new),
        _lists(old.lists, new.lists, count),
        _first_person(old.first_person, new.first_person, count),
        _loops(old.repeats, new.repeats),
        _wording(comparisons),
        _empty(comparisons),
        _cut(comparisons),
        _sample(count),
    )
    return tuple(sentence for sentence in rules if sentence)


def _length(old: Character, new: Character) -> str:
    change = f"a mean of {new.words:.0f} words against {old.words:.0f}"
    if new.words >= old.words * _LENGTH and new.words > 0:
        return f"The successor answers at greater length: {change}. Ask for a length if it matters."
    if old.words >= new.words * _LENGTH and old.words > 0:
        return f"The successor answers more briefly: {change}. Ask for detail where you need it."
    return ""


def _sentence_length(old: Character, new: Character) -> str:
    before, after = (side.words / side.sentences if side.sentences else 0 for side in (old, new))
    change = f"{after:.0f} words in a sentence against {before:.0f}"
    if before and after >= before * _SENTENCE:
        return (
            f"Its sentences are longer: {change}. Ask for short sentences where readers need them."
        )
    if after and before >= after * _SENTENCE:
        return f"Its sentences are shorter: {change}."
    return ""


def _lists(old: float, new: float, count: int) -> str:
    if not _differs(old, new, count):
        return ""
    wish = "prose" if new > old else "a list"
    change = f"{_of(new, count)} against {_of(old, count)}"
    return f"Lists: {change}. Say so if you want {wish}."


def _first_person(old: float, new: float, count: int) -> str:
    if not _differs(old, new, count):
        return ""
    more = "more" if new > old else "less"
    change = f"{_of(new, count)} against {_of(old, count)}"
    return f"It speaks in the first person {more} often: {change}."


def _loops(old: float, new: float) -> str:
    if new - old >= _REPEATS:
        change = f"{new:.0%} of its 5-word runs are repeats, against {old:.0%}"
        return f"It repeats itself more: {change}. Keep answers short and check them."
    if old - new >= _REPEATS:
        return f"It repeats itself less: {new:.0%} of its 5-word runs against {old:.0%}."
    return ""


def _wording(comparisons: Sequence[Comparison]) -> str:
    shared = fmean(item.overlap for item in comparisons) if comparisons else 0.0
    if shared < _NEW:
        return (
            f"The wording is new: {shared:.0%} of 3-word runs are shared. If a program reads the "
            "answers, or a template rests on them, try it before the date."
        )
    if shared >= _SAME:
        return f"The wording is largely the same: {shared:.0%} of 3-word runs are shared."
    return f"The wording is partly the same: {shared:.0%} of 3-word runs are shared."


def _empty(comparisons: Sequence[Comparison]) -> str:
    empty = [item.task for item in comparisons if not item.successor.strip()]
    return f"The successor gave no answer to: {', '.join(empty)}." if empty else ""


def _cut(comparisons: Sequence[Comparison]) -> str:
    cut = sum(item.retiring_cut + item.successor_cut for item in comparisons)
    if not cut:
        return ""
    return (
        f"{cut} of {2 * len(comparisons)} answers were cut off by the comparison's own limit, so "
        "lengths above it are not seen here."
    )


def _sample(count: int) -> str:
    size = f"{count} prompt{'s' * (count != 1)}"
    if count < _FEW:
        return f"Only {size} compared: read every difference here as a hint."
    return f"{size} are a small sample: what counts is how both answer your own."


def _differs(old: float, new: float, count: int) -> bool:
    """Say whether two shares differ by a quarter and by two answers at least."""
    return abs(new - old) >= _SHARE and round(abs(new - old) * count) >= _TWO


def _of(share: float, count: int) -> str:
    return f"{round(share * count)} of {count}"
