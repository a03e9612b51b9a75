from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otium.effects import holm


def test_holm_is_that_of_the_textbook() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert {name: round(p, 3) for name, p in found.items()} == {
        "a": 0.03,
        "b": 0.06,
        "c": 0.06,
        "d": 0.02,
    }
    assert holm({}) == {}


def test_any_error_at_all_stays_below_the_level() -> None:
    rng = np.random.default_rng(1)
    wrong = sum(
        min(holm(dict(enumerate(rng.random(9)))).values()) < 0.05  # type: ignore[arg-type]
        for _ in range(4000)
    )
    assert wrong / 4000 <= 0.06


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1)))
def test_no_adjusted_p_is_smaller_and_their_order_stays(chances: dict[str, float]) -> None:
    found = holm(chances)
    assert list(found) == list(chances)
    assert all(chances[name] <= found[name] <= 1 for name in chances)
    ordered = sorted(chances, key=lambda name: chances[name])
    assert [found[name] for name in ordered] == sorted(found.values())
