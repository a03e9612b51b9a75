"""Stopping early, so that no more distressing plays are made than the answer needs.

Two ways. Looks that are planned spend the error bit by bit (Lan & DeMets 1983, Biometrika 70; the
spending function of O'Brien & Fleming 1979 or Pocock 1977) and lose hardly any power. An anytime
interval may be looked at after each play (Robbins 1970, Annals of Mathematical Statistics 41, the
beta-binomial mixture) and is wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from math import exp, lgamma, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from otium.effects.paired import Arm, Shift, differences, probability, quantile, shift
from otium.errors import BadInput
from otium.records import Part
from otium.statistics import LIMIT, Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Spending = Literal["obrien-fleming", "pocock"]
Word = Literal["effect", "futile", "go-on", "no-effect-shown"]
_POINTS = 601
_REACH = 8.0
_REPEATED = "repeated interval (Jennison & Turnbull 1989), Bonett & Price 2012 over bases"
_ANYTIME = "anytime interval, beta-binomial mixture (Robbins 1970)"

_ADVICE: dict[Word, str] = {
    "effect": "shown, no more are needed",
    "futile": "not shown, and more would hardly show it",
    "go-on": "not settled, more may show it",
    "no-effect-shown": "not shown by all that were planned",
}


class Look(Part):
    """What one look at a running study says."""

    word: Word
    """``effect``: shown, stop; ``futile``: hardly any chance left to show it, one may stop;
    ``go-on``; ``no-effect-shown``: the last look."""
    fraction: float
    z: float
    bound: float
    """What ``z`` must exceed at this look, in either direction."""
    chance: float
    """The chance to show an effect by the end if the trend goes on (conditional power)."""
    estimate: Estimate
    """Its interval holds at every look at once."""

    @property
    def advice(self) -> str:
        """Return what it means for whoever could play more."""
        return _ADVICE[self.word]


class Stopping(Part):
    """A plan of looks at a paired study: how often, and what error each may spend."""

    planned: int
    """Bases if it runs to its end."""
    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Fractions of the planned bases, the last one 1."""
    alpha: float = 0.05
    spending: Spending = "obrien-fleming"
    futile: float = 0.1
    """Below this conditional power one may stop; not binding, so the error stays below alpha."""

    def bounds(self) -> tuple[float, ...]:
        """Return what the size of z must exceed at each look."""
        return bounds(self.looks, alpha=self.alpha, spending=self.spending)

    def due(self, n: int) -> int | None:
        """Return the place of the last look that *n* bases have reached, None before the first."""
        reached = [place for place, at in enumerate(self.looks) if n >= self._bases(at)]
        return reached[-1] if reached else None

    def look(self, treated: Arm, control: Arm) -> Look:
        """Return what to do now, with the bases that both arms have, in the order of *treated*.

        Only as many bases count as the last look that was reached takes: whoever looks between
        two looks sees the earlier one again, and no error is spent.
        """
        units = differences(treated, control)
        place = self.due(len(units))
        if place is None:
            return _before(units, self.planned)
        found = shift(units[: self._bases(self.looks[place])])
        limits = self.bounds()
        z = _signed(probability(found), found.centre)
        chance = _conditional(z, self.looks[place], limits[-1])
        word: Word = "go-on"
        if abs(z) > limits[place]:
            word = "effect"
        elif place == len(self.looks) - 1:
            word = "no-effect-shown"
        elif chance < self.futile:
            word = "futile"
        return Look(
            word=word,
            fraction=self.looks[place],
            z=z,
            bound=limits[place],
            chance=chance,
            estimate=_repeated(found, limits[place]),
        )

    def _bases(self, at: float) -> int:
        return max(2, round(at * self.planned))


def _before(units: Sequence[float], planned: int) -> Look:
    """Return that nothing can be said yet."""
    estimate = Estimate(
        value=shift(units).value, low=-1.0, high=1.0, n=len(units), method=_REPEATED
    )
    at = len(units) / planned
    return Look(word="go-on", fraction=at, z=0.0, bound=LIMIT, chance=1.0, estimate=estimate)


def _repeated(found: Shift, bound: float) -> Estimate:
    """Return the difference with the interval that the bound of this look gives."""
    reach = bound * found.error
    low, high = max(-1.0, found.centre - reach), min(1.0, found.centre + reach)
    return Estimate(
        value=found.value,
        low=min(low, found.value),
        high=max(high, found.value),
        n=found.n,
        method=_REPEATED,
    )


class _Walk(NamedTuple):
    """The chances of a study that has not stopped, by where its sum stands."""

    places: Floats
    chances: Floats
    fraction: float


