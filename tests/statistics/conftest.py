"""How often intervals hold a planted truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from otium.statistics import Estimate

Covered = Callable[[Iterable[tuple[Estimate, float]]], tuple[float, float]]


@pytest.fixture
def covered() -> Covered:
    """Return the share of intervals that hold their truth, and the mean error of the values."""

    def measure(studies: Iterable[tuple[Estimate, float]]) -> tuple[float, float]:
        found = [(not each.excludes(truth), each.value - truth) for each, truth in studies]
        assert len(found) >= 500
        held, errors = zip(*found, strict=True)
        return sum(held) / len(held), sum(errors) / len(errors)

    return measure
