"""Bytes without context, in the shortest of three forms."""

from __future__ import annotations

import numpy as np

from otium.entropy import decode_bytes, encode_bytes


def test_bytes_have_three_forms() -> None:
    random = np.random.default_rng(0)
    for values in (
        np.full(1000, 7, np.uint8),
        random.integers(0, 256, 40).astype(np.uint8),
        random.integers(0, 4, 4000).astype(np.uint8),
        np.zeros(0, np.uint8),
    ):
        coded = encode_bytes(values)
        again, end = decode_bytes(coded, values.size)
        assert again.tolist() == values.tolist()
        assert end == len(coded)
    assert encode_bytes(np.full(1000, 7, np.uint8)) == b"\x00\x07"
