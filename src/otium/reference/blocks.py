"""How the numbers of a tensor are stored, and the float32 values that they stand for.

The layouts are ggml's: ``ggml-common.h`` (the structs) and ``ggml-quants.c`` (the functions
``dequantize_row_*``), as of 2026, written anew here in numpy and in the same order of float32
operations, so that the values are the same bits. A row is cut into blocks; a block holds one or
two scales and some bits for each weight. *Low half first*: of 32 weights, those in the low four
bits of the 16 bytes come before those in the high four.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""Blocks, one a row."""
Floats = NDArray[np.float32]


class Refused(ValueError):
    """What the reference engine will not do, and why: it never guesses."""


@dataclass(frozen=True)
class Kind:
    """One way to store weights: *weights* of them in *size* bytes."""

    name: str
    weights: int
    size: int
    decode: Callable[[Bytes], Floats]


def _halves(blocks: Bytes, at: int) -> Floats:
    """Return the float16 at byte *at* of each block, as a column."""
    return blocks[:, at : at + 2].copy().view("<f2").astype(np.float32)


def _nibbles(data: Bytes) -> Bytes:
    """Return the four-bit numbers of bytes, low halves first, along the last axis."""
    return np.concatenate([data & 15, data >> 4], axis=-1)


def _bits(data: Bytes, width: int, shifts: range) -> Bytes:
    """Return the *width* bits at each shift: (..., shifts, bytes)."""
    steps = np.array(shifts, np.uint8)[:, None]
    return data[..., None, :] >> steps & np.uint8((1 << width) - 1)


def _fifth(blocks: Bytes, at: int) -> Bytes:
    """Return the fifth bits of 32 weights, which four bytes hold in order, as 0 or 16."""
    return np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little") << np.uint8(4)


def _spread(scales: Floats, each: int) -> Floats:
    """Give each scale of a block to *each* weights."""
    return np.repeat(scales, each, axis=1)


def _f32(blocks: Bytes) -> Floats:
    return blocks.view("<f4").astype(np.float32)


def _f64(blocks: Bytes) -> Floats:
    return blocks.view("<f8").astype(np.float32)


