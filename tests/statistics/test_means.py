from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otium.errors import BadInput
from otium.statistics import (
    LIMIT,
    Estimate,
    clustered_mean,
    clustered_share,
    flip_rate,
    paired_shift,
    wilson,
)

Covered = Callable[[Iterable[tuple[Estimate, float]]], tuple[float, float]]
STUDIES = 800
DESIGNS = [(12, 4), (12, 40), (41, 4), (41, 40)]
SHARES = [(1.0, 1.0), (0.5, 4.5), (10.0, 90.0), (2.0, 38.0), (0.2, 0.8)]


def sentiment(
    rng: np.random.Generator, questions: int, answers: int, middle: float
) -> NDArray[np.float64]:
    """Return answers from 1 to 7, whose questions differ by one point."""
    own = middle + rng.standard_normal(questions)
    return np.clip(np.rint(own[:, None] + rng.standard_normal((questions, answers))), 1, 7)


@pytest.mark.parametrize("middle", [4.0, 2.0])
@pytest.mark.parametrize(("questions", "answers"), DESIGNS)
def test_the_mean_of_discrete_answers_is_covered(
    questions: int, answers: int, middle: float, covered: Covered
) -> None:
    truth = float(sentiment(np.random.default_rng(0), 400_000, 4, middle).mean())
    rng = np.random.default_rng(1)
    held, error = covered(
        (clustered_mean(sentiment(rng, questions, answers, middle).tolist(), draws=800), truth)
        for _ in range(STUDIES)
    )
    assert 0.93 <= held <= 0.97
    assert abs(error) < 0.04


@pytest.mark.parametrize("questions", [12, 41])
def test_the_mean_of_strongly_skewed_questions_is_covered(questions: int, covered: Covered) -> None:
    rng = np.random.default_rng(2)
    held, error = covered(
        (clustered_mean(rng.exponential(1, (questions, 1)).tolist(), draws=800), 1.0)
        for _ in range(STUDIES)
    )
    assert 0.93 <= held <= 0.97
    assert abs(error) < 0.04


@pytest.mark.parametrize(("a", "b"), SHARES)
@pytest.mark.parametrize(("questions", "answers"), DESIGNS)
def test_a_share_is_covered_from_rare_to_even(
    questions: int, answers: int, a: float, b: float, covered: Covered
) -> None:
    def studies() -> Iterator[tuple[Estimate, float]]:
        rng = np.random.default_rng(3)
        for _ in range(STUDIES):
            chance = rng.beta(a, b, questions)
            said = (rng.random((questions, answers)) < chance[:, None]).astype(float)
            yield clustered_share(said.tolist(), draws=400), a / (a + b)

    held, error = covered(studies())
    assert 0.93 <= held <= 0.98
    assert abs(error) < 0.02


def test_wilson_covers_on_average_over_all_proportions() -> None:
    from scipy.stats import binom

    truths = np.linspace(0.01, 0.99, 197)
    found = [wilson(successes, 40) for successes in range(41)]
    held = np.array([[not each.excludes(truth) for each in found] for truth in truths])
    chance = binom.pmf(np.arange(41), 40, truths[:, None])
    assert 0.94 <= float((held * chance).sum(axis=1).mean()) <= 0.96


def test_a_shift_is_that_of_paired_questions() -> None:
    shift = paired_shift({"a": [5, 6], "b": [7], "only here": [1]}, {"b": [4], "a": [3, 4]})
    assert (shift.value, shift.n) == (2.5, 2)
    assert paired_shift([[1, 2], [3]], [[1, 2], [3]]).value == 0
    with pytest.raises(BadInput):
        paired_shift([[1]], [[1], [2]])


def test_flip_rate_does_not_depend_on_how_often_one_asks() -> None:
    rng = np.random.default_rng(4)
    few = flip_rate([(rng.random(3) < 0.2).tolist() for _ in range(4000)], draws=2)
    many = flip_rate([(rng.random(30) < 0.2).tolist() for _ in range(4000)], draws=2)
    assert few.value == pytest.approx(0.32, abs=0.02)
    assert many.value == pytest.approx(0.32, abs=0.01)


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    for nothing in (clustered_mean([]), clustered_mean([[]]), paired_shift({}, {})):
        assert (nothing.n, nothing.low, nothing.high) == (0, -LIMIT, LIMIT)
        assert nothing.text() == "unknown"
    one = clustered_mean([[3, 4]], within=(1, 7))
    assert (one.value, one.low, one.high, one.n) == (3.5, 1, 7, 1)
    for share in (wilson(0, 0), clustered_share([]), flip_rate([["once"]])):
        assert (share.low, share.high, share.n) == (0, 1, 0)


def test_equal_clusters_leave_a_share_uncertain() -> None:
    never = clustered_share([[0.0] * 4] * 12)
    assert never.low == 0
    assert 0.05 < never.high < 0.15


def test_no_proportion_is_more_than_all() -> None:
    with pytest.raises(BadInput):
        wilson(3, 2)
    with pytest.raises(BadInput):
        clustered_share([[2.0], [0.0]])


def test_two_thousand_draws_take_no_time() -> None:
    clusters = np.random.default_rng(5).random((41, 40)).tolist()
    clustered_mean(clusters)
    start = time.process_time()
    clustered_mean(clusters)
    assert time.process_time() - start < 0.05


NUMBERS = st.lists(st.lists(st.integers(1, 7), max_size=5), max_size=12)


@given(NUMBERS, st.integers(0, 5))
def test_an_interval_holds_its_value_and_stays_on_the_scale(
    clusters: list[list[int]], seed: int
) -> None:
    found = clustered_mean(clusters, within=(1, 7), seed=seed, draws=50)
    if found.known:
        assert 1 <= found.low <= found.value + 1e-9
        assert found.value - 1e-9 <= found.high <= 7
    assert Estimate.decode(found.encode()) == found


@given(st.lists(st.lists(st.integers(0, 1), max_size=5), max_size=12))
def test_swapping_yes_and_no_mirrors_a_share(clusters: list[list[int]]) -> None:
    found = clustered_share(clusters, draws=50)
    other = clustered_share([[1 - each for each in cluster] for cluster in clusters], draws=50)
    if found.known:
        assert other.value == pytest.approx(1 - found.value)
        if found.value != 0.5:
            assert other.low == pytest.approx(1 - found.high, abs=1e-6)


def test_shares_that_differ_in_the_last_digit_only_are_alike() -> None:
    high = [[1.0, 1.0, 0.0, 0.0, 0.0], [0.4], [0.1, 0.7], [0.1 + 0.2, 0.5]]
    found = paired_shift(high, [[0.0]] * 4, within=(-1, 1))
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.2
