from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.families import base_model
from otium.bench.coders import Otium
from otium.bench.data import Tensor, cast, disturbed, narrow
from otium.bench.entropy import bound, conditional, delta_bits, standalone_bits, tensor_bound


def test_a_copy_costs_nothing() -> None:
    model = base_model()
    assert bound(model, model) == 0


def test_the_entropy_of_fair_coins_is_a_bit_each() -> None:
    coins = np.array([0, 1] * 500)
    assert conditional(coins, np.zeros_like(coins)) == pytest.approx(1000)
    assert conditional(coins, coins) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60))
def test_a_context_never_costs(pairs: list[tuple[int, int]]) -> None:
    symbols, context = (np.array(each, np.int64) for each in zip(*pairs, strict=True))
    nothing = np.zeros_like(context)
    assert conditional(symbols, context) <= conditional(symbols, nothing) + 1e-6


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
def test_no_coded_tensor_of_full_rank_is_below_its_bound(dtype: str) -> None:
    base = cast(base_model(), dtype)
    tuned = disturbed(base, 0.01)
    for name in ("embed.weight", "up.weight"):
        alone, based = Otium().encode(base[name], None), Otium().encode(tuned[name], base[name])
        assert alone.size * 8 >= tensor_bound(base[name])
        assert based.size * 8 >= tensor_bound(tuned[name], base[name])


def test_a_small_step_is_cheaper_than_a_large_one_and_than_none() -> None:
    base = base_model()["up.weight"]
    costs = [delta_bits(disturbed({"t": base}, ratio)["t"], base) for ratio in (0.001, 0.01, 0.05)]
    assert sorted(costs) == costs
    assert costs[-1] < standalone_bits(base)


def test_empty_and_special_values_have_a_bound() -> None:
    assert tensor_bound(Tensor("t", "BF16", (0,), b"")) == 0
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40], np.float32)
    odd = Tensor("t", "BF16", (6,), narrow(values, "BF16"))
    assert 0 < tensor_bound(odd) < 16 * 6
    other = odd._replace(data=bytes(12))
    assert 0 <= tensor_bound(odd, other) < 16 * 6
