from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec import ggml
from otium.codec.predict import DTYPES, Prediction
from otium.codec.scaled import Scaling, decode_scaled, encode_scaled
from otium.errors import BadData, BadInput

F32, BF16 = DTYPES["F32"], Prediction(DTYPES["BF16"])
CODES = ("I8", "F8_E4M3", "F8_E5M2")
LARGEST = {"I8": 127.0, "F8_E4M3": 448.0, "F8_E5M2": 57344.0}


def meaning(code: str) -> npt.NDArray[np.float64]:
    """Return the number that each byte means, as the OCP specification of fp8 has it."""
    bits = np.arange(256)
    if code == "I8":
        return bits.astype(np.uint8).view(np.int8).astype(np.float64)
    mantissa, bias = (3, 7) if code == "F8_E4M3" else (2, 15)
    exponent = (bits & 127) >> mantissa
    part = (bits & ((1 << mantissa) - 1)) / (1 << mantissa)
    size = np.where(exponent > 0, (1 + part) * 2.0 ** (exponent - bias), part * 2.0 ** (1 - bias))
    size[size > LARGEST[code]] = np.nan
    return np.where(bits & 128, -size, size)


def rounded(ratio: npt.NDArray[np.float64], code: str) -> npt.NDArray[np.uint8]:
    """Return the byte that means the number nearest to each ratio; an even one at a tie."""
    table = meaning(code)
    order = [b for b in np.argsort(table, kind="stable").tolist() if not np.isnan(table[b])]
    order.remove(128) if code != "I8" else None
    known = table[order]
    right = np.clip(np.searchsorted(known, ratio), 1, known.size - 1)
    low, high = ratio - known[right - 1], known[right] - ratio
    codes = np.array(order, np.uint8)
    up = (high < low) | ((high == low) & (codes[right] % 2 == 0))
    chosen = np.where(up, codes[right], codes[right - 1])
    minus_zero = (chosen == 0) & np.signbit(ratio) & (code != "I8")
    return np.where(minus_zero, 128, chosen).astype(np.uint8)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("tall", "wide"), [(1, 1 << 31), (1 << 31, 1 << 31), (16, 128), (1, 64)])
def test_absmax_codes_cost_almost_nothing(code: str, tall: int, wide: int) -> None:
    parent = ggml.made(64, 512, 1)
    x = ggml.widened(parent).astype(np.float64)
    high, broad = min(tall, 64), min(wide, 512)
    tiles = np.abs(x).reshape(64 // high, high, 512 // broad, broad).max((1, 3))
    scales = (tiles / LARGEST[code]).astype(np.float32)
    each = np.repeat(np.repeat(scales, high, 0), broad, 1).astype(np.float64)
    data = rounded((x / each).ravel(), code).tobytes()
    bases = [parent.tobytes(), scales.tobytes()]
    stored = encode_scaled(data, list(bases), BF16, Scaling(code, F32, 512, 0, tall, wide))
    assert len(stored) < 60
    assert decode_scaled(stored, list(bases)) == data


def test_a_part_of_a_tensor_takes_the_scales_of_its_own_rows() -> None:
    parent = ggml.made(64, 256, 2)
    x = ggml.widened(parent).astype(np.float64)
    scales = (np.abs(x).max(1) / 127).astype(np.float32)
    data = rounded((x / scales[:, None].astype(np.float64)).ravel(), "I8").tobytes()
    bases = [parent[48:].tobytes(), scales.tobytes()]
    stored = encode_scaled(data[48 * 256 :], list(bases), BF16, Scaling("I8", F32, 256, 48))
    assert len(stored) < 60
    assert decode_scaled(stored, list(bases)) == data[48 * 256 :]


@pytest.mark.parametrize("code", CODES)
@given(seed=st.integers(0, 2**32), rows=st.integers(0, 4), row=st.integers(1, 70))
def test_any_codes_come_back_whatever_the_bases(code: str, seed: int, rows: int, row: int) -> None:
    rng = np.random.default_rng(seed)
    data, parent, scales = (rng.bytes(rows * n) for n in (row, 2 * row, 4))
    scaling = Scaling(code, F32, row)
    stored = encode_scaled(data, [parent, scales], BF16, scaling)
    assert decode_scaled(stored, [parent, scales]) == data


def test_scales_that_do_not_reach_are_refused() -> None:
    with pytest.raises(BadData, match="do not fit"):
        encode_scaled(bytes(64), [bytes(128), bytes(4)], BF16, Scaling("I8", F32, 32))


def test_other_codes_are_refused() -> None:
    with pytest.raises(BadInput, match="I4"):
        encode_scaled(b"", [b"", b""], BF16, Scaling("I4", F32, 32))


def test_codes_and_weights_of_different_number_are_refused() -> None:
    with pytest.raises(BadInput, match="32 weights, 31 codes"):
        encode_scaled(bytes(31), [bytes(64), bytes(4)], BF16, Scaling("I8", F32, 32))


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_damage_is_named_or_changes_what_comes_back(where: int, byte: int) -> None:
    parent, scales = ggml.made(2, 256, 9).tobytes(), struct.pack("<2f", 0.001, 0.002)
    data = np.random.default_rng(10).bytes(512)
    stored = bytearray(encode_scaled(data, [parent, scales], BF16, Scaling("I8", F32, 256)))
    stored[where % len(stored)] = byte
    for damaged in (stored, stored[: where % len(stored)]):
        try:
            decode_scaled(damaged, [parent, scales])
        except BadData as error:
            assert "cannot be used" in str(error)  # noqa: PT017 sound bytes are no error here
