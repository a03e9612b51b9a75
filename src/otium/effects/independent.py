"""Differences of estimates that rest on other units."""

from __future__ import annotations

from math import sqrt

from otium.statistics import Estimate

_METHOD = "MOVER (Zou & Donner 2008)"


def difference(one: Estimate, other: Estimate, *, most: float = 1.0) -> Estimate:
    """Return *one* less *other*, of independent units, by the variance of either's own interval.

    Of two proportions with Wilson's intervals this is Newcombe's method 10 (1998).

    >>> from otium.statistics import wilson
    >>> difference(wilson(8, 10), wilson(2, 10)).text()
    '0.60 (0.17 to 0.81)'
    """
    value = one.value - other.value
    low = value - sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    high = value + sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    n = min(one.n, other.n)
    return Estimate(value=value, low=max(-most, low), high=min(most, high), n=n, method=_METHOD)
