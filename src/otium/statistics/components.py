"""Variance components: a generalizability study (Brennan 2001) of answers under conditions.

The object of measurement is the question. Within each question the facets' effects are fitted
together, so that an unbalanced design does not pass one facet's variance to another; the
variance of a facet is half the mean square of the differences between its levels, less what
sessions alone would give. That is unbiased in any design in which the levels can be told
apart, and a mean over questions, so that its interval needs no normal answers.

The variance between questions is that of few numbers, for which the bootstrap undercovers;
its interval is Bonett's, with the kurtosis estimated, and what the answers' scatter takes off
is put in by the variance estimates recovery of Zou & Donner.

Sources: R. L. Brennan, *Generalizability Theory* (2001), for the coefficients; C. R. Henderson,
Biometrics 9 (1953), for fitting constants; D. G. Bonett, Computational Statistics & Data
Analysis 50 (2006); G. Y. Zou & A. Donner, Statistics in Medicine 27 (2008).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import exp, hypot, inf, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from otium.errors import BadInput
from otium.statistics.bootstrap import DRAWS, mean_of
from otium.statistics.proportions import NORMAL
from otium.statistics.records import LIMIT, Estimate, Observation, Study

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

QUESTION, SESSION, RESIDUAL = "question", "session", "residual"
_METHOD = "G-study, bootstrap-t over questions"
_BETWEEN = "G-study, Bonett 2006 and MOVER"
_TINY = 1e-9
_FEWEST = 6
"""Questions below which the variance between them has no interval to trust."""
_Row = tuple[float, dict[str, str]]


class _Fit(NamedTuple):
    """What one question's answers say."""

    mean: float
    answers: int
    rest: float
    """The residual sum of squares."""
    freedom: int
    steps: dict[str, dict[tuple[str, str], tuple[float, float]]]
    """By facet and pair of levels: their difference, and its variance in residual variances."""
    crowding: dict[str, float]
    """By facet, the chance that two answers drawn with replacement share its level."""


class _Spread(NamedTuple):
    """A variance and the bounds of its logarithm."""

    variance: float
    low: float
    high: float


def generalizability(
    observations: Sequence[Observation], *, seed: int = 0, draws: int = DRAWS
) -> Study:
    """Return where the variance of *observations* comes from, with intervals over questions.

    Each needs the facet ``question``. Answers alike in all facets, the session too, are one
    answer: their mean. Interactions of two facets within a question count as residual. Levels
    that stand for themselves (an up and a down wording) and levels drawn at random are treated
    alike: the interval speaks for other questions, not for other levels.
    """
    rows = _merged(observations)
    facets = sorted({name for _, row in rows for name in row} - {QUESTION, SESSION})
    varied = [name for name in facets if len({row.get(name, "") for _, row in rows}) > 1]
    fits = _fitted(rows, varied)
    noise = _residuals(fits)
    excess = {name: _excess(fits, name, noise) for name in varied}
    seen = {name: by for name, by in excess.items() if by}
    shared = {name: _shared(fits, name) for name in seen}
    variance = {
        name: _mean(list(by.values()), seed, draws, skew=_skew(fits, name))
        for name, by in seen.items()
    }
    lost = _lost(fits, noise, seen, shared)
    spread = _spread([fit.mean for fit in fits])
    everything = {QUESTION: _between(spread, lost)} | variance
    told = [fit.rest / fit.freedom for fit in fits if fit.freedom]
    everything[RESIDUAL] = _mean(told, seed, draws, least=0.0)
    offset = sum(
        shared[name] * sum(fit.crowding[name] for fit in fits) / len(fits) for name in seen
    )
    return Study(
        variance=everything,
        shared=shared,
        shares=_shares(everything),
        relative=_coefficient(spread, lost, 0.0),
        absolute=_coefficient(spread, lost, max(0.0, offset)),
        unseen=tuple(name for name in varied if name not in seen),
    )


def _merged(observations: Sequence[Observation]) -> list[_Row]:
    """Return the answers, those of equal facets as one."""
    groups: dict[tuple[tuple[str, str], ...], list[float]] = defaultdict(list)
    for place, each in enumerate(observations):
        if QUESTION not in each.facets:
            raise BadInput(what="a variance component", why="an observation names no question")
        own = [] if SESSION in each.facets else [(SESSION, str(place))]
        groups[tuple(sorted([*each.facets.items(), *own]))].append(each.value)
    return [(sum(values) / len(values), dict(key)) for key, values in groups.items()]


