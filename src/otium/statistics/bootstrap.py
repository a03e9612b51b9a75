"""Means over clusters of answers, with intervals that hold for few clusters.

Answers to one question are alike, hence the question is the unit. The percentile bootstrap
undercovers with few units (Hesterberg 2015, The American Statistician 69); the bootstrap-t
(Efron & Tibshirani 1993, chapter 12) does not, but runs wild where resamples have hardly any
spread. So each side of an interval is the bootstrap-t's, never narrower than Student's t and
never wider than three times that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING

from otium.errors import BadInput
from otium.statistics.proportions import NORMAL, score_interval
from otium.statistics.records import LIMIT, Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 2000
"""Resamples of a bootstrap."""
_LEAST_SPREAD = 1e-12
"""The least standard error of a resample, as a part of the largest shift."""
_SKEWED = 0.35
_WIDEST = 3.0
"""The most a side may exceed Student's t, in multiples of it."""
_METHOD = "bootstrap-t over clusters"
_SHARE = "Wilson with the clusters' effective n, bootstrap-t over clusters"
Clusters = Sequence[Sequence[float]]


def clustered_mean(
    clusters: Clusters,
    *,
    within: tuple[float, float] = (-LIMIT, LIMIT),
    seed: int = 0,
    draws: int = DRAWS,
) -> Estimate:
    """Return the mean of the clusters' means, each cluster counting once.

    ``within`` is the scale, such as (1, 7): it bounds the interval. Empty clusters are left
    out. A single cluster says nothing about others: its interval is the whole scale.
    """
    return mean_of(_means(clusters), within=within, seed=seed, draws=draws)


