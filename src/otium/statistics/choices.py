"""The worth of items by paired comparison: Bradley-Terry and Thurstone's Case V.

The chance that the item shown first is chosen is F(worth of the first - worth of the second +
order), with F the logistic (Bradley & Terry 1952) or the normal distribution function
(Thurstone 1927, Case V, the difference's standard deviation being one). The order effect is
Davidson & Beaver's (1977). Maximum likelihood drives worths apart, and without bound where
choices are separated; the score is therefore Firth's (Biometrika 80, 1993; Kosmidis & Firth,
Biometrika 96, 2009, for the normal), free of that bias to first order. Behind each worth stands
a weak prior besides, for items that nothing connects: normal, mean zero, standard deviation 10
(logistic) or 6 (normal). Intervals come from the expected information; they take choices of one
pair for independent, as they are between sessions of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from otium.errors import BadInput
from otium.statistics.proportions import NORMAL, wilson
from otium.statistics.records import LIMIT, Comparison, Estimate, Fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

Model = Literal["Bradley-Terry", "Thurstone"]
_PRIOR: dict[Model, float] = {"Bradley-Terry": 10.0, "Thurstone": 6.0}
_FOLDS = 5
_STEPS = 200
_CLOSE = 1e-8
_CURVED = "{}, Firth 1993, expected information"


class _Choices(NamedTuple):
    """Decided comparisons as numbers."""

    items: list[str]
    first: Places
    second: Places
    won: Floats
    """1 where the first was chosen, 0 where the second was."""


def bradley_terry(comparisons: Sequence[Comparison], *, baseline: str = "", seed: int = 0) -> Fit:
    """Return the items' worth in log odds, zero at *baseline* or, if empty, at their mean.

    ``seed`` orders the folds by which foresight is measured. Ties and unreadable answers are
    counted and take no part.
    """
    return _fit("Bradley-Terry", comparisons, baseline, seed)


def thurstone(comparisons: Sequence[Comparison], *, baseline: str = "", seed: int = 0) -> Fit:
    """Return the items' worth in standard deviations of a difference, as `bradley_terry` does."""
    return _fit("Thurstone", comparisons, baseline, seed)


