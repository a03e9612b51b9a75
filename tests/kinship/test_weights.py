from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinship.models import View
from otium.codec.blocks import dequantise
from otium.formats import TYPES
from otium.kinship.quants import BLOCKS
from otium.kinship.roles import WIDTHS, Place
from otium.kinship.weights import from_fp8, read_weight, round_to_bf16


@pytest.mark.parametrize("kind", sorted(BLOCKS))
@settings(max_examples=20)
@given(seed=st.integers(0, 1 << 32))
def test_single_weights_equal_those_of_the_whole_block_decoder(kind: str, seed: int) -> None:
    weights, size, decode = BLOCKS[kind]
    raw = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
    found = np.array([decode(raw, i) for i in range(weights)])
    with np.errstate(invalid="ignore"):  # random scales may be NaN or infinite
        np.testing.assert_array_equal(found, dequantise(kind, raw)[0])


def test_blocks_have_the_sizes_that_the_header_reader_believes() -> None:
    sizes = {name: (weights, size) for name, weights, size in TYPES.values()}
    for kind, (weights, size, _) in BLOCKS.items():
        assert sizes[kind] == (weights, size)
        assert WIDTHS[kind] == size / weights


@given(st.floats(width=32))
def test_rounding_to_bf16_is_to_nearest_even(value: float) -> None:
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    whole, rest = bits >> 16, bits & 0xFFFF
    up = rest > 0x8000 or (rest == 0x8000 and whole % 2 == 1)
    assert round_to_bf16(value) == (0x7FC0 if math.isnan(value) else whole + up)


def test_8_bit_floats_have_the_published_extremes() -> None:
    assert from_fp8(0x7E, "F8_E4M3") == 448
    assert from_fp8(0x01, "F8_E4M3") == 2**-9
    assert math.isnan(from_fp8(0xFF, "F8_E4M3"))
    assert from_fp8(0x7B, "F8_E5M2") == 57344
    assert from_fp8(0xFC, "F8_E5M2") == -math.inf
    assert from_fp8(0x01, "F8_E5M2") == 2**-16
    assert math.isnan(from_fp8(0x80, "F8_E4M3FNUZ"))
    assert from_fp8(0x7F, "F8_E4M3FNUZ") == 240
    assert from_fp8(0x7F, "F8_E5M2FNUZ") == 57344


def test_scales_may_be_of_the_tensor_the_row_or_the_tile() -> None:
    one = View("w", "F8_E4M3", (256, 256), bytes([0x38]) * 65536)  # all 1.0
    place = Place("w", one, 0, 256, 256)
    row = View("w_scale", "BF16", (256, 1), struct.pack("<256H", *range(0x3F80, 0x4080)))
    tile = View("w_scale_inv", "F32", (2, 2), struct.pack("<4f", 1, 2, 3, 4))
    whole = View("w_scale", "F32", (), struct.pack("<f", 5))
    assert read_weight(place, 200, 3, {}) == 1
    assert read_weight(place, 1, 3, {"w_scale": row}) == 1 + 2**-7
    assert read_weight(place, 200, 3, {"w_scale_inv": tile}) == 3
    assert read_weight(place, 200, 3, {"w_scale": whole}) == 5
