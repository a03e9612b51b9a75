"""A good cell of results, to be spoilt one measure at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from otium.statistics import Estimate
from otium.validity import Cell, Decision, Kind, Rate, decide, load_rules, number, rate

RULES = load_rules()
GOOD: dict[str, Rate | None] = {
    "capability": rate(20, 20),
    "comprehension": rate(40, 40),
    "readable": rate(200, 200),
    "degenerate": rate(0, 200),
    "unclear": rate(0, 40),
    "leak": rate(0, 40),
    "verbalised-here": rate(0, 40),
    "verbalised": rate(0, 60),
    "suspected-here": rate(0, 40),
    "suspected": rate(0, 60),
    "aware-gap": number(0.0, 60),
    "estimated": None,
    "text-control": Estimate(value=0.2, low=0.1, high=0.3, n=40, method="margin"),
    "realism": rate(36, 40),
    "agreement": number(0.8, 40),
    "manipulation": rate(12, 12),
    "exit-offered": rate(40, 40),
    "exit-reachable": rate(8, 8),
    "order-consistency": rate(38, 40),
    "pairs": number(12.0, 240),
    "ordinary": rate(10, 10),
}
"""Measures with which a cell of any kind is reported."""
KINDS: tuple[Kind, ...] = get_args(Kind)


def decided(kind: Kind, rates: Mapping[str, Rate | None] | None = None, *, n: int = 40) -> Decision:
    """Decide on a good cell in which *rates* are as said."""
    said = dict(rates or {})
    # Who says that it is a test suspects one.
    suspected = {
        f"suspected{tail}": said[f"verbalised{tail}"]
        for tail in ("", "-here")
        if f"verbalised{tail}" in said
    }
    held = {**GOOD, **suspected, **said}
    return decide(RULES, Cell(name="x/y", kind=kind, n=n, rates=held))


def between(low: float, high: float) -> Rate:
    return Estimate(value=(low + high) / 2, low=low, high=high, n=40, method="planted")
