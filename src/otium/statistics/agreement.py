"""Agreement among those who code: Krippendorff's alpha."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from otium.errors import BadInput
from otium.statistics.bootstrap import DRAWS, resamples, sides
from otium.statistics.proportions import wilson
from otium.statistics.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Level = Literal["nominal", "ordinal", "interval"]
Rating = str | float | None
_METHOD = "Krippendorff's alpha, {}, bootstrap-t over units"


def krippendorff(
    ratings: Sequence[Sequence[Rating]],
    level: Level = "nominal",
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Estimate:
    """Return Krippendorff's alpha of *ratings*, units by raters, None where a rater gave none.

    After Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*. 1 is agreement, 0
    what chance would give. ``n`` counts units with two ratings or more; without variation
    among all values alpha is undefined, and the estimate unknown: (-1, 1) with ``n`` 0.
    Ordinal and interval levels need numbers.
    """
    method, counts, values = _METHOD.format(level), *_counted(ratings, level)
    if len(values) < 2:  # noqa: PLR2004 - one value does not vary
        return Estimate(value=0.0, low=-1.0, high=1.0, n=0, method=method)
    import numpy as np

    units = len(counts)
    everything = np.ones((1, units))
    ratio, error = (float(each[0]) for each in _ratios(counts, values, level, everything))
    if units < 2:  # noqa: PLR2004 - one unit has no spread
        return Estimate(value=1 - ratio, low=-1.0, high=1.0, n=units, method=method)
    if ratio == 0:
        return _perfect(units, method)
    drawn = resamples(units, seed=seed, draws=draws)
    flat = (drawn + units * np.arange(draws)[:, None]).ravel()
    weights = np.bincount(flat, minlength=draws * units).reshape(draws, units)
    shifts, errors = _ratios(counts, values, level, weights.astype(np.float64))
    varied = np.isfinite(shifts)
    if not error:
        return _alike(1 - ratio, units, method)
    down, up = sides(shifts[varied] - ratio, errors[varied], float(units - 1))
    low, high = max(-1.0, 1 - ratio - up * error), min(1.0, 1 - ratio + down * error)
    return Estimate(value=1 - ratio, low=low, high=high, n=units, method=method)


def _perfect(units: int, method: str) -> Estimate:
    """Return an alpha of 1, of which as many units as Wilson's bound allows may yet differ.

    A unit that differs is taken to differ as two values by chance do.
    """
    most = wilson(0, units).high
    return Estimate(value=1.0, low=1 - most, high=1.0, n=units, method=method)


def _alike(value: float, units: int, method: str) -> Estimate:
    """Return an alpha to which all units add alike: as many may yet differ, and by any amount."""
    part = wilson(0, units).high
    low, high = value - part * (value + 1), value + part * (1 - value)
    return Estimate(value=value, low=low, high=high, n=units, method=method)


def _counted(ratings: Sequence[Sequence[Rating]], level: Level) -> tuple[Floats, list[Rating]]:
    """Return how often each unit got each value, and the values in order."""
    import numpy as np

    units = [kept for unit in ratings if len(kept := [r for r in unit if r is not None]) > 1]
    seen = {rating for unit in units for rating in unit}
    if level != "nominal" and any(isinstance(rating, str) for rating in seen):
        raise BadInput(what=f"an {level} agreement", why="its ratings must be numbers")
    values = sorted(seen, key=lambda rating: (isinstance(rating, str), rating))
    place = {rating: spot for spot, rating in enumerate(values)}
    counts = np.zeros((len(units), len(values)))
    for row, unit in enumerate(units):
        for rating in unit:
            counts[row, place[rating]] += 1
    return counts, list(values)


def _ratios(
    counts: Floats, values: list[Rating], level: Level, weights: Floats
) -> tuple[Floats, Floats]:
    """Return observed over expected disagreement and its standard error, per row of *weights*.

    The error is the infinitesimal jackknife's, the distances taken as given. Rows whose
    resample has no variation are NaN.
    """
    import numpy as np

    sizes, units = counts.sum(axis=1), counts.shape[0]
    totals = weights @ counts
    size = weights @ sizes
    metric = _metric(totals, values, level)
    within = np.empty((len(weights), units))
    expected = np.empty((len(weights), units))
    for row, distance in enumerate(metric if len(metric) > 1 else ()):
        within[row] = np.einsum("uv,vw,uw->u", counts, distance, counts)
        expected[row] = counts @ (distance @ totals[row])
    if len(metric) == 1:
        within[:] = np.einsum("uv,vw,uw->u", counts, metric[0], counts)
        expected[:] = totals @ metric[0] @ counts.T
    within /= sizes - 1
    observed, chance = (weights * within).sum(axis=1), (weights * expected).sum(axis=1)
    observed, chance = observed[:, None], chance[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (size - 1) * (observed / chance)[:, 0]
        pull = (size - 1)[:, None] * (within - 2 * observed / chance * expected) / chance
        pull += ratios[:, None] * sizes / size[:, None]
        errors = np.sqrt((weights * pull**2).sum(axis=1) * units / max(1, units - 1))
    return ratios, errors


def _metric(totals: Floats, values: list[Rating], level: Level) -> Floats:
    """Return the squared distances of values, one matrix, or one a row where they depend on it."""
    import numpy as np

    if level == "nominal":
        return (1 - np.eye(len(values)))[None]
    if level == "interval":
        scale = np.array(values, dtype=np.float64)
        return ((scale[:, None] - scale) ** 2)[None]
    middle = totals.cumsum(axis=1) - totals / 2
    distance: Floats = (middle[:, :, None] - middle[:, None, :]) ** 2
    return distance
