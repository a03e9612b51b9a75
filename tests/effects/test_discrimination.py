from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from otium.effects import auc
from otium.errors import BadInput
from otium.statistics import Estimate

Texts = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]
GAPS = {0.0: 0.5, 0.8: 0.7142, 1.8: 0.8985, 2.8: 0.9761}
"""By distance of two normal scores, the area between them."""


def texts(rng: np.random.Generator, gap: float, clusters: int, each: int, twins: bool) -> Texts:
    """Return scores that are alike within clusters, and labels within (twins) or between them."""
    if twins:
        labels = np.tile([0, 1], clusters * each)
        units = np.repeat(np.arange(clusters), 2 * each)
    else:
        labels = np.repeat(np.arange(clusters) % 2, each)
        units = np.repeat(np.arange(clusters), each)
    own, noise = rng.standard_normal(clusters), rng.standard_normal(len(labels))
    return np.sqrt(0.5) * (own[units] + noise) + gap * labels, labels, units


def area(scored: Texts) -> Estimate:
    scores, labels, units = scored
    return auc(scores.tolist(), (labels == 1).tolist(), units.tolist())


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize(
    ("clusters", "each", "twins"),
    [(16, 1, False), (100, 1, False), (12, 4, False), (40, 4, False), (12, 1, True), (40, 2, True)],
)
def test_an_area_is_covered(gap: float, clusters: int, each: int, twins: bool) -> None:
    rng = np.random.default_rng(1)
    found = [area(texts(rng, gap, clusters, each, twins)) for _ in range(600)]
    held = sum(not one.excludes(GAPS[gap]) for one in found) / len(found)
    assert 0.92 <= held <= 0.995


def test_a_perfect_reader_of_few_texts_may_be_a_poor_one() -> None:
    perfect = auc([0, 1, 2, 3, 4, 5], [False] * 3 + [True] * 3)
    assert perfect.value == 1.0
    assert perfect.low < 0.6


def test_texts_of_one_kind_say_nothing() -> None:
    for labels in ([True, True], [False, False]):
        found = auc([0.1, 0.9], labels)
        assert (found.known, found.low, found.high) == (False, 0.0, 1.0)
    assert auc([], []).known is False


def test_one_cluster_says_nothing_of_others() -> None:
    found = auc([1, 2, 3, 4], [False, False, True, True], ["a"] * 4)
    assert (found.value, found.low, found.high, found.n) == (1.0, 0.0, 1.0, 1)


def test_repeated_texts_are_no_new_evidence() -> None:
    rng = np.random.default_rng(2)
    scores, labels, units = texts(rng, 0.8, 30, 1, twins=False)
    once = area((scores, labels, units))
    many = area((np.repeat(scores, 10), np.repeat(labels, 10), np.repeat(units, 10)))
    assert many.high - many.low == pytest.approx(once.high - once.low, abs=0.03)


@pytest.mark.parametrize(
    ("scores", "labels"), [([1.0], [True, False]), ([float("nan"), 1.0], [True, False])]
)
def test_what_is_no_score_is_refused(scores: list[float], labels: list[bool]) -> None:
    with pytest.raises(BadInput):
        auc(scores, labels)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), max_size=20))
def test_an_area_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    true = [score for score, label in pairs if label]
    false = [score for score, label in pairs if not label]
    found = auc([score for score, _ in pairs], [label for _, label in pairs])
    assert 0 <= found.low <= found.high <= 1
    if true and false:
        wins = [(t > f) + (t == f) / 2 for t in true for f in false]
        assert found.value == pytest.approx(sum(wins) / len(wins))
        assert found.low <= found.value <= found.high
