"""How well a score tells one kind of text from another: the area under the curve.

The variance is DeLong's (1988, Biometrics 44) in Obuchowski's form for clusters (1997, Biometrics
53). The interval is the score interval of Newcombe (2006, Statistics in Medicine 25, method 5)
with as many texts as would scatter so, and Student's t over clusters: the area stays inside [0, 1]
and a perfect one keeps an honest lower end.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from otium.effects.paired import quantile
from otium.errors import BadInput
from otium.statistics import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_METHOD = "AUC, Obuchowski 1997 over clusters, Newcombe 2006"
_DIFFERENCE = "difference of AUCs, DeLong 1988 and Obuchowski 1997 over clusters"
_TINY = 1e-12
_MOST = 2.0
"""How far twins in one cluster may raise the effective number of texts."""


def auc(
    scores: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
) -> Estimate:
    """Return the chance that a text labelled true scores above one labelled false, ties half.

    ``clusters`` names what texts have in common (a base, a conversation); without it each stands
    for itself. ``n`` counts clusters. With texts of one label only it is unknown: (0, 1).
    """
    import numpy as np

    if len(scores) != len(labels) or (clusters is not None and len(clusters) != len(scores)):
        raise BadInput(what="an AUC", why="scores, labels and clusters differ in length")
    if not np.isfinite(np.array(scores, dtype=np.float64)).all():
        raise BadInput(what="an AUC", why="a score is not a number")
    truth = np.array(labels, dtype=bool)
    units = _units(clusters, len(scores))
    if not truth.any() or truth.all():
        return Estimate(value=0.0, low=0.0, high=1.0, n=0, method=_METHOD)
    return _estimate(np.array(scores, dtype=np.float64), truth, units)


def auc_difference(
    first: Sequence[float],
    second: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
) -> Estimate:
    """Return how much larger the area of *first* is than that of *second*, on the same texts.

    The variance is that of the paired placements (DeLong 1988) over clusters, with Student's t.
    Where clusters hardly differ from one another the interval is that of the rule of three.
    """
    import numpy as np

    if not len(first) == len(second) == len(labels):
        raise BadInput(what="a difference of AUCs", why="scores and labels differ in length")
    one, other = auc(first, labels, clusters), auc(second, labels, clusters)
    value = one.value - other.value
    units, truth = _units(clusters, len(labels)), np.array(labels, dtype=bool)
    n = len(np.unique(units))
    fewest = min(len(np.unique(units[truth])), len(np.unique(units[~truth])))
    if n < 3 or fewest < 2:  # noqa: PLR2004 - one cluster of a label has no spread
        return Estimate(value=value, low=-1.0, high=1.0, n=min(n, one.n), method=_DIFFERENCE)
    ups, downs = (
        a - b
        for a, b in zip(
            *(_placements(np.array(each, dtype=np.float64), truth) for each in (first, second)),
            strict=True,
        )
    )
    ups, downs = ups - ups.mean(), downs - downs.mean()
    variance = _clustered(ups, downs, units[truth], units[~truth], n)
    half = quantile(float(n - 2), 0.975) * float(np.sqrt(variance))
    moved = np.bincount(units[truth], np.abs(ups), n) + np.bincount(units[~truth], np.abs(downs), n)
    # With one cluster out of line, or none, the variance says nothing of those not seen.
    spare = 1 - 0.05 ** (1 / n) if (moved > _TINY).sum() <= 1 else 0.0
    low = value - max(half, spare * (1 + value))
    high = value + max(half, spare * (1 - value))
    return Estimate(value=value, low=max(-1.0, low), high=min(1.0, high), n=n, method=_DIFFERENCE)


def _units(clusters: Sequence[Hashable] | None, count: int) -> NDArray[np.int64]:
    """Return the number of each text's cluster, a text by itself where none is named."""
    import numpy as np

    names = range(count) if clusters is None else clusters
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([places[name] for name in names], dtype=np.int64)


def _estimate(scores: Floats, truth: NDArray[np.bool_], units: NDArray[np.int64]) -> Estimate:
    import numpy as np

    above, below = _placements(scores, truth)
    value, n = float(above.mean()), int(units.max()) + 1
    clusters = min(len(np.unique(units[truth])), len(np.unique(units[~truth])))
    if n < 3 or clusters < 2:  # noqa: PLR2004 - one cluster of a label has no spread
        return Estimate(value=value, low=0.0, high=1.0, n=n, method=_METHOD)
    true, false = len(above), len(below)
    variance = _clustered(above - value, below - value, units[truth], units[~truth], n)
    fewest = clusters / max(true, false)
    alone = float(_hanley(np.array([value]), true, false)[0])
    scale = min(_MOST, max(fewest / 2, alone / variance)) if variance > 0 else fewest
    low, high = _newcombe(value, true * scale, false * scale, quantile(float(n - 2), 0.975))
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, method=_METHOD)


def _placements(scores: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return for each true text the share of false ones below it, and the reverse."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    true, false = scores[truth], scores[~truth]
    above: Floats = (ranks[truth] - rankdata(true)) / len(false)
    below: Floats = 1 - (ranks[~truth] - rankdata(false)) / len(true)
    return above, below


def _clustered(
    above: Floats, below: Floats, true: NDArray[np.int64], false: NDArray[np.int64], n: int
) -> float:
    """Return the variance of the area (Obuchowski 1997)."""
    import numpy as np

    ups, downs = np.bincount(true, above, n), np.bincount(false, below, n)
    count, other = len(np.unique(true)), len(np.unique(false))
    first = count / (count - 1) * float((ups**2).sum()) / len(above) ** 2
    second = other / (other - 1) * float((downs**2).sum()) / len(below) ** 2
    both = n / (n - 1) * float((ups * downs).sum()) / (len(above) * len(below))
    return max(0.0, first + second + 2 * both)


def _hanley(areas: Floats, true: float, false: float) -> Floats:
    """Return the variance that Newcombe gives an area, from Hanley & McNeil 1982."""
    middle = (true + false) / 2 - 1
    spread: Floats = 1 + middle * ((1 - areas) / (2 - areas) + areas / (1 + areas))
    variance: Floats = areas * (1 - areas) * spread / (true * false)
    return variance


def _newcombe(value: float, true: float, false: float, reach: float) -> tuple[float, float]:
    import numpy as np

    areas = np.linspace(0, 1, 4001)
    held = (value - areas) ** 2 <= reach**2 * np.maximum(_hanley(areas, true, false), 0) + 1e-15
    return float(areas[held].min()), float(areas[held].max())
