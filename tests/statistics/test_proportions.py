from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.statistics import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Published values: Newcombe 1998 (81/263, 15/148, 0/20, 1/29), Agresti and Coull.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilson_gives_the_published_intervals(
    successes: int, n: int, low: float, high: float
) -> None:
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("n", [10, 20, 40])
def test_wilson_covers_the_truth_about_as_often_as_it_says(n: int) -> None:
    truths = [step / 200 for step in range(4, 197)]
    covered = [
        sum(
            comb(n, k) * truth**k * (1 - truth) ** (n - k)
            for k in range(n + 1)
            if not wilson(k, n).excludes(truth)
        )
        for truth in truths
    ]
    assert 0.94 <= sum(covered) / len(covered) <= 0.97
    assert min(covered) > 0.82


def test_wilson_of_nothing_tried_says_nothing() -> None:
    found = wilson(0, 0)
    assert (found.low, found.high, found.known) == (0.0, 1.0, False)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_in_bounds(counts: tuple[int, int]) -> None:
    successes, n = counts
    found = wilson(successes, n)
    assert 0.0 <= found.low <= successes / n <= found.high <= 1.0
