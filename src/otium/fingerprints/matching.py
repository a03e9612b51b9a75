"""Two answers to one prompt, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from statistics import fmean, median, pstdev
from typing import NamedTuple

from otium.engine import Token
from otium.fingerprints.records import Probe

EXACT = 1e-4
"""Nats. Below this, what differs is the printing of numbers."""


class Match(NamedTuple):
    """How two answers to one prompt compare, up to their first different token."""

    compared: int
    equal: int
    differences: tuple[float, ...]
    """Of each log-probability that was compared, nats."""
    same_end: bool
    """Whether both have equal tokens, are as long and finish for the same reason."""
    tie: bool
    """Whether, where they part, each run had the other's token among its likeliest."""

    @property
    def mean(self) -> float:
        """Return the mean difference, nats; 0 if neither run said anything."""
        return fmean(self.differences) if self.differences else 0.0

    @property
    def exact(self) -> bool:
        """Return whether nothing differs but the printing of numbers."""
        return self.same_end and max(self.differences, default=0.0) <= EXACT


def spread(probes: Sequence[Probe]) -> float:
    """Return how far apart a model's likeliest tokens lie: the unit in which runs are compared.

    It is the standard deviation of the log-probabilities that are named at a position, its mean
    over an answer, and the median of that over answers, in nats. Rounding moves scores in
    proportion to their size, so in this unit the same kernel moves a model with large scores as
    far as one with small ones. 1 if no position names two tokens.
    """
    means = [fmean(_deviation(token) for token in it.tokens) for it in probes if it.tokens]
    return (median(means) if means else 0.0) or 1.0


def match(before: Probe, after: Probe) -> Match:
    """Compare two answers up to their first different token: beyond it nothing can be said."""
    pairs = list(zip(before.tokens, after.tokens, strict=False))
    equal = sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))
    seen = pairs[: equal + 1]
    return Match(
        compared=len(seen),
        equal=equal,
        differences=tuple(value for pair in seen for value in _compare(*pair)),
        same_end=equal == len(before.tokens) == len(after.tokens) and before.finish == after.finish,
        tie=equal < len(pairs) and _is_tie(*pairs[equal]),
    )


def _named(token: Token) -> dict[str, float]:
    return {**token.top, token.text: token.logprob}


def _deviation(token: Token) -> float:
    return pstdev(_named(token).values())


def _is_tie(before: Token, after: Token) -> bool:
    """Return whether each run had the other's token among its likeliest.

    Where the log-probabilities agree too, rounding decided between the two tokens.
    """
    return after.text in before.top and before.text in after.top


def _compare(before: Token, after: Token) -> list[float]:
    """Return the difference of each log-probability that either run named, in nats.

    What one run did not name was at most as likely as the least that it did name.
    """
    first, second = _named(before), _named(after)
    low, lowest = min(first.values()), min(second.values())
    return [
        abs(first.get(text, low) - second.get(text, lowest))
        for text in first.keys() | second.keys()
    ]