def _fitted(rows: list[_Row], facets: list[str]) -> list[_Fit]:
    """Fit each question, after what the facets do to all questions alike is taken away."""
    import numpy as np

    if not rows:
        return []
    common, _ = _design([row for _, row in rows], [QUESTION, *facets])
    values = np.array([value for value, _ in rows])
    questions = len({row[QUESTION] for _, row in rows})
    effects = np.linalg.lstsq(common, values, rcond=None)[0]
    effects[:questions] = 0
    plain = values - common @ effects
    places: dict[str, list[int]] = defaultdict(list)
    for place, (_, row) in enumerate(rows):
        places[row[QUESTION]].append(place)
    return [
        _question(values[at], float(plain[at].mean()), [rows[place][1] for place in at], facets)
        for at in places.values()
    ]


def _design(
    rows: Sequence[Mapping[str, str]], facets: Sequence[str]
) -> tuple[Floats, dict[str, dict[str, int]]]:
    """Return a column for each level of each facet, and where it stands."""
    import numpy as np

    columns: dict[str, dict[str, int]] = {}
    width = 0
    for name in facets:
        levels = sorted({row.get(name, "") for row in rows})
        columns[name] = {level: width + spot for spot, level in enumerate(levels)}
        width += len(levels)
    design = np.zeros((len(rows), width))
    for place, row in enumerate(rows):
        for name in facets:
            design[place, columns[name][row.get(name, "")]] = 1
    return design, columns


def _question(
    values: Floats, mean: float, rows: Sequence[Mapping[str, str]], facets: Sequence[str]
) -> _Fit:
    import numpy as np

    own, columns = _design(rows, facets)
    design = np.hstack([np.ones((len(rows), 1)), own])
    gram = design.T @ design
    inverse = np.linalg.pinv(gram, hermitian=True)
    effects, image = inverse @ (design.T @ values), inverse @ gram
    # What is left of equal values is rounding, which shares would blow up.
    least = _TINY * float(np.abs(values).max())
    rest = float(((values - design @ effects) ** 2).sum())
    rest = rest if rest > least**2 else 0.0
    steps: dict[str, dict[tuple[str, str], tuple[float, float]]] = {}
    for name in facets:
        pairs = list(combinations(columns[name], 2))
        contrast = np.zeros((len(pairs), design.shape[1]))
        for spot, (one, other) in enumerate(pairs):
            contrast[spot, 1 + columns[name][one]], contrast[spot, 1 + columns[name][other]] = 1, -1
        told = np.abs(contrast @ image - contrast).max(axis=1, initial=0) < _TINY
        size, cost = contrast @ effects, np.einsum("ij,jk,ik->i", contrast, inverse, contrast)
        size[np.abs(size) < least] = 0
        steps[name] = {
            pair: (float(size[at]), float(cost[at])) for at, pair in enumerate(pairs) if told[at]
        }
    counts = own.sum(axis=0) / len(rows)
    return _Fit(
        mean=mean,
        answers=len(rows),
        rest=rest,
        freedom=len(rows) - round(float(np.trace(image))),
        steps=steps,
        crowding={
            name: float(sum(counts[at] ** 2 for at in columns[name].values())) for name in facets
        },
    )


def _residuals(fits: list[_Fit]) -> list[float]:
    """Return each question's residual variance, the pooled one where it has none of its own."""
    freedom = sum(fit.freedom for fit in fits)
    pooled = sum(fit.rest for fit in fits if fit.freedom) / freedom if freedom else 0.0
    return [fit.rest / fit.freedom if fit.freedom else pooled for fit in fits]


def _excess(fits: list[_Fit], name: str, noise: list[float]) -> dict[int, float]:
    """Return the facet's variance within each question in which its levels can be told apart."""
    found = {}
    for place, (fit, rest) in enumerate(zip(fits, noise, strict=True)):
        if steps := fit.steps[name].values():
            found[place] = sum(size**2 - cost * rest for size, cost in steps) / (2 * len(steps))
    return found


def _shared(fits: list[_Fit], name: str) -> float:
    """Return the variance of the facet's effects common to all questions (a U-statistic)."""
    sizes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for fit in fits:
        for pair, (size, _) in fit.steps[name].items():
            sizes[pair].append(size)
    found = [
        (sum(each) ** 2 - sum(size**2 for size in each)) / (2 * len(each) * (len(each) - 1))
        for each in sizes.values()
        if len(each) > 1
    ]
    return sum(found) / len(found) if found else 0.0


