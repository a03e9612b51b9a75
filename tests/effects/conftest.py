"""How often intervals hold a planted truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from otium.statistics import Estimate

Covered = Callable[[Iterable[Estimate], float], float]


@pytest.fixture
def covered() -> Covered:
    """Return the share of intervals that hold the truth."""

    def measure(estimates: Iterable[Estimate], truth: float) -> float:
        held = [not each.excludes(truth) for each in estimates]
        assert len(held) >= 500
        return sum(held) / len(held)

    return measure
