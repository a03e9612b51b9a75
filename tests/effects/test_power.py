from __future__ import annotations

import numpy as np
import pytest

from otium.effects import minimal_n, paired_difference, power
from otium.errors import BadInput


def shown(control: float, treated: float, alike: float, n: int, plays: int) -> float:
    """Return how often simulated studies show a difference: twins share part of their luck."""
    rng, hits, studies = np.random.default_rng(1), 0, 1500
    shared = np.sqrt(alike)
    for _ in range(studies):
        # With chance sqrt(alike) a twin copies its base's draw, so any two plays correlate so.
        base = rng.random((n, 1))
        arms = []
        for rate in (treated, control):
            own = rng.random((n, plays))
            luck = np.where(rng.random((n, plays)) < shared, base, own)
            arms.append({str(i): row for i, row in enumerate((luck < rate).astype(int).tolist())})
        hits += paired_difference(*arms).excludes(0)
    return hits / studies


@pytest.mark.parametrize(
    ("control", "treated", "n"), [(0.5, 0.5 - 1e-9, 40), (0.4, 0.1, 30), (0.6, 0.4, 60)]
)
def test_power_is_the_share_of_studies_that_show_the_difference(
    control: float, treated: float, n: int
) -> None:
    expected = power(control, treated, n, alike=0.0)
    assert shown(control, treated, 0.0, n, 1) == pytest.approx(expected, abs=0.04)


def test_exact_and_approximate_power_meet() -> None:
    assert power(0.30, 0.22, 400) == pytest.approx(power(0.30, 0.22, 401), abs=0.02)


@pytest.mark.parametrize("plays", [1, 3])
def test_the_minimal_n_has_the_power_and_one_less_has_not(plays: int) -> None:
    n = minimal_n(0.4, 0.1, plays=plays)
    assert power(0.4, 0.1, n, plays=plays) >= 0.8
    assert power(0.4, 0.1, n // 2, plays=plays) < 0.8


def test_several_plays_of_a_twin_need_fewer_bases() -> None:
    assert minimal_n(0.3, 0.15, plays=4) < minimal_n(0.3, 0.15)


def test_what_varies_between_bases_is_not_played_away() -> None:
    assert minimal_n(0.3, 0.15, plays=1000, spread=0.3) >= 25


def test_alike_twins_need_fewer_bases() -> None:
    assert minimal_n(0.4, 0.2, alike=0.6) < minimal_n(0.4, 0.2, alike=0.0)


def test_rates_that_cannot_be_are_refused() -> None:
    for rates in ((0.4, 0.4), (1.2, 0.1)):
        with pytest.raises(BadInput):
            minimal_n(*rates)
    with pytest.raises(BadInput):
        power(0.4, 0.1, 20, alike=2)
