"""What goes into a statistic and what comes out of it."""

from __future__ import annotations

from sys import float_info
from typing import Literal

from otium.records import Part

LIMIT = float_info.max
"""Stands for infinity, which JSON has not: a bound of ±LIMIT is no bound."""


class Estimate(Part):
    """A number with its 95 % interval.

    ``n`` counts independent units (clusters, sessions, pairs), not rows. With nothing to
    estimate from, ``n`` is 0, ``value`` 0 and the interval all that is possible.
    """

    value: float
    low: float
    high: float
    n: int
    method: str

    @property
    def known(self) -> bool:
        """Say whether there is a value at all."""
        return self.n > 0

    @property
    def bounded(self) -> bool:
        """Say whether the data bound the value from both sides."""
        return self.n > 0 and self.low > -LIMIT and self.high < LIMIT

    def excludes(self, value: float) -> bool:
        """Say whether *value* lies outside the interval."""
        return not self.low <= value <= self.high

    def text(self, places: int = 2) -> str:
        """Return the number and its interval for people, such as ``0.62 (0.48 to 0.74)``."""
        if not self.known:
            return "unknown"
        if not self.bounded:
            return f"{self.value:z.{places}f} (interval unknown)"
        return f"{self.value:z.{places}f} ({self.low:z.{places}f} to {self.high:z.{places}f})"


class Figure(Part):
    """A named number, with the sentence that says to people what it is."""

    name: str
    text: str
    estimate: Estimate


class Observation(Part):
    """One scored answer and the conditions it was given under.

    ``facets`` names the level of each condition, such as ``{"question": "q1", "wording":
    "neutral", "session": "s7"}``.
    """

    value: float
    facets: dict[str, str]


class Study(Part):
    """A generalizability study: where the variance of the answers comes from (Brennan 2001)."""

    variance: dict[str, Estimate]
    """``question`` (between questions), each other facet (what it adds within a question) and
    ``residual`` (between sessions that are alike). Unbiased, hence at times below zero."""
    shared: dict[str, float]
    """Of a facet's variance, the part that moves all questions alike (its main effect)."""
    shares: dict[str, float]
    """Each variance over their sum, those below zero taken as zero."""
    relative: Estimate
    """The generalizability coefficient of a question's mean over the answers at hand: 1 where
    the order of the questions would return with other conditions, 0 where it is noise."""
    absolute: Estimate
    """The same for the level itself (the index of dependability), hence never larger."""
    unseen: tuple[str, ...] = ()
    """Facets that vary, but never within a question apart from the other facets."""


Chosen = Literal["first", "second", "tie", "unreadable"]


class Comparison(Part):
    """Two items, in the order they were shown, and what was chosen."""

    first: str
    second: str
    chosen: Chosen


class Fit(Part):
    """The worth of items by paired comparison, and how far one scale describes the choices."""

    model: Literal["Bradley-Terry", "Thurstone"]
    worth: dict[str, Estimate]
    """Log odds (Bradley-Terry) or standard deviations of a difference (Thurstone), against the
    baseline; ``n`` counts the item's decided comparisons."""
    baseline: str
    """The item whose worth is zero, such as opting out; empty: the items' mean is zero."""
    order: Estimate
    """What being shown first adds, on the same scale."""
    log_likelihood: float
    decided: int
    ties: int
    unreadable: int
    accuracy: Estimate
    """The share of held-out choices that the scale foretells (5 folds)."""
    consistency: Estimate
    """Of pairs decided in both orders, the share with the same winner in both."""
    cycles: Estimate
    """Of triples with three decided pairs, the share that goes round (0.25 if by chance)."""
