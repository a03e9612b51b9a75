from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.errors import BadInput
from otium.statistics import Estimate, Level, krippendorff, spearman

Covered = Callable[[Iterable[tuple[Estimate, float]]], tuple[float, float]]
N = None
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_that_of_krippendorff_2011_with_missing_values(level: Level, alpha: float) -> None:
    found = krippendorff(list(zip(*FOUR_OBSERVERS, strict=True)), level)
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert found.n == 11


def test_alpha_is_that_of_krippendorff_2011_for_two_observers() -> None:
    binary = zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)
    assert krippendorff(list(binary)).value == pytest.approx(0.095, abs=5e-4)
    letters = list(zip("aabbdcccedda", "babbbccceddd", strict=True))
    assert krippendorff(letters).value == pytest.approx(0.692, abs=5e-4)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("units", [30, 100])
def test_alpha_is_covered(units: int, level: Level, covered: Covered) -> None:
    def ratings(rng: np.random.Generator, count: int) -> list[list[int]]:
        own = 4 + 1.2 * rng.standard_normal((count, 1))
        found = np.clip(np.rint(own + 0.8 * rng.standard_normal((count, 2))), 1, 7)
        return [[int(each) for each in unit] for unit in found]

    truth = krippendorff(ratings(np.random.default_rng(0), 40_000), level, draws=2).value

    def studies() -> Iterator[tuple[Estimate, float]]:
        rng = np.random.default_rng(1)
        for _ in range(500):
            yield krippendorff(ratings(rng, units), level, draws=400), truth

    held, error = covered(studies())
    assert 0.93 <= held <= 0.98
    assert abs(error) < 0.04


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [12, 41])
def test_a_rank_correlation_is_covered(
    n: int, rho: float, discrete: bool, covered: Covered
) -> None:
    def pairs(rng: np.random.Generator, count: int) -> tuple[list[float], list[float]]:
        found = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], count)
        if discrete:
            found = np.clip(np.rint(found * 1.2 + 4), 1, 7)
        return found[:, 0].tolist(), found[:, 1].tolist()

    truth = spearman(*pairs(np.random.default_rng(0), 400_000)).value
    rng = np.random.default_rng(2)
    held, error = covered((spearman(*pairs(rng, n)), truth) for _ in range(1000))
    assert 0.93 <= held <= 0.975
    assert abs(error) < 0.06


def test_perfect_agreement_is_not_certainty() -> None:
    found = krippendorff([["a", "a"], ["b", "b"]] * 5)
    assert found.value == 1
    assert 0.6 < found.low < 0.9
    order = spearman([1, 2, 3, 4, 5], [2, 3, 4, 5, 6])
    assert (order.value, order.high) == (1, 1)
    assert 0 < order.low < 0.9


def test_agreement_about_nothing_is_unknown() -> None:
    for nothing in ([], [["a"]], [["a", None]], [["a", "a"], ["a", "a"]]):
        found = krippendorff(nothing)
        assert (found.n, found.low, found.high) == (0, -1, 1)
    assert krippendorff([[1, 2]]).low == -1
    for x in ([], [1.0], [1.0, 2.0, 3.0], [2.0] * 9):
        assert spearman(x, x).low == -1


def test_words_have_no_distances() -> None:
    with pytest.raises(BadInput):
        krippendorff([["a", "b"]], "interval")
    with pytest.raises(BadInput):
        spearman([1], [1, 2])


RATINGS = st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=3), max_size=8)


@given(RATINGS, st.permutations([0, 1, 2]))
def test_neither_the_order_of_raters_nor_names_of_values_matter(
    ratings: list[list[int]], order: list[int]
) -> None:
    found = krippendorff(ratings, draws=20)
    assert -1 <= found.low <= found.high <= 1
    turned = krippendorff([[unit[at] for at in order] for unit in ratings], draws=20)
    named = krippendorff([["dcba"[each - 1] for each in unit] for unit in ratings], draws=20)
    assert turned.value == pytest.approx(found.value)
    assert named.value == pytest.approx(found.value)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_turning_a_scale_turns_the_rank_correlation(pairs: list[tuple[int, int]]) -> None:
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    found, turned = spearman(x, y), spearman(x, [-b for b in y])
    assert turned.value == pytest.approx(-found.value)
    assert turned.low == pytest.approx(-found.high)
