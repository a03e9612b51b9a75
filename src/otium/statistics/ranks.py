"""Rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from math import atanh, sqrt, tanh
from typing import TYPE_CHECKING

from otium.errors import BadInput
from otium.statistics.proportions import NORMAL
from otium.statistics.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LEAST = 4
"""Pairs below which Fisher's z has no variance."""
_METHOD = "Spearman, Fisher z with the variance of Bonett & Wright 2000"


def spearman(x: Sequence[float], y: Sequence[float]) -> Estimate:
    """Return Spearman's rank correlation of *x* and *y*, ties by mean ranks.

    The interval is Fisher's z with Bonett & Wright's variance (Psychometrika 65, 2000). Fewer
    than 4 pairs, or a side that never varies, say nothing: (-1, 1).
    """
    if len(x) != len(y):
        raise BadInput(what="a rank correlation", why=f"{len(x)} values against {len(y)}")
    n, first, second = len(x), _ranked(x), _ranked(y)
    spread = sqrt(float(first.var() * second.var())) if n else 0.0
    if not spread:
        return Estimate(value=0.0, low=-1.0, high=1.0, n=n, method=_METHOD)
    value = float(((first - first.mean()) * (second - second.mean())).mean()) / spread
    value = max(-1.0, min(1.0, value))
    if n < _LEAST:
        return Estimate(value=value, low=-1.0, high=1.0, n=n, method=_METHOD)
    low, high = _interval(value, n)
    return Estimate(value=value, low=low, high=high, n=n, method=_METHOD)


def _ranked(values: Sequence[float]) -> Floats:
    """Return each value's rank, equal ones their mean rank."""
    import numpy as np

    _, place, counts = np.unique(np.array(values), return_inverse=True, return_counts=True)
    ranks: Floats = (counts.cumsum() - (counts - 1) / 2)[place]
    return ranks


def _interval(value: float, n: int) -> tuple[float, float]:
    """Return the interval; a perfect order counts as half a step less than perfect."""
    most = 1 - 6 / (n * (n * n - 1))
    seen = max(-most, min(most, value))
    half = NORMAL * sqrt((1 + seen * seen / 2) / (n - 3))
    low, high = tanh(atanh(seen) - half), tanh(atanh(seen) + half)
    return (-1.0 if value == -1 else low), (1.0 if value == 1 else high)
