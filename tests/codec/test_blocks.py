from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.ggml import GOLDEN, NUMBERS, SIZES
from otium.codec.blocks import KINDS, dequantise, join, split
from otium.errors import BadInput

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_block_has_the_size_that_ggml_gives_it(kind: str) -> None:
    assert (KINDS[kind].weights, KINDS[kind].size) == SIZES[kind]


def test_every_kind_that_ggml_makes_here_is_known() -> None:
    assert set(KINDS) == set(NUMBERS)


@every_kind
def test_each_bit_of_a_block_belongs_to_exactly_one_integer(kind: str) -> None:
    known = KINDS[kind]
    for bit in range(8 * known.size):
        block = bytearray(known.size)
        block[bit // 8] = 1 << bit % 8
        fields = split(kind, block)
        parts = [p for p in (fields.d, fields.dmin, fields.scales, fields.codes) if p is not None]
        assert sum(int(np.bitwise_count(part).sum()) for part in parts) == 1
        assert join(kind, fields) == bytes(block)


@every_kind
@given(seed=st.integers(0, 2**32), blocks=st.integers(0, 3))
def test_any_bytes_split_and_joined_are_the_same(kind: str, seed: int, blocks: int) -> None:
    data = np.random.default_rng(seed).bytes(blocks * KINDS[kind].size)
    assert join(kind, split(kind, data)) == data


@every_kind
def test_real_blocks_mean_what_the_package_gguf_reads(kind: str) -> None:
    golden = np.load(GOLDEN)
    expected = golden[f"{kind}_weights"]
    ours = dequantise(kind, golden[kind].tobytes()).ravel()[: expected.size]
    assert np.array_equal(ours.astype(np.float32), expected)


def test_incomplete_blocks_are_refused() -> None:
    with pytest.raises(BadInput, match="17 bytes are no whole Q4_0 blocks"):
        split("Q4_0", bytes(17))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="IQ1_S"):
        split("IQ1_S", b"")