def next_pairs(
    comparisons: Sequence[Comparison], count: int, *, items: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the *count* pairs from which a Bradley-Terry scale would learn most.

    By the information p(1-p) of a choice times the variance of the pair's difference
    (D-optimal), one pair after the other as if those before were already decided. Each pair
    comes once, in front the item that was shown first less often. *items* names those not yet
    compared.
    """
    choices = _numbered(comparisons, items)
    theta, covariance = _maximise("Bradley-Terry", choices)
    ahead = _spread(choices, choices.won * 0 + 1, len(theta))
    pairs: list[tuple[str, str]] = []
    for one, other in _informative(theta[:-1], covariance[:-1, :-1], count):
        front, back = (one, other) if ahead[one] <= ahead[other] else (other, one)
        ahead[front] += 1
        ahead[back] -= 1
        pairs.append((choices.items[front], choices.items[back]))
    return pairs


def _informative(worth: Floats, covariance: Floats, count: int) -> Iterator[tuple[int, int]]:
    """Yield up to *count* pairs of places, each the most informative after those before."""
    import numpy as np

    one, other = np.triu_indices(len(worth), 1)
    chance = 1 / (1 + np.exp(np.clip(worth[other] - worth[one], -700, 700)))
    weight = chance * (1 - chance)
    for _ in range(min(count, len(one))):
        spread = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
        best = int(np.argmax(weight * spread))
        change = covariance[:, one[best]] - covariance[:, other[best]]
        scale = weight[best] / (1 + weight[best] * spread[best])
        covariance = covariance - scale * np.outer(change, change)
        weight[best] = 0
        yield int(one[best]), int(other[best])


def order_consistency(comparisons: Sequence[Comparison]) -> Estimate:
    """Return, of pairs decided in both orders, the share with the same winner in both.

    The winner in an order is the one chosen more often there; a draw decides nothing.
    """
    ordered = _leads(comparisons)
    same = both = 0
    for (first, second), lead in ordered.items():
        back = ordered.get((second, first), 0)
        if first < second and lead and back:
            both += 1
            same += (lead > 0) == (back < 0)
    return wilson(same, both)


def cycle_rate(comparisons: Sequence[Comparison]) -> Estimate:
    """Return the share of circular triads among triples with three decided pairs.

    After Kendall & Babington Smith (Biometrika 31, 1940); 0.25 if choices are chance. A pair's
    winner is the one chosen more often in both orders together. Triples share items, hence the
    interval counts only as many of them as can be drawn without sharing a pair: decided pairs
    over three.
    """
    import numpy as np

    beaten: dict[tuple[str, str], int] = defaultdict(int)
    for (first, second), lead in _leads(comparisons).items():
        beaten[first, second] += lead
        beaten[second, first] -= lead
    items = sorted({item for pair in beaten for item in pair})
    wins = np.array([[beaten.get((a, b), 0) > 0 for b in items] for a in items], dtype=np.float64)
    if not wins.any():
        return wilson(0, 0)
    decided = wins + wins.T
    rounds = float(np.trace(wins @ wins @ wins)) / 3
    triples = float(np.trace(decided @ decided @ decided)) / 6
    if not triples:
        return wilson(0, 0)
    units = max(1, int(decided.sum()) // 6)
    found = wilson(rounds / triples * units, units)
    return Estimate(
        value=rounds / triples,
        low=found.low,
        high=found.high,
        n=units,
        method="circular triads, Wilson on pairs over three",
    )


def _fit(model: Model, comparisons: Sequence[Comparison], baseline: str, seed: int) -> Fit:
    choices = _numbered(comparisons, (baseline,) if baseline else ())
    if baseline and not any(baseline in (each.first, each.second) for each in comparisons):
        raise BadInput(what="a baseline", why=f"{baseline!r} was never compared")
    theta, covariance = _maximise(model, choices)
    decided = len(choices.won)
    return Fit(
        model=model,
        worth=_worths(model, choices, theta, covariance, baseline),
        baseline=baseline,
        order=_estimate(model, float(theta[-1]), float(covariance[-1, -1]), decided),
        log_likelihood=_likelihood(model, theta, choices),
        decided=decided,
        ties=sum(each.chosen == "tie" for each in comparisons),
        unreadable=sum(each.chosen == "unreadable" for each in comparisons),
        accuracy=_foresight(model, choices, seed),
        consistency=order_consistency(comparisons),
        cycles=cycle_rate(comparisons),
    )


def _worths(
    model: Model, choices: _Choices, theta: Floats, covariance: Floats, baseline: str
) -> dict[str, Estimate]:
    """Return each item's worth less the baseline's, or less the mean."""
    import numpy as np

    count = len(choices.items)
    if not count:
        return {}
    zero = np.full(count, 1 / count)
    if baseline:
        zero = np.eye(count)[choices.items.index(baseline)]
    shift = np.eye(count) - zero
    worth = shift @ theta[:-1]
    spread = np.diag(shift @ covariance[:-1, :-1] @ shift.T)
    times = np.bincount(choices.first, minlength=count)
    times = times + np.bincount(choices.second, minlength=count)
    return {
        item: _estimate(
            model, float(worth[at]), float(spread[at]), int(times[at]), item == baseline
        )
        for at, item in enumerate(choices.items)
    }


def _estimate(
    model: Model,
    value: float,
    variance: float,
    n: int,
    fixed: bool = False,  # noqa: FBT001, FBT002 - of this module only
) -> Estimate:
    half = NORMAL * sqrt(max(0.0, variance)) if n or fixed else LIMIT
    low, high = max(-LIMIT, value - half), min(LIMIT, value + half)
    return Estimate(value=value, low=low, high=high, n=n, method=_CURVED.format(model))


def _numbered(comparisons: Sequence[Comparison], items: Sequence[str] = ()) -> _Choices:
    import numpy as np

    names = sorted({*items} | {name for each in comparisons for name in (each.first, each.second)})
    place = {name: at for at, name in enumerate(names)}
    decided = [each for each in comparisons if each.chosen in {"first", "second"}]
    if any(each.first == each.second for each in comparisons):
        raise BadInput(what="a comparison", why="it sets an item against itself")
    return _Choices(
        items=names,
        first=np.array([place[each.first] for each in decided], dtype=np.int64),
        second=np.array([place[each.second] for each in decided], dtype=np.int64),
        won=np.array([each.chosen == "first" for each in decided], dtype=np.float64),
    )


def _maximise(model: Model, choices: _Choices) -> tuple[Floats, Floats]:
    """Return the worths and the order effect, and their covariance, by Fisher's scoring."""
    import numpy as np

    size = len(choices.items) + 1
    prior = np.full(size, _PRIOR[model] ** -2)
    theta, covariance = np.zeros(size), np.diag(1 / prior)
    for _ in range(_STEPS):
        ahead = _ahead(theta, choices)
        slope, weight, bend = _derivatives(model, ahead, choices.won)
        curve = _information(choices, weight, size) + np.diag(prior)
        covariance = np.asarray(np.linalg.inv(curve), dtype=np.float64)
        slope = slope + weight * _variance(covariance, choices) * bend
        step = covariance @ (_spread(choices, slope, size) - prior * theta)
        step *= min(1.0, 1.0 / max(_CLOSE, float(np.abs(step).max(initial=0))))
        theta += step
        if np.abs(step).max(initial=0) < _CLOSE:
            break
    return theta, covariance


def _variance(covariance: Floats, choices: _Choices) -> Floats:
    """Return the variance of how far the first is ahead, per choice."""
    import numpy as np

    one, other, own = choices.first, choices.second, np.diag(covariance)
    pair = own[one] + own[other] - 2 * covariance[one, other]
    found: Floats = pair + own[-1] + 2 * (covariance[one, -1] - covariance[other, -1])
    return found


def _ahead(theta: Floats, choices: _Choices) -> Floats:
    ahead: Floats = theta[choices.first] - theta[choices.second] + theta[-1]
    return ahead


def _derivatives(model: Model, ahead: Floats, won: Floats) -> tuple[Floats, Floats, Floats]:
    """Return per choice the score, the expected information, and half the link's bend."""
    import numpy as np
    from scipy.special import expit, log_ndtr

    if model == "Bradley-Terry":
        chance = expit(ahead)
        return won - chance, chance * (1 - chance), 0.5 - chance
    side, density = 2 * won - 1, -ahead * ahead / 2 - np.log(2 * np.pi) / 2
    score = side * np.exp(density - log_ndtr(side * ahead))
    return score, np.exp(2 * density - log_ndtr(ahead) - log_ndtr(-ahead)), -ahead / 2


def _spread(choices: _Choices, slope: Floats, size: int) -> Floats:
    import numpy as np

    gradient: Floats = np.zeros(size)
    gradient += np.bincount(choices.first, slope, size)
    gradient -= np.bincount(choices.second, slope, size)
    gradient[-1] = slope.sum()
    return gradient


def _information(choices: _Choices, weight: Floats, size: int) -> Floats:
    import numpy as np

    pairs = np.bincount(choices.first * size + choices.second, weight, size * size)
    both = pairs.reshape(size, size)
    both = both + both.T
    curve: Floats = np.diag(both.sum(axis=1)) - both
    order = _spread(choices, weight, size)
    curve[-1, :], curve[:, -1] = order, order
    return curve


def _likelihood(model: Model, theta: Floats, choices: _Choices) -> float:
    from scipy.special import log_expit, log_ndtr

    side = (2 * choices.won - 1) * _ahead(theta, choices)
    return float((log_expit(side) if model == "Bradley-Terry" else log_ndtr(side)).sum())


def _foresight(model: Model, choices: _Choices, seed: int) -> Estimate:
    """Return the share of choices foretold by a scale fitted to the other folds."""
    import numpy as np

    n = len(choices.won)
    if n < _FOLDS:
        return wilson(0, 0)
    fold = np.random.default_rng(seed).permutation(n) % _FOLDS
    right = 0.0
    for held in range(_FOLDS):
        kept, out = _some(choices, fold != held), _some(choices, fold == held)
        ahead = _ahead(_maximise(model, kept)[0], out)
        right += float(np.where(ahead == 0, 0.5, (ahead > 0) == (out.won > 0)).sum())
    return wilson(right, n)


def _some(choices: _Choices, which: NDArray[np.bool_]) -> _Choices:
    return choices._replace(
        first=choices.first[which], second=choices.second[which], won=choices.won[which]
    )


def _leads(comparisons: Sequence[Comparison]) -> Mapping[tuple[str, str], int]:
    """Return by how many choices the first leads, per ordered pair."""
    leads: dict[tuple[str, str], int] = defaultdict(int)
    for each in comparisons:
        leads[each.first, each.second] += {"first": 1, "second": -1}.get(each.chosen, 0)
    return leads
