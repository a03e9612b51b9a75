"""Float types, and predictions of a tensor's floats from those of others.

Everything here is elementwise and rounds to nearest, ties to even, so that a reader in any
language gets the same bits. What a prediction misses is coded exactly.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from otium.entropy import kernel
from otium.errors import BadData

Bits = npt.NDArray[np.unsignedinteger]
"""Floats as the unsigned integers of the same bits."""
Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Dtype:
    """A float type of sign, exponent and mantissa, in this order."""

    name: str
    """As safetensors and GGUF write it."""
    number: int
    """As a stream's header writes it."""
    width: int
    """Bytes."""
    mantissa: int
    """Bits."""

    @property
    def bits(self) -> np.dtype[np.unsignedinteger]:
        """Return the unsigned integers that hold it, little-endian."""
        return np.dtype(f"<u{self.width}")

    @property
    def sign(self) -> int:
        """Return the sign's bit."""
        return 1 << (8 * self.width - 1)

    def view(self, data: Buffer) -> Bits:
        """Return *data* as integers, not copied."""
        return np.frombuffer(data, self.bits)


DTYPES = {
    one.name: one
    for one in (
        Dtype("BF16", 1, 2, 7),
        Dtype("F16", 2, 2, 10),
        Dtype("F32", 3, 4, 23),
        Dtype("F8_E4M3", 4, 1, 3),
        Dtype("F8_E5M2", 5, 1, 2),
    )
}
BY_NUMBER = {one.number: one for one in DTYPES.values()}


def as_bytes(bits: Bits) -> memoryview:
    """Return the bytes of weights that lie one behind the other, not copied."""
    return np.ascontiguousarray(bits).view(np.uint8).data


def room(count: int, dtype: Dtype, into: memoryview | None) -> Bits:
    """Return room for *count* weights, untouched: that at the start of *into*, if it is given."""
    return np.empty(count, dtype.bits) if into is None else np.frombuffer(into, dtype.bits, count)


