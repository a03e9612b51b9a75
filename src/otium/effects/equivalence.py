"""When a difference is shown to be too small to matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from otium.effects.paired import interval, shift
from otium.errors import BadInput
from otium.statistics import Estimate

_METHOD = "two one-sided tests (Schuirmann 1987), interval at 90 %"


class Equivalence(NamedTuple):
    """Whether two conditions differ by less than a margin that was set beforehand."""

    estimate: Estimate
    """The difference with its 90 % interval: two one-sided tests at 5 % each."""
    shown: bool
    """That no difference was shown is never equivalence."""


def equivalence(units: Sequence[float], margin: float, *, most: float = 1.0) -> Equivalence:
    """Return whether the bases' mean difference is shown to lie within ±*margin*.

    None of them exceeds *most*. Raises BadInput for a margin that is not above 0.
    """
    if margin <= 0:
        raise BadInput(what="an equivalence", why=f"the margin {margin} is not above 0")
    found = interval(shift(units), most=most, level=0.9, method=_METHOD)
    return Equivalence(found, found.n > 1 and -margin < found.low and found.high < margin)