def clustered_share(clusters: Clusters, *, seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Return the mean of the clusters' shares of ones, with an interval inside [0, 1].

    Wilson's interval with the number of independent trials that would scatter as the clusters
    do (Korn & Graubard 1998). If all clusters are all zeros or all ones, nothing shows how
    alike a cluster's answers are, and each counts as a trial.
    """
    import numpy as np

    shares = _means(clusters)
    if len(shares) and not (shares.min() >= 0 and shares.max() <= 1):
        raise BadInput(what="a share", why="its answers must be 0 or 1")
    units, answers = len(shares), sum(map(len, clusters))
    value = float(shares.mean()) if units else 0.0
    if units < 2:  # noqa: PLR2004 - one cluster has no spread
        return Estimate(value=value, low=0.0, high=1.0, n=units, method=_SHARE)
    variance = float(np.var(shares, ddof=1)) / units
    alike = value * (1 - value) / variance if variance > 0 else float(answers)
    effective = min(float(answers), max(units / 2, alike))
    down, up = _reach(shares, value, quantiles(shares, seed=seed, draws=draws))
    low, _ = score_interval(value, effective, down)
    _, high = score_interval(value, effective, up)
    return Estimate(value=value, low=low, high=high, n=units, method=_SHARE)


def paired_shift(
    high: Mapping[str, Sequence[float]] | Clusters,
    low: Mapping[str, Sequence[float]] | Clusters,
    *,
    within: tuple[float, float] = (-LIMIT, LIMIT),
    seed: int = 0,
    draws: int = DRAWS,
) -> Estimate:
    """Return the mean over clusters of how far *high* lies above *low*.

    The arms are paired by name, or by place in two sequences of equal length. Clusters that
    one of the arms lacks are left out.
    """
    import numpy as np

    upper, lower = _named(high), _named(low)
    if not isinstance(high, Mapping) and len(upper) != len(lower):
        raise BadInput(what="a paired shift", why=f"{len(upper)} clusters against {len(lower)}")
    both = [(upper[name], lower[name]) for name in upper if upper[name] and lower.get(name)]
    shifts = np.array([np.mean(up) - np.mean(down) for up, down in both], dtype=np.float64)
    return mean_of(shifts, within=within, seed=seed, draws=draws)


def flip_rate(
    cells: Sequence[Sequence[Hashable]], *, seed: int = 0, draws: int = DRAWS
) -> Estimate:
    """Return the chance that two answers to the same thing differ.

    A cell holds the answers to one thing under harmless changes (order, wording, seed). Its
    share of differing pairs is unbiased however many answers it has; cells of one answer are
    left out.
    """
    rates = [_differing(cell) for cell in cells if len(cell) > 1]
    return clustered_share([(rate,) * 2 for rate in rates], seed=seed, draws=draws)


def mean_of(
    units: Floats,
    *,
    within: tuple[float, float] = (-LIMIT, LIMIT),
    seed: int = 0,
    draws: int = DRAWS,
    method: str = _METHOD,
    skew: float = 0.0,
) -> Estimate:
    """Return the mean of independent *units*, with its bootstrap-t interval.

    ``skew`` is the units' skewness where theory knows it: few units hardly show it, so the side
    upward is then never narrower than Student's t with half of Hall's correction (1992, The
    Bootstrap and Edgeworth Expansion); half, because part of the units is not skewed.
    """
    n = len(units)
    value = float(units.mean()) if n else 0.0
    if n < 2:  # noqa: PLR2004 - one unit has no spread
        return Estimate(value=value, low=within[0], high=within[1], n=n, method=method)
    error = sqrt(float(units.var(ddof=1)) / n)
    # Shares that are equal in truth differ in their last digit.
    if error <= float(abs(units).max()) * _LEAST_SPREAD:
        return _alike(value, within, n)
    down, up = quantiles(units, seed=seed, draws=draws)
    up = max(up, _skewed(skew, n))
    low, high = max(within[0], value - down * error), min(within[1], value + up * error)
    return Estimate(value=value, low=low, high=high, n=n, method=method)


def _alike(value: float, within: tuple[float, float], n: int) -> Estimate:
    """Return the interval of *n* units that are all *value*.

    That none of them differs leaves room for a part of 1 - 0.05^(1/n) that do (the rule of three,
    Hanley & Lippman-Hand 1983), by as much as the scale has.
    """
    part = 1 - 0.05 ** (1 / n)
    low = value - part * (value - within[0]) if within[0] > -LIMIT else value
    high = value + part * (within[1] - value) if within[1] < LIMIT else value
    return Estimate(value=value, low=low, high=high, n=n, method="rule of three, all units alike")


def quantiles(units: Floats, *, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """Return how many standard errors the interval of the mean reaches down and up."""
    import numpy as np

    drawn = units[resamples(len(units), seed=seed, draws=draws)]
    errors = drawn.std(axis=1, ddof=1) / sqrt(len(units))
    return sides(drawn.mean(axis=1) - units.mean(), errors, np.float64(len(units) - 1))


def sides(shifts: Floats, errors: Floats, freedom: float) -> tuple[float, float]:
    """Return the bootstrap-t's reach down and up, in standard errors, kept near Student's t."""
    import numpy as np
    from scipy.special import stdtrit

    student = float(stdtrit(freedom, 0.975))
    # A resample without spread reaches as far as one may, and not beyond the largest number.
    least = max(float(np.finfo(np.float64).tiny), float(np.abs(shifts).max()) * _LEAST_SPREAD)
    low, high = np.quantile(shifts / np.maximum(errors, least), (0.025, 0.975))
    most = _WIDEST * student
    return min(most, max(student, float(high))), min(most, max(student, -float(low)))


def _skewed(skew: float, n: int) -> float:
    """Return the upper quantile of a studentised mean of *n* units of this skewness."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.975)) + skew * (1 + 2 * NORMAL**2) / (12 * sqrt(n))


def _reach(shares: Floats, value: float, drawn: tuple[float, float]) -> tuple[float, float]:
    """Return the quantiles of a share's interval, down and up.

    Wilson's interval is wide enough near 1/2 with a quantile between the normal and Student's
    t. Far from it shares are skewed: there it is Student's t, and toward 1/2 the bootstrap-t up
    to 1.35 times that. The figures are by simulation (tests/statistics).
    """
    from scipy.special import stdtrit

    student, skew = float(stdtrit(len(shares) - 1, 0.975)), abs(1 - 2 * value)
    near = student - (student - NORMAL) * (1 - skew) / 2
    far = near * (1 + _SKEWED * skew)
    down, up = (min(far, max(near, side)) for side in drawn)
    return (near, up) if value < 0.5 else (down, near)  # noqa: PLR2004 - the middle


def resamples(n: int, *, seed: int, draws: int) -> NDArray[np.int64]:
    """Return *draws* rows of *n* places, drawn with replacement."""
    import numpy as np

    return np.random.default_rng(seed).integers(0, n, (draws, n))


def _means(clusters: Clusters) -> Floats:
    import numpy as np

    return np.array([sum(each) / len(each) for each in clusters if len(each)], dtype=np.float64)


def _named(
    clusters: Mapping[str, Sequence[float]] | Clusters,
) -> dict[str, Sequence[float]]:
    if isinstance(clusters, Mapping):
        return dict(clusters)
    return {str(place): each for place, each in enumerate(clusters)}


def _differing(cell: Sequence[Hashable]) -> float:
    n = len(cell)
    same = sum(count * (count - 1) for count in Counter(cell).values())
    return 1 - same / (n * (n - 1))