@lru_cache(maxsize=64)
def bounds(
    looks: tuple[float, ...], *, alpha: float = 0.05, spending: Spending = "obrien-fleming"
) -> tuple[float, ...]:
    """Return the two-sided bound of z at each look (Armitage, McPherson & Rowe 1969).

    >>> [round(bound, 2) for bound in bounds((0.2, 0.4, 0.6, 0.8, 1.0))]
    [4.88, 3.36, 2.68, 2.29, 2.03]
    """
    rises = all(early < late for early, late in pairwise(looks))
    if not looks or not rises or looks[0] <= 0 or looks[-1] != 1:
        raise BadInput(what="planned looks", why="they must rise above 0 and end at 1")
    found: list[float] = []
    walk: _Walk | None = None
    spent = 0.0
    for at in looks:
        total = _spent(at, alpha, spending)
        walk = _step(walk, at)
        found.append(_bound(walk, total - spent))
        walk, spent = _kept(walk, found[-1]), total
    return tuple(found)


def anytime(successes: int, n: int, *, alpha: float = 0.05) -> Estimate:
    """Return a share whose interval holds however often one looks at it, after any play.

    All shares p stay for which the mixture of Beta(1/2, 1/2) is less than 1/alpha times as likely
    as p itself; the chance that the truth is ever left out is at most alpha (Ville's inequality).
    """
    if not 0 <= successes <= n:
        raise BadInput(what="a proportion", why=f"{successes} of {n} is none")
    value = successes / n if n else 0.0
    mixture = _beta(successes + 0.5, n - successes + 0.5) - _beta(0.5, 0.5)

    def held(share: float) -> bool:
        return mixture - _likelihood(share, successes, n) < log(1 / alpha)

    low = 0.0 if held(0.0) else _edge(held, 0.0, value)
    high = 1.0 if held(1.0) else _edge(held, 1.0, value)
    return Estimate(value=value, low=low, high=high, n=n, method=_ANYTIME)


def _spent(fraction: float, alpha: float, spending: Spending) -> float:
    """Return the error of one side that may be spent by *fraction* of the study."""
    from scipy.special import ndtr

    if spending == "pocock":
        return alpha / 2 * log(1 + (exp(1) - 1) * fraction)
    return float(2 - 2 * ndtr(quantile(LIMIT, 1 - alpha / 4) / sqrt(fraction)))


def _step(walk: _Walk | None, at: float) -> _Walk:
    """Return where the sum may stand at the next look, as a density on a grid."""
    import numpy as np

    places = np.linspace(-_REACH * sqrt(at), _REACH * sqrt(at), _POINTS)
    if walk is None:
        return _Walk(places, np.exp(-(places**2) / (2 * at)) / sqrt(2 * np.pi * at), at)
    gap = at - walk.fraction
    kernel = np.exp(-((places[:, None] - walk.places[None, :]) ** 2) / (2 * gap))
    kernel /= sqrt(2 * np.pi * gap)
    width = walk.places[1] - walk.places[0]
    return _Walk(places, kernel @ walk.chances * width, at)


def _bound(walk: _Walk, spend: float) -> float:
    """Return the z above which a chance of *spend* lies."""
    import numpy as np

    width = walk.places[1] - walk.places[0]
    above = np.cumsum(walk.chances[::-1])[::-1] * width - walk.chances * width / 2
    # The tail falls as the place rises: look it up from its far end, on a scale of logarithms.
    tail = np.log(np.maximum(above[::-1], 1e-300))
    return float(np.interp(log(spend), tail, walk.places[::-1])) / sqrt(walk.fraction)


def _kept(walk: _Walk, bound: float) -> _Walk:
    """Return *walk* on a grid of its own between the bounds, where the study goes on."""
    import numpy as np

    edge = bound * sqrt(walk.fraction)
    places = np.linspace(-edge, edge, _POINTS)
    chances = np.interp(places, walk.places, walk.chances)
    chances[[0, -1]] /= 2  # the trapezoid rule
    return _Walk(places, chances, walk.fraction)


def _signed(chance: float, centre: float) -> float:
    """Return the normal quantile of a two-sided p-value, with the difference's sign."""
    z = abs(quantile(LIMIT, max(chance, 1e-300) / 2))
    return z if centre > 0 else -z


def _conditional(z: float, fraction: float, last: float) -> float:
    """Return the chance to cross the last bound if the trend goes on (Lan & Wittes 1988)."""
    from scipy.special import ndtr

    if not fraction:
        return 1.0
    if fraction >= 1:
        return float(abs(z) > last)
    middle, scale = abs(z) / sqrt(fraction), sqrt(1 - fraction)
    up = float(ndtr((middle - last) / scale))
    return min(1.0, up + float(ndtr((-middle - last) / scale)))


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _likelihood(share: float, successes: int, n: int) -> float:
    """Return the log-likelihood of *share*."""
    parts = ((successes, share), (n - successes, 1 - share))
    return sum(count * log(chance) if chance else -LIMIT for count, chance in parts if count)


def _edge(held: Callable[[float], bool], outside: float, inside: float) -> float:
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if held(middle) else (middle, inside)
    return inside