def _lost(
    fits: list[_Fit],
    noise: list[float],
    excess: Mapping[str, Mapping[int, float]],
    shared: Mapping[str, float],
) -> list[float]:
    """Return the variance of each question's mean over other conditions and sessions."""
    lost = [rest / fit.answers for fit, rest in zip(fits, noise, strict=True)]
    for name, by in excess.items():
        usual = sum(by.values()) / len(by)
        for place, fit in enumerate(fits):
            lost[place] += (by.get(place, usual) - shared[name]) * fit.crowding[name]
    return lost


def _skew(fits: list[_Fit], name: str) -> float:
    """Return the skewness of a mean square between as many levels as questions have."""
    pairs = [len(steps) for fit in fits if (steps := fit.steps[name])]
    levels = (1 + sqrt(1 + 8 * sum(pairs) / len(pairs))) / 2
    return sqrt(8 / (levels - 1))


def _spread(means: Sequence[float]) -> _Spread | None:
    """Return the variance of *means* and the bounds of its logarithm (Bonett 2006)."""
    import numpy as np

    n = len(means)
    if n < 2:  # noqa: PLR2004 - one question has no spread
        return None
    x = np.sort(np.array(means))
    away = x - x.mean()
    variance = float(away @ away) / (n - 1)
    if variance <= _TINY**2 * float(x @ x) / n:
        return _Spread(0.0, -inf, -inf)
    if n < _FEWEST:
        return _Spread(variance, -inf, inf)
    cut = int(n / (2 * sqrt(n - 4)))
    kurtosis = n * float(((x - x[cut : n - cut].mean()) ** 4).sum()) / float(away @ away) ** 2
    small = n / (n - NORMAL)
    half = NORMAL * small * sqrt(max(_TINY, (kurtosis - (n - 3) / n) / (n - 1)))
    centre = log(small * variance)
    return _Spread(variance, centre - half, centre + half)


def _noise(lost: Sequence[float]) -> tuple[float, float]:
    """Return the mean of *lost* and the half width of its interval (Student's t)."""
    import numpy as np
    from scipy.special import stdtrit

    values, n = np.array(lost), len(lost)
    return float(values.mean()), float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / sqrt(n))


def _between(spread: _Spread | None, lost: Sequence[float]) -> Estimate:
    """Return the variance between questions, without what their answers' scatter adds."""
    n = len(lost)
    if spread is None:
        return Estimate(value=0.0, low=-LIMIT, high=LIMIT, n=0, method=_BETWEEN)
    noise, half = _noise(lost)
    value = spread.variance - noise
    low = value - hypot(spread.variance - exp(spread.low), half)
    high = value + hypot(max(0.0, exp(spread.high) - spread.variance), half)
    return Estimate(value=value, low=low, high=min(LIMIT, high), n=n, method=_BETWEEN)


def _coefficient(spread: _Spread | None, lost: Sequence[float], offset: float) -> Estimate:
    """Return true over observed variance of the questions' means; *offset* is error they share.

    With the correction of Kristof (Psychometrika 28, 1963), without which the ratio is too low.
    """
    if spread is None:
        return Estimate(value=0.0, low=0.0, high=1.0, n=0, method=_BETWEEN)
    noise, half = _noise(lost)
    wrong, seen, n = noise + offset, spread.variance + offset, len(lost)
    kept = (n - 3) / (n - 1) if n >= _FEWEST else 1.0
    value = max(0.0, min(1.0, 1 - kept * wrong / seen)) if spread.variance else 0.0
    if wrong <= 0 or not spread.variance:
        return Estimate(value=value, low=0.0, high=1.0, n=len(lost), method=_BETWEEN)
    centre, reach, middle = log(wrong / seen), half / wrong, log(spread.variance)
    low = 1 - exp(centre + hypot(middle - spread.low, reach))
    high = 1 - exp(centre - hypot(max(0.0, spread.high - middle), reach))
    low, high = max(0.0, min(value, low)), min(1.0, max(value, high))
    return Estimate(value=value, low=low, high=high, n=len(lost), method=_BETWEEN)


def _mean(
    parts: Sequence[float], seed: int, draws: int, *, least: float = -LIMIT, skew: float = 0.0
) -> Estimate:
    import numpy as np

    values, within = np.array(parts, dtype=np.float64), (least, LIMIT)
    return mean_of(values, within=within, seed=seed, draws=draws, method=_METHOD, skew=skew)


def _shares(variance: Mapping[str, Estimate]) -> dict[str, float]:
    clipped = {name: max(0.0, each.value) for name, each in variance.items()}
    total = sum(clipped.values())
    return {name: value / total if total else 0.0 for name, value in clipped.items()}
