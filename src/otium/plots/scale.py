"""A scale of round numbers that holds every estimate, and where a value lies on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from otium.records import Part
from otium.statistics import LIMIT, Estimate

LEFT, WIDTH = 3.0, 94.0
"""Per cent of the picture's width: where the scale begins, and how long it is."""
_STEPS = 5
_NOTHING = 1e-9
"""What lies closer to an edge lies on it."""


class Scale(Part):
    """From *low* to *high* in steps; positions are in per cent of the width."""

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Return where *value* lies, and the edge for what lies beyond."""
        share = (value - self.low) / (self.high - self.low)
        return round(LEFT + WIDTH * min(1.0, max(0.0, share)), 2)

    def holds(self, value: float) -> bool:
        """Say whether *value* lies on the scale."""
        slack = self.step * _NOTHING
        return self.low - slack <= value <= self.high + slack

    def ticks(self) -> Iterator[float]:
        """Yield the round values on the scale."""
        first, last = round(self.low / self.step), round(self.high / self.step)
        yield from (place * self.step for place in range(first, last + 1))


def scale(estimates: Sequence[Estimate], span: tuple[float, float] | None = None) -> Scale:
    """Return a scale for *estimates*: *span*, or what holds zero, each value and known bound.

    Shares get the whole scale from 0 to 1, so that a small one looks small.
    """
    low, high = span or _span(estimates)
    power = 10.0 ** math.floor(math.log10(high - low))
    fits = (power * share for share in (0.1, 0.2, 0.25, 0.5, 1, 2, 5))
    step = next(it for it in fits if (high - low) / it <= _STEPS)
    first, last = math.floor(low / step + _NOTHING), math.ceil(high / step - _NOTHING)
    return Scale(low=first * step, high=last * step, step=step)


def _span(estimates: Sequence[Estimate]) -> tuple[float, float]:
    known = [it for it in estimates if it.known]
    values = [x for it in known for x in (it.value, it.low, it.high) if abs(x) < LIMIT]
    low, high = (
        0.0 if abs(edge) < _NOTHING else edge
        for edge in (min(values, default=0.0), max(values, default=1.0))
    )
    return (0.0, 1.0) if low >= 0 and high <= 1 else (min(0.0, low), max(0.0, high))
