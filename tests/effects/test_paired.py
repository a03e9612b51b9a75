from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.effects import differences, mean_difference, paired_difference, paired_test
from otium.statistics import LIMIT, Estimate
from twins import Planted

Covered = Callable[[Iterable[Estimate], float], float]
STUDIES = 1500
COMMON = [
    (0.0, 0.0, 1.0, 0.0),
    (0.0, -1.5, 1.5, 0.5),
    (-1.0, -2.0, 2.0, 0.0),
    (2.0, -4.0, 1.0, 1.0),
]
RARE = [(-3.0, 0.0, 1.0, 0.0), (-3.0, -2.0, 2.0, 0.0), (-5.0, 0.0, 2.0, 0.0)]


@pytest.mark.parametrize("odds", COMMON)
@pytest.mark.parametrize(("bases", "plays"), [(20, 1), (40, 1), (120, 1), (12, 4), (40, 4)])
def test_a_difference_is_covered(
    odds: tuple[float, float, float, float], bases: int, plays: int, covered: Covered
) -> None:
    study = Planted(*odds)
    rng = np.random.default_rng(1)
    found = (paired_difference(*study.play(rng, bases, plays)) for _ in range(STUDIES))
    assert 0.93 <= covered(found, study.truth()) <= 0.98


@pytest.mark.parametrize("odds", RARE)
@pytest.mark.parametrize(("bases", "plays"), [(8, 1), (8, 4), (20, 1), (40, 1), (40, 4)])
def test_a_rare_harm_is_never_covered_less(
    odds: tuple[float, float, float, float], bases: int, plays: int, covered: Covered
) -> None:
    study = Planted(*odds)
    rng = np.random.default_rng(2)
    found = (paired_difference(*study.play(rng, bases, plays)) for _ in range(STUDIES))
    assert covered(found, study.truth()) >= 0.93


@pytest.mark.parametrize("plays", [1, 4])
@pytest.mark.parametrize("bases", [20, 60])
def test_an_interaction_is_covered(bases: int, plays: int, covered: Covered) -> None:
    strong, weak = Planted(0.5, -2.5, 1.0, 0.5), Planted(-0.5, -1.0, 1.0, 0.5)
    rng = np.random.default_rng(3)

    def study() -> Estimate:
        here, there = (differences(*one.play(rng, bases, plays)) for one in (strong, weak))
        return mean_difference([a - b for a, b in zip(here, there, strict=True)], most=2.0)

    found = (study() for _ in range(STUDIES))
    assert 0.93 <= covered(found, strong.truth() - weak.truth()) <= 0.98


@pytest.mark.parametrize("plays", [1, 4])
def test_a_difference_that_is_not_there_is_rarely_shown(plays: int) -> None:
    study = Planted(-0.5, 0.0, 1.0, 0.0)
    rng = np.random.default_rng(4)
    shown = [paired_test(*study.play(rng, 30, plays)) < 0.05 for _ in range(STUDIES)]
    assert sum(shown) / len(shown) <= 0.06


def test_scores_have_the_interval_of_scores() -> None:
    rated = paired_difference({"a": [5], "b": [7]}, {"a": [3], "b": [4]}, within=(1, 7))
    assert (rated.value, rated.n, rated.low) == (2.5, 2, -6.0)


def test_only_bases_that_both_arms_have_count() -> None:
    found = paired_difference({"a": [1], "b": [0], "c": [1]}, {"b": [1], "a": [0], "d": [1]})
    assert (found.value, found.n) == (0.0, 2)


def test_without_bases_nothing_is_known() -> None:
    nothing = paired_difference({}, {"a": [1]})
    assert (nothing.known, nothing.low, nothing.high) == (False, -1.0, 1.0)
    one = paired_difference({"a": [1]}, {"a": [0]})
    assert (one.value, one.n, one.low, one.high) == (1.0, 1, -1.0, 1.0)
    assert paired_test({"a": [1]}, {"a": [0]}) == 1.0


def test_no_event_leaves_room_for_one_base_in_seven() -> None:
    clean = {str(base): [0] for base in range(20)}
    found = paired_difference(clean, clean)
    assert found.high == pytest.approx(0.126, abs=0.001)


ARMS = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 1), min_size=1))


@given(ARMS, ARMS)
def test_the_test_agrees_with_the_interval(
    treated: dict[str, list[int]], control: dict[str, list[int]]
) -> None:
    found = paired_difference(treated, control)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high < LIMIT
    if abs(paired_test(treated, control) - 0.05) > 1e-6:
        assert (paired_test(treated, control) < 0.05) == found.excludes(0)


@given(ARMS, ARMS)
def test_exchanged_arms_mirror_the_interval(
    treated: dict[str, list[int]], control: dict[str, list[int]]
) -> None:
    there, back = paired_difference(treated, control), paired_difference(control, treated)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
