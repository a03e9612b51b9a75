from __future__ import annotations

import numpy as np
import pytest

from otium.effects import auc_difference
from otium.errors import BadInput


def drawn(
    seed: int, groups: int, gaps: tuple[float, float]
) -> tuple[list[list[float]], list[bool], list[int]]:
    """Return two scores that tell labels apart by *gaps*, with what groups have in common."""
    random = np.random.default_rng(seed)
    common = random.normal(0, 0.7, groups)
    labels = [bool(place % 2) for place in range(4 * groups)]
    names = [place // 4 for place in range(4 * groups)]
    noise = random.normal(0, 0.6, len(labels))
    both = [
        [
            gap * label + common[name] + 0.5 * shared + own
            for label, name, shared, own in zip(
                labels, names, noise, random.normal(0, 0.8, len(labels)), strict=True
            )
        ]
        for gap in gaps
    ]
    return both, labels, names


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    big, labels, _ = drawn(1, 40_000, (1.2, 0.4))
    truth = auc_difference(big[0], big[1], labels).value
    held = 0
    for seed in range(400):
        (one, two), told, names = drawn(seed, 16, (1.2, 0.4))
        found = auc_difference(one, two, told, names)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 400 <= 0.99


def test_a_score_does_not_differ_from_itself_and_perfect_differs_from_none_with_room() -> None:
    labels = [True, False] * 20
    perfect = [float(label) for label in labels]
    same = auc_difference(perfect, perfect, labels)
    assert same.value == 0
    assert same.low < 0 < same.high
    upside = auc_difference(perfect, [-score for score in perfect], labels)
    assert upside.value == 1
    assert 0.5 < upside.low < 1


def test_one_label_or_two_clusters_say_nothing() -> None:
    assert auc_difference([1.0, 2.0], [2.0, 1.0], [True, True]).low == -1
    assert auc_difference([1, 2, 3], [3, 2, 1], [True, False, True], ["a", "b", "a"]).high == 1
    with pytest.raises(BadInput):
        auc_difference([1.0], [1.0, 2.0], [True, False])
