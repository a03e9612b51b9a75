from __future__ import annotations

import numpy as np
import pytest

from otium.effects import differences, equivalence
from otium.errors import BadInput
from twins import Planted


def test_no_difference_in_few_bases_is_not_equivalence() -> None:
    assert not equivalence([0.0] * 10, 0.1).shown


def test_no_difference_in_many_bases_is_equivalence() -> None:
    assert equivalence([0.0] * 60, 0.1).shown


def test_a_large_difference_is_more_than_the_margin() -> None:
    for change in (1.0, -1.0):
        found = equivalence([change] * 30, 0.1)
        assert (found.shown, found.estimate.excludes(change / 10)) == (False, True)


def test_one_base_shows_nothing_and_small_differences_of_many_plays_do() -> None:
    small = [base % 2 / 10 - base % 3 / 10 for base in range(20)]
    assert equivalence(small, 0.5).shown
    assert not equivalence([0.5], 1.0).shown


def test_a_difference_as_large_as_the_margin_is_rarely_called_equivalent() -> None:
    study = Planted(-0.5, -1.0, 1.0, 0.0)
    margin, rng = abs(study.truth()), np.random.default_rng(1)
    made = (differences(*study.play(rng, 60, 2)) for _ in range(1000))
    assert sum(equivalence(units, margin).shown for units in made) / 1000 <= 0.065


def test_a_margin_is_above_zero() -> None:
    with pytest.raises(BadInput):
        equivalence([], 0.0)
