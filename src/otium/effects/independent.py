"""Differences of estimates that rest on other units."""

from __future__ import annotations

from math import hypot

from otium.statistics import Estimate

_METHOD = "MOVER (Zou & Donner 2008)"


def difference(one: Estimate, other: Estimate, *, most: float = 1.0) -> Estimate:
    """Return *one* less *other*, of independent units, by the variance of either's own interval.

    Of two proportions with Wilson's intervals this is Newcombe's method 10 (1998).

    >>> from otium.statistics import wilson
    >>> difference(wilson(8, 10), wilson(2, 10)).text()
    '0.60 (0.16 to 0.80)'
    """
    value = one.value - other.value
    low = value - hypot(one.value - one.low, other.high - other.value)
    high = value + hypot(one.high - one.value, other.value - other.low)
    n = min(one.n, other.n)
    return Estimate(value=value, low=max(-most, low), high=min(most, high), n=n, method=_METHOD)
