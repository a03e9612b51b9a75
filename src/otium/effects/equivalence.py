"""When a difference is shown to be too small to matter."""

from __future__ import annotations

from typing import Literal

from otium.effects.paired import Arm, binary, differences, interval, quantile, shift
from otium.errors import BadInput
from otium.records import Part
from otium.statistics import Estimate

Word = Literal["equivalent", "different", "undetermined"]
_METHOD = "two one-sided tests (Schuirmann 1987), interval at 90 %"


class Equivalence(Part):
    """Whether two conditions differ by less than a margin that was set beforehand."""

    word: Word
    """``equivalent``: shown to differ by less; ``different``: shown to differ by more; else
    ``undetermined``. That no difference was shown is never equivalence."""
    margin: float
    estimate: Estimate
    """The difference with its 90 % interval: two one-sided tests at 5 % each."""


def equivalence(treated: Arm, control: Arm, margin: float) -> Equivalence:
    """Return whether the paired difference is shown to lie within ±*margin*.

    Raises BadInput for a margin that is not above 0.
    """
    if margin <= 0:
        raise BadInput(what="an equivalence", why=f"the margin {margin} is not above 0")
    units = differences(treated, control)
    if binary(treated) and binary(control):
        found = interval(shift(units), most=1.0, level=0.9, method=_METHOD)
    else:
        found = _student(units)
    known = found.n > 1
    if known and -margin < found.low and found.high < margin:
        word: Word = "equivalent"
    elif known and (found.low > margin or found.high < -margin):
        word = "different"
    else:
        word = "undetermined"
    return Equivalence(word=word, margin=margin, estimate=found)


def _student(units: tuple[float, ...]) -> Estimate:
    """Return the mean of *units* with Student's interval at 90 %."""
    from statistics import fmean, stdev

    from otium.statistics import LIMIT

    n = len(units)
    value = fmean(units) if n else 0.0
    if n < 2:  # noqa: PLR2004 - one base has no spread
        return Estimate(value=value, low=-LIMIT, high=LIMIT, n=n, method=_METHOD)
    reach = quantile(float(n - 1), 0.95) * stdev(units) / n**0.5
    return Estimate(value=value, low=value - reach, high=value + reach, n=n, method=_METHOD)
