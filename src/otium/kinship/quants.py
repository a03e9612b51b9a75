"""Decoding single weights of llama.cpp's quantised blocks (layouts as in ggml-common.h)."""

from __future__ import annotations

import struct
from collections.abc import Callable

Decoder = Callable[[bytes, int], float]


def _half(block: bytes, at: int) -> float:
    value: float = struct.unpack_from("<e", block, at)[0]
    return value


def _nibble(block: bytes, start: int, i: int) -> int:
    """Return code *i* of 32 that lie in 16 bytes, the first half in the low nibbles."""
    return block[start + i % 16] >> (i // 16 * 4) & 15


def _q8_0(b: bytes, i: int) -> float:
    code: int = struct.unpack_from("<b", b, 2 + i)[0]
    return _half(b, 0) * code


def _q4_0(b: bytes, i: int) -> float:
    return _half(b, 0) * (_nibble(b, 2, i) - 8)


def _q4_1(b: bytes, i: int) -> float:
    return _half(b, 0) * _nibble(b, 4, i) + _half(b, 2)


def _q5_0(b: bytes, i: int) -> float:
    high = b[2 + i // 8] >> i % 8 & 1
    return _half(b, 0) * ((_nibble(b, 6, i) | high << 4) - 16)


def _q5_1(b: bytes, i: int) -> float:
    high = b[4 + i // 8] >> i % 8 & 1
    return _half(b, 0) * (_nibble(b, 8, i) | high << 4) + _half(b, 2)


def _q2_k(b: bytes, i: int) -> float:
    part, plane, lane = i // 128, i % 128 // 32, i % 32
    scale = b[8 * part + 2 * plane + lane // 16]
    code = b[16 + 32 * part + lane] >> 2 * plane & 3
    return _half(b, 80) * (scale & 15) * code - _half(b, 82) * (scale >> 4)


def _q3_k(b: bytes, i: int) -> float:
    part, plane, lane = i // 128, i % 128 // 32, i % 32
    n = 8 * part + 2 * plane + lane // 16
    low = b[96 + n % 8] >> n // 8 * 4 & 15
    scale = (low | (b[104 + n % 4] >> 2 * (n // 4) & 3) << 4) - 32
    high = b[lane] >> (4 * part + plane) & 1
    code = (b[32 + 32 * part + lane] >> 2 * plane & 3) - (0 if high else 4)
    return _half(b, 108) * scale * code


def _scale_and_min(b: bytes, n: int) -> tuple[int, int]:
    """Return scale and minimum of sub-block *n* of 8, six bits each in 12 bytes from byte 4 on."""
    s = b[4:16]
    if n < 4:
        return s[n] & 63, s[n + 4] & 63
    return s[n + 4] & 15 | s[n - 4] >> 6 << 4, s[n + 4] >> 4 | s[n] >> 6 << 4


def _q4_k(b: bytes, i: int) -> float:
    n, lane = divmod(i, 32)
    scale, least = _scale_and_min(b, n)
    code = b[16 + 32 * (n // 2) + lane] >> n % 2 * 4 & 15
    return _half(b, 0) * scale * code - _half(b, 2) * least


def _q5_k(b: bytes, i: int) -> float:
    n, lane = divmod(i, 32)
    scale, least = _scale_and_min(b, n)
    code = b[48 + 32 * (n // 2) + lane] >> n % 2 * 4 & 15 | (b[16 + lane] >> n & 1) << 4
    return _half(b, 0) * scale * code - _half(b, 2) * least


def _q6_k(b: bytes, i: int) -> float:
    part, plane, lane = i // 128, i % 128 // 32, i % 32
    low = b[64 * part + 32 * (plane % 2) + lane] >> plane // 2 * 4 & 15
    high = b[128 + 32 * part + lane] >> 2 * plane & 3
    scale: int = struct.unpack_from("<b", b, 192 + 8 * part + 2 * plane + lane // 16)[0]
    return _half(b, 208) * scale * ((low | high << 4) - 32)


BLOCKS: dict[str, tuple[int, int, Decoder]] = {
    "Q4_0": (32, 18, _q4_0), "Q4_1": (32, 20, _q4_1), "Q5_0": (32, 22, _q5_0),
    "Q5_1": (32, 24, _q5_1), "Q8_0": (32, 34, _q8_0), "Q2_K": (256, 84, _q2_k),
    "Q3_K": (256, 110, _q3_k), "Q4_K": (256, 144, _q4_k), "Q5_K": (256, 176, _q5_k),
    "Q6_K": (256, 210, _q6_k),
}  # fmt: skip
"""Weights and bytes of a block, and how one of its weights is decoded."""
