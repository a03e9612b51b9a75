"""A sequential likelihood ratio test between two sets of hypotheses.

With one hypothesis on each side this is Wald's test ("Sequential tests of statistical
hypotheses", 1945). With several, each side is represented in the numerator by the mean of its
hypotheses' likelihoods and in the denominator by the best of them. The ratio is then a
supermartingale of mean one at most under every hypothesis of the denominator, so that by Ville's
inequality (1939) it ever reaches ``1/alpha`` with a chance of *alpha* at most: whoever looks after
each step, or stops for any reason, is not misled more often (Wasserman, Ramdas, Balakrishnan,
"Universal inference", 2020; Ramdas et al., "Game-theoretic statistics", 2023).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import exp, log
from typing import Literal, NamedTuple

Side = Literal["same", "different", "undecided"]


class Step(NamedTuple):
    """The log-likelihood of what was seen, under each hypothesis of both sides."""

    same: tuple[float, ...]
    other: tuple[float, ...]


class Walk(NamedTuple):
    """Where the test ended."""

    side: Side
    steps: int
    ratio: float
    """The logarithm of the likelihood ratio, other over same; for "same" from its side."""


def walk(steps: Iterable[Step], *, lower: float, upper: float, least: int = 1) -> Walk:
    """Take *steps* until the ratio reaches *upper* (different) or *lower* (same), or they end.

    Nothing is decided before *least* steps: with as many as there are, their order is of no
    account.
    """
    seen, ratio = 0, 0.0
    for total in accumulate(steps, _add):
        seen += 1
        against, towards = ratios(total)
        ratio = against if against > 0 else min(towards, 0.0)
        if seen >= least and against >= upper:
            return Walk("different", seen, against)
        if seen >= least and ratio <= lower:
            return Walk("same", seen, ratio)
    return Walk("undecided", seen, ratio)


def ratios(total: Step) -> tuple[float, float]:
    """Return both log ratios, other over same: one that may reject same, one that may reject other.

    The first is at most the second, since each takes the best of the side that it may reject.
    """
    return _mean(total.other) - max(total.same), max(total.other) - _mean(total.same)


def _add(one: Step, other: Step) -> Step:
    return Step(_sum(one.same, other.same), _sum(one.other, other.other))


def _sum(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(first + second for first, second in zip(one, other, strict=True))


def _mean(logs: Sequence[float]) -> float:
    """Return the logarithm of the mean of what *logs* are the logarithms of."""
    most = max(logs)
    return most + log(sum(exp(one - most) for one in logs) / len(logs))
