"""What a study that was made could have shown, and how many bases it would have taken."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from otium.effects.paired import quantile, shift
from otium.errors import BadInput
from otium.records import Part
from otium.statistics import LIMIT

_WANTED = 0.8


class Sensitivity(Part):
    """The reach of a paired study, from how its own bases scatter."""

    n: int
    detectable: float
    """The smallest difference that as many bases show with a chance of 80 %."""
    power: float
    """The chance that as many bases show a difference of the margin."""
    needed: int
    """Bases that show a difference of the margin with a chance of 80 %; 0 if nothing is known."""


def sensitivity(units: Sequence[float], margin: float) -> Sensitivity:
    """Return what bases with these differences could show of a difference of *margin*.

    It rests on their scatter, not on the difference that they show: the power to have seen what
    was seen says nothing new (Hoenig & Heisey 2001, The American Statistician 55).
    """
    from scipy.special import ndtr

    if margin <= 0:
        raise BadInput(what="a sensitivity", why=f"the margin {margin} is not above 0")
    found = shift(units)
    if found.n < 2:  # noqa: PLR2004 - one base has no spread
        return Sensitivity(n=found.n, detectable=2.0, power=0.0, needed=0)
    bound = quantile(found.freedom, 0.975)
    reach = bound + quantile(LIMIT, _WANTED)
    # The two added bases shrink the middle: a difference is seen as n/(n + 2) of itself.
    error = found.error * (found.n + 2) / found.n
    chance = float(ndtr(margin / error - bound) + ndtr(-margin / error - bound))
    needed = ceil(found.n * (reach * error / margin) ** 2)
    return Sensitivity(
        n=found.n, detectable=min(2.0, reach * error), power=min(1.0, chance), needed=needed
    )