def coding_row(count: int, row: int) -> int:
    """Return into rows of how many weights a piece of *count* weights is taken when it is coded.

    That is the tensor's row, or as many of them together as make 128 weights; the whole piece
    if it is not made of such rows.
    """
    row = max(row, 1)
    together = row * -(-128 // row)
    return together if count % together == 0 else count


FARTHEST = 1 << 16
"""How far from 0 the origin of contexts can be meant to lie."""
SAME, LORA = 1, 2
_IN_CACHE = 1 << 14
"""Weights that are updated at a time."""
_HEAD = struct.Struct("<BBBBI")
_LORA = struct.Struct("<BBHIId")


@dataclass(frozen=True)
class Lora:
    """A low-rank update ``scale * B @ A`` that was merged into the base."""

    down: Dtype
    """Of A, [rank, columns], the second base."""
    up: Dtype
    """Of B, [rows, rank], the third base."""
    rank: int
    first: int
    """The row of B that belongs to the first row of the piece."""
    scale: float


@dataclass(frozen=True)
class Prediction:
    """How the first base, and the others if there are any, predict a piece."""

    base: Dtype
    heads: int = 0
    """In how many heads llama.cpp's converter permuted the rows; 0 if it did not."""
    lora: Lora | None = None

    def pack(self) -> bytes:
        """Return the prediction as it stands in a stream."""
        kind = LORA if self.lora else SAME
        head = _HEAD.pack(kind, self.base.number, 0, 0, self.heads)
        if self.lora is None:
            return head
        one = self.lora
        return head + _LORA.pack(one.down.number, one.up.number, one.rank, one.first, 0, one.scale)

    @classmethod
    def unpack(cls, data: Buffer, at: int) -> tuple[Self, int]:
        """Read what `pack` wrote, and return where it ends; raise BadData."""
        try:
            kind, base, _, _, heads = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            if kind == SAME:
                return cls(BY_NUMBER[base], heads), at
            if kind != LORA:
                raise BadData(path="a piece", why=f"its prediction {kind} is not known")
            down, up, rank, first, _, scale = _LORA.unpack_from(data, at)
            lora = Lora(BY_NUMBER[down], BY_NUMBER[up], rank, first, scale)
            return cls(BY_NUMBER[base], heads, lora), at + _LORA.size
        except (struct.error, KeyError) as error:
            raise BadData(path="a piece", why=f"its prediction: {error}") from error

    def predict(self, bases: list[Buffer], target: Dtype, row: int) -> Bits:
        """Return the predicted bits in the type *target*; *row* is the tensor's row length.

        Raises BadData if the bases do not have the sizes that this needs.
        """
        try:
            bits = self.base.view(bases[0])
            if self.heads:
                bits = permuted(bits.reshape(-1, row), self.heads).reshape(-1)
            if self.lora is not None:
                bits = narrow(self._merged(bits, bases, row), target)
            elif self.base != target:
                bits = narrow(widen(bits, self.base), target)
            return np.ascontiguousarray(bits)
        except (ValueError, IndexError) as error:
            raise BadData(path="a piece", why=f"its bases do not fit: {error}") from error

    def _merged(self, bits: Bits, bases: list[Buffer], row: int) -> npt.NDArray[np.float32]:
        """Add the update, in doubles, one rank after the other."""
        assert self.lora is not None
        one = self.lora
        base = widen(bits, self.base).reshape(-1, row)
        with np.errstate(over="ignore", invalid="ignore"):
            down = widen(one.down.view(bases[1]), one.down).astype(np.float64)
            up = widen(one.up.view(bases[2]), one.up).astype(np.float64)
            down, up = down.reshape(one.rank, row), up.reshape(-1, one.rank)
            up = up[one.first : one.first + len(base)] * one.scale
        merged = np.array(base, np.float32)
        if up.shape != (len(base), one.rank):
            raise ValueError("its factors have other shapes")
        _merge(merged, np.ascontiguousarray(up), down)
        merged[np.isnan(merged)] = np.nan  # processors disagree about the bits of NaNs
        return merged.reshape(-1)


def _merge(
    values: npt.NDArray[np.float32], up: npt.NDArray[np.float64], down: npt.NDArray[np.float64]
) -> None:
    """Add ``up @ down`` to *values*, in doubles, one rank after the other."""
    (rows, row), rank = values.shape, len(down)
    if (loops := kernel()) is not None:
        loops.library.otium_merge(
            loops.level,
            *(ctypes.c_void_p(one.ctypes.data) for one in (values, up, down)),
            *(ctypes.c_uint64(number) for number in (rows, row, rank)),
        )
        return
    together = max(1, _IN_CACHE // row)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, rows, together):
            part = slice(start, start + together)
            update = np.zeros(values[part].shape)
            for k in range(rank):
                update += up[part, k : k + 1] * down[k]
            values[part] = values[part] + update


def permuted(rows: Bits, heads: int) -> Bits:
    """Return *rows* in the order that llama.cpp's converter gives the query and key rows."""
    count, width = rows.shape
    halves = rows.reshape(heads, 2, count // heads // 2, width)
    return halves.swapaxes(1, 2).reshape(count, width)


def widen(bits: Bits, dtype: Dtype) -> npt.NDArray[np.float32]:
    """Return floats as F32, exactly, NaNs of F16 as the quiet one; raise ValueError for 8 bits."""
    if dtype.name == "F32":
        return bits.view(np.float32)
    if dtype.name == "F16":
        wide = bits.view(np.float16).astype(np.float32)
        wide[np.isnan(wide)] = np.nan
        return wide
    if dtype.name == "BF16":
        return (bits.astype(np.uint32) << 16).view(np.float32)
    raise ValueError(f"{dtype.name} is not widened")


def narrow(values: npt.NDArray[np.float32], dtype: Dtype) -> Bits:
    """Return F32 values in another type, NaNs as the quiet one of F16; ValueError for 8 bits."""
    if dtype.name == "F32":
        return values.view(np.uint32)
    if dtype.name == "F16":
        with np.errstate(over="ignore", invalid="ignore"):
            half = values.astype(np.float16)
        half[np.isnan(half)] = np.nan
        return half.view(np.uint16)
    if dtype.name == "BF16":
        bits = np.ascontiguousarray(values).view(np.uint32)
        if (loops := kernel()) is not None:
            short = np.empty(bits.size, np.uint16)
            pointers = [ctypes.c_void_p(one.ctypes.data) for one in (bits, short)]
            loops.library.otium_shorten(loops.level, *pointers, ctypes.c_uint64(bits.size))
            return short
        rounded = bits + np.uint32(0x7FFF) + (bits >> 16 & 1)
        return (rounded >> 16).astype(np.uint16)
    raise ValueError(f"{dtype.name} is not narrowed to")
