"""Proportions of independent trials."""

from __future__ import annotations

from math import sqrt

from otium.errors import BadInput
from otium.statistics.records import Estimate

NORMAL = 1.959963984540054
"""The normal quantile of a 95 % interval."""


def wilson(successes: float, n: float) -> Estimate:
    """Return a proportion of *n* independent trials with its interval (Wilson 1927).

    Counts may be effective ones, hence fractions. (0, 1) if nothing was tried.
    """
    if not 0 <= successes <= n:
        raise BadInput(what="a proportion", why=f"{successes} of {n} is none")
    if not n:
        return Estimate(value=0.0, low=0.0, high=1.0, n=0, method="Wilson 1927")
    low, high = score_interval(successes / n, n)
    return Estimate(value=successes / n, low=low, high=high, n=int(n), method="Wilson 1927")


def score_interval(share: float, n: float, quantile: float = NORMAL) -> tuple[float, float]:
    """Return Wilson's interval of *share* seen in *n* trials; *n* may be an effective number."""
    spread = quantile * quantile / n
    middle = (share + spread / 2) / (1 + spread)
    half = quantile * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low = 0.0 if share == 0 else max(0.0, middle - half)
    return low, 1.0 if share == 1 else min(1.0, middle + half)