def _f16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    return _halves(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q4_1(blocks: Bytes) -> Floats:
    return _halves(blocks, 0) * _nibbles(blocks[:, 4:]).astype(np.float32) + _halves(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    numbers = _nibbles(blocks[:, 6:]) | _fifth(blocks, 2)
    return _halves(blocks, 0) * (numbers.astype(np.float32) - 16)


def _q5_1(blocks: Bytes) -> Floats:
    numbers = _nibbles(blocks[:, 8:]) | _fifth(blocks, 4)
    return _halves(blocks, 0) * numbers.astype(np.float32) + _halves(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    return _halves(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q2_k(blocks: Bytes) -> Floats:
    scales, low = blocks[:, :16], _halves(blocks, 82)
    numbers = _bits(blocks[:, 16:80].reshape(-1, 2, 32), 2, range(0, 8, 2)).reshape(-1, 256)
    steps = _halves(blocks, 80) * (scales & 15).astype(np.float32)
    lows = low * (scales >> 4).astype(np.float32)
    return _spread(steps, 16) * numbers.astype(np.float32) - _spread(lows, 16)


def _q3_k(blocks: Bytes) -> Floats:
    low = _nibbles(blocks[:, 96:104])
    high = _bits(blocks[:, 104:108], 2, range(0, 8, 2)).reshape(-1, 16)
    scales = (low | high << np.uint8(4)).astype(np.float32) - 32
    numbers = _bits(blocks[:, 32:96].reshape(-1, 2, 32), 2, range(0, 8, 2)).reshape(-1, 256)
    third = _bits(blocks[:, :32], 1, range(8)).reshape(-1, 256)
    signed = numbers.astype(np.float32) - 4 * (1 - third.astype(np.float32))
    return _spread(_halves(blocks, 108) * scales, 16) * signed


def _k_scales(blocks: Bytes) -> tuple[Floats, Floats]:
    """Return the eight steps and the eight lows of a Q4_K or Q5_K block, six bits each."""
    step, low, rest = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    steps = np.concatenate([step & 63, rest & 15 | step >> 6 << np.uint8(4)], axis=1)
    lows = np.concatenate([low & 63, rest >> 4 | low >> 6 << np.uint8(4)], axis=1)
    return (
        _spread(_halves(blocks, 0) * steps.astype(np.float32), 32),
        _spread(_halves(blocks, 2) * lows.astype(np.float32), 32),
    )


def _q4_k(blocks: Bytes) -> Floats:
    steps, lows = _k_scales(blocks)
    numbers = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 256)
    return steps * numbers.astype(np.float32) - lows


def _q5_k(blocks: Bytes) -> Floats:
    steps, lows = _k_scales(blocks)
    numbers = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 256)
    fifth = _bits(blocks[:, 16:48], 1, range(8)).reshape(-1, 256)
    return steps * (numbers | fifth << np.uint8(4)).astype(np.float32) - lows


def _q6_k(blocks: Bytes) -> Floats:
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 256)
    high = _bits(blocks[:, 128:192].reshape(-1, 2, 32), 2, range(0, 8, 2)).reshape(-1, 256)
    scales = _halves(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return _spread(scales, 16) * ((low | high << np.uint8(4)).astype(np.float32) - 32)


_NONLINEAR = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
"""The sixteen values of the IQ4 types."""


def _iq4_nl(blocks: Bytes) -> Floats:
    return _halves(blocks, 0) * _NONLINEAR[_nibbles(blocks[:, 2:])]


def _iq4_xs(blocks: Bytes) -> Floats:
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], axis=-1).reshape(-1, 8)
    high = blocks[:, 2:4].copy().view("<u2") >> np.arange(0, 16, 2, dtype=np.uint16) & 3
    scales = (low | high << 4).astype(np.float32) - 32
    numbers = _nibbles(blocks[:, 8:].reshape(-1, 8, 16)).reshape(-1, 256)
    return _spread(_halves(blocks, 0) * scales, 32) * _NONLINEAR[numbers]


GGML = {
    0: Kind("F32", 1, 4, _f32), 1: Kind("F16", 1, 2, _f16), 30: Kind("BF16", 1, 2, _bf16),
    28: Kind("F64", 1, 8, _f64), 8: Kind("Q8_0", 32, 34, _q8_0), 2: Kind("Q4_0", 32, 18, _q4_0),
    3: Kind("Q4_1", 32, 20, _q4_1), 6: Kind("Q5_0", 32, 22, _q5_0), 7: Kind("Q5_1", 32, 24, _q5_1),
    10: Kind("Q2_K", 256, 84, _q2_k), 11: Kind("Q3_K", 256, 110, _q3_k),
    12: Kind("Q4_K", 256, 144, _q4_k), 13: Kind("Q5_K", 256, 176, _q5_k),
    14: Kind("Q6_K", 256, 210, _q6_k), 20: Kind("IQ4_NL", 32, 18, _iq4_nl),
    23: Kind("IQ4_XS", 256, 136, _iq4_xs),
}  # fmt: skip
"""The kinds of a GGUF file by their number in it (``enum ggml_type``)."""
SAFETENSORS = {kind.name: kind for number, kind in GGML.items() if number in {0, 1, 28, 30}}
"""The kinds of a safetensors file by their name in it."""


@dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a file: *shape* in numpy's order, the last dimension in a row."""

    shape: tuple[int, ...]
    kind: Kind
    data: Bytes

    def values(self) -> Floats:
        """Return what the stored bytes stand for; raise Refused if some are not finite."""
        blocks = np.ascontiguousarray(self.data).reshape(-1, self.kind.size)
        with np.errstate(all="ignore"):
            values = self.kind.decode(blocks).reshape(self.shape)
        if not np.isfinite(values).all():
            raise Refused("a tensor holds numbers that are not finite")
        return values
