"""What a study that was made could have shown, and how many bases it would have taken."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from msgspec.structs import replace

from otium.effects.paired import quantile, shift
from otium.errors import BadInput
from otium.records import Part
from otium.statistics import LIMIT

_WANTED = 0.8


class Sensitivity(Part):
    """The reach of a paired study, from how its own bases scatter."""

    n: int
    error: float
    """The standard error of a difference; 0 if nothing is known."""
    bound: float
    """How many of them a difference must exceed to be shown."""
    detectable: float
    """The smallest difference that as many bases show with a chance of 80 %."""
    power: float
    """The chance that as many bases show a difference of the margin."""
    needed: int
    """Bases that show a difference of the margin with a chance of 80 %; 0 if nothing is known."""

    def reaches(self, size: float) -> float:
        """Return the chance that as many bases show a difference of *size*."""
        from scipy.special import ndtr

        if not self.error:
            return 0.0
        z = size / self.error
        return float(ndtr(z - self.bound) + ndtr(-z - self.bound))


def sensitivity(units: Sequence[float], margin: float) -> Sensitivity:
    """Return what bases with these differences could show of a difference of *margin*.

    It rests on their scatter, not on the difference that they show: the power to have seen what
    was seen says nothing new (Hoenig & Heisey 2001, The American Statistician 55).
    """
    if margin <= 0:
        raise BadInput(what="a sensitivity", why=f"the margin {margin} is not above 0")
    found = shift(units)
    if found.n < 2:  # noqa: PLR2004 - one base has no spread
        return Sensitivity(n=found.n, error=0.0, bound=0.0, detectable=2.0, power=0.0, needed=0)
    bound = quantile(found.freedom, 0.975)
    reach = bound + quantile(LIMIT, _WANTED)
    # The two added bases shrink the middle: a difference is seen as n/(n + 2) of itself.
    error = found.error * (found.n + 2) / found.n
    made = Sensitivity(
        n=found.n,
        error=error,
        bound=bound,
        detectable=min(2.0, reach * error),
        power=0.0,
        needed=ceil(found.n * (reach * error / margin) ** 2),
    )
    return replace(made, power=made.reaches(margin))
