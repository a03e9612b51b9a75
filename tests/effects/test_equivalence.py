from __future__ import annotations

import numpy as np
import pytest

from otium.effects import equivalence
from otium.errors import BadInput
from twins import Planted


def test_no_difference_in_few_bases_is_not_equivalence() -> None:
    few = {str(base): [0] for base in range(10)}
    assert equivalence(few, few, 0.1).word == "undetermined"


def test_no_difference_in_many_bases_is_equivalence() -> None:
    many = {str(base): [base % 2] for base in range(60)}
    assert equivalence(many, many, 0.1).word == "equivalent"


def test_a_large_difference_is_more_than_the_margin() -> None:
    never, always = ({str(base): [said] for base in range(30)} for said in (0, 1))
    assert equivalence(always, never, 0.1).word == "different"


def test_scores_are_compared_too() -> None:
    one = {str(base): [3 + base % 2 / 10] for base in range(20)}
    other = {str(base): [3 + base % 3 / 10] for base in range(20)}
    assert equivalence(one, other, 0.5).word == "equivalent"
    assert equivalence({"a": [2.5]}, {"a": [2.0]}, 1.0).word == "undetermined"


def test_a_difference_as_large_as_the_margin_is_rarely_called_equivalent() -> None:
    study = Planted(-0.5, -1.0, 1.0, 0.0)
    margin, rng = abs(study.truth()), np.random.default_rng(1)
    words = [equivalence(*study.play(rng, 60, 2), margin).word for _ in range(1000)]
    assert words.count("equivalent") / 1000 <= 0.065


def test_a_margin_is_above_zero() -> None:
    with pytest.raises(BadInput):
        equivalence({}, {}, 0.0)
