"""Floats by their high bits (SPEC.md, "float" and "exponent").

A symbol is the exponent and the first bits of the mantissa; the other bits are nearly random
and follow raw. The context is the row's mean exponent. Under a base (``exponent``) it is also
the exponent of the base's weight, and the symbol says whether the sign stayed: that is what
is left to know about a weight that was retrained until it forgot its value.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otium.codec.predict import (
    BY_NUMBER,
    FARTHEST,
    Bits,
    Buffer,
    Dtype,
    Prediction,
    as_bytes,
    coding_row,
    room,
)
from otium.entropy import (
    Tables,
    count_symbols,
    decode_bytes,
    decode_coded,
    encode_bytes,
    kernel,
    read_stream,
    write_symbols,
)
from otium.errors import BadData

MOST_TOPS = 256
_HEAD = struct.Struct("<BBBBIi")
_TOPS = struct.Struct("<HH")
_CLASSES = {False: 64, True: 8}
_FINE = {False: 4, True: 2}
"""Classes an octave, without and with a base."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Tops:
    """A piece taken apart into symbols for its high bits, and raw low bits."""

    head: bytes
    classes: Bytes
    symbols: Bytes
    contexts: Bytes
    raw: npt.NDArray[np.uint32]
    width: int
    """Raw bits of each weight."""
    counts: npt.NDArray[np.uint32]
    """[contexts, symbols]: how often each symbol stands in each context."""

    def estimate(self) -> float:
        """Return about how many bits the piece will take."""
        return Tables.estimate(self.counts) + self.width * self.symbols.size

    def pack(self) -> bytes:
        """Return the stored form."""
        tables = Tables.fit(self.counts)
        stream = write_symbols(tables, self.symbols, self.contexts, self.raw, self.width)
        return self.head + encode_bytes(self.classes) + stream


def take_tops(
    data: Bits, base: Bits | None, how: Prediction | None, dtype: Dtype, row: int
) -> Tops | None:
    """Return *data* by its high bits, under *base*, which *how* predicted, if there is one.

    None if so many exponents occur with either sign that there are not symbols for all.
    """
    low, tops = _low_bits(base, data, dtype)
    if tops.size > MOST_TOPS:
        return None
    zeros = _zeros(data, low)
    ranks = np.zeros(int(tops[-1]) + 1, np.uint8)
    ranks[tops] = np.arange(tops.size)
    long = coding_row(data.size, row)
    classes = _classes(data, long, dtype, based=base is not None)
    origin = 0 if base is None else int(_exponents(base, dtype).max()) - 31
    symbols, contexts, raw = _symbols(base, data, long, classes, ranks, low, zeros, origin, dtype)
    counts = count_symbols(symbols, contexts, 64 if base is None else 256)
    width = low - zeros + (base is None)
    based = base is not None
    head = _HEAD.pack(dtype.number, low, based, zeros, row, origin) + _write_tops(tops, based)
    head += how.pack() if how else b""
    return Tops(head, classes, symbols, contexts, raw, width, counts)


class _Head(NamedTuple):
    """What a stored piece begins with."""

    dtype: Dtype
    low: int
    based: bool
    zeros: int
    row: int
    origin: int
    tops: npt.NDArray[np.uint32]


def _read_head(stored: Buffer) -> tuple[_Head, int]:
    """Return the header of a stored piece and where it ends; raise BadData."""
    try:
        number, low, based, zeros, row, origin = _HEAD.unpack_from(stored)
        dtype = BY_NUMBER[number]
        tops, at = _read_tops(stored, low, dtype, based)
    except (struct.error, KeyError, ValueError) as error:
        raise BadData(path="a piece", why=f"its header: {error}") from error
    if abs(origin) > FARTHEST:
        raise BadData(path="a piece", why=f"its header: contexts from {origin} on")
    return _Head(dtype, low, bool(based), zeros, row, origin, tops), at


def put_tops(
    stored: Buffer, bases: list[Buffer], size: int, into: memoryview | None = None
) -> memoryview:
    """Return the *size* bytes that were stored, in *into*; raise BadData if that cannot be."""
    head, at = _read_head(stored)
    dtype, low, based, zeros, row, origin, tops = head
    base = None
    if based:
        how, at = Prediction.unpack(stored, at)
        base = how.predict(bases, dtype, row)
    count = size // dtype.width
    if not count or size % dtype.width or (base is not None and base.size != count):
        raise BadData(path="a piece", why="its base has another size")
    long = coding_row(count, row)
    classes, at = decode_bytes(stored, count // long, at)
    coded = read_stream(stored, at)
    if coded.end != len(stored):
        raise BadData(path="a piece", why="something follows it")
    if coded.count != count or zeros > low or coded.split != low - zeros + (not based):
        raise BadData(path="a piece", why="its rows and symbols do not fit together")
    if classes.max(initial=0) >= _CLASSES[based]:
        raise BadData(path="a piece", why="a row has no such class")
    loops = kernel()
    if loops is None:
        contexts = _contexts(base, classes, long, origin, dtype)
        return as_bytes(_joined(decode_coded(coded, contexts), tops, low, zeros, base, dtype))
    target = room(count, dtype, into)
    stream = coded.stream()
    failed = loops.call(
        "float_decode", dtype.width, ctypes.byref(stream), base, target, count // long, long,
        classes, tops, origin, dtype.mantissa, zeros,
    )  # fmt: skip
    if failed:
        raise BadData(path="a piece", why="its symbols end too early")
    return as_bytes(target)


def _low_bits(base: Bits | None, data: Bits, dtype: Dtype) -> tuple[int, npt.NDArray[np.int64]]:
    """Return how many low bits leave few enough tops, and which tops occur.

    Too many, where a base's signs double them, are returned as they are.
    """
    low, tops = dtype.mantissa, np.zeros(0, np.int64)
    for high in (min(dtype.mantissa, 3 if dtype.width == 1 else 2), 1, 0):
        low = dtype.mantissa - high
        counts = np.zeros(2 << (8 * dtype.width - 1 - low), np.uint32)
        loops = kernel()
        if loops is not None:
            loops.call("float_tops", dtype.width, base, data, data.size, low, counts)
        else:
            counts += np.bincount(_top(base, data, low, dtype), minlength=counts.size).astype("u4")
        tops = np.flatnonzero(counts)
        if tops.size <= MOST_TOPS:
            break
    return low, tops


def _zeros(data: Bits, low: int) -> int:
    """Return how many of the low bits are 0 in every weight: floats of a shorter type."""
    loops = kernel()
    if loops is not None:
        any_bit = loops.call("union", data.itemsize, data, data.size)
    else:
        any_bit = int(np.bitwise_or.reduce(data))
    any_bit |= 1 << low
    return (any_bit & -any_bit).bit_length() - 1


def _top(base: Bits | None, data: Bits, low: int, dtype: Dtype) -> npt.NDArray[np.int64]:
    kind = dtype.bits.type
    top: npt.NDArray[np.int64] = ((data & kind(dtype.sign - 1)) >> kind(low)).astype(np.int64)
    top <<= 1
    if base is not None:
        top |= ((data ^ base) & kind(dtype.sign)) != 0
    return top


def _write_tops(tops: npt.NDArray[np.int64], based: bool) -> bytes:  # noqa: FBT001
    """Return the tops as a bitmap: its first top, a multiple of 8, its bytes, the bytes."""
    marks = tops if based else tops >> 1
    first = int(marks[0]) & ~7
    bits = np.zeros(int(marks[-1]) - first + 1, np.uint8)
    bits[marks - first] = 1
    bitmap = np.packbits(bits, bitorder="little").tobytes()
    return _TOPS.pack(first, len(bitmap)) + bitmap


def _read_tops(
    stored: Buffer, low: int, dtype: Dtype, based: int
) -> tuple[npt.NDArray[np.uint32], int]:
    """Return the high bits that each symbol stands for, [256], and where the bitmap ends."""
    if low > dtype.mantissa:
        raise ValueError("more raw bits than a mantissa has")
    first, length = _TOPS.unpack_from(stored, _HEAD.size)
    at = _HEAD.size + _TOPS.size
    bitmap = bytes(memoryview(stored)[at : at + length])
    if len(bitmap) < length:
        raise ValueError("the symbols are cut short")
    marks = [
        first + 8 * place + bit
        for place, byte in enumerate(bitmap)
        if byte
        for bit in range(8)
        if byte >> bit & 1
    ]
    most = 2 << (8 * dtype.width - 1 - low)
    if len(marks) > MOST_TOPS or (marks and marks[-1] >= (most if based else most >> 1)):
        raise ValueError("symbols that cannot be")
    full = np.zeros(MOST_TOPS, np.uint32)
    if based:
        full[: len(marks)] = [(top >> 1 << low) | (top & 1) * dtype.sign for top in marks]
    else:
        full[: len(marks)] = [top << low for top in marks]
    return full, at + length


def _exponents(bits: Bits, dtype: Dtype) -> npt.NDArray[np.int32]:
    size = bits & dtype.bits.type(dtype.sign - 1)
    exponents: npt.NDArray[np.int32] = (size >> dtype.bits.type(dtype.mantissa)).astype(np.int32)
    return exponents


def _classes(data: Bits, row: int, dtype: Dtype, *, based: bool) -> Bytes:
    """Return the class of each row: its mean exponent above the lowest row's."""
    rows = data.size // row
    sums, used = np.zeros(rows, np.uint64), np.zeros(rows, np.uint32)
    loops = kernel()
    if loops is not None:
        loops.call("float_rows", dtype.width, data, rows, row, dtype.mantissa, sums, used)
    else:
        exponent = _exponents(data, dtype).reshape(rows, row)
        sums = exponent.sum(1, dtype=np.uint64)
        used = np.count_nonzero(exponent, 1).astype(np.uint32)
    level = (np.uint64(_FINE[based]) * sums // np.maximum(used, 1)).astype(np.int64)
    lowest = int(level[used > 0].min()) if used.any() else 0
    return np.clip(level - lowest, 0, _CLASSES[based] - 1).astype(np.uint8)


def _contexts(base: Bits | None, classes: Bytes, row: int, origin: int, dtype: Dtype) -> Bytes:
    contexts = np.repeat(classes, row)
    if base is None:
        return contexts
    place = np.clip(_exponents(base, dtype) - origin, 0, 31).astype(np.uint8)
    joined: Bytes = (contexts << np.uint8(5)) | place
    return joined


def _symbols(
    base: Bits | None, data: Bits, row: int, classes: Bytes, ranks: Bytes, low: int, zeros: int,
    origin: int, dtype: Dtype,
) -> tuple[Bytes, Bytes, npt.NDArray[np.uint32]]:  # fmt: skip
    loops = kernel()
    if loops is None:
        kind = dtype.bits.type
        raw: npt.NDArray[np.uint32] = (data & kind((1 << low) - 1)).astype(np.uint32)
        raw >>= np.uint32(zeros)
        if base is None:
            raw |= ((data & kind(dtype.sign)) != 0).astype(np.uint32) << np.uint32(low - zeros)
        symbols = ranks[_top(base, data, low, dtype)]
        return symbols, _contexts(base, classes, row, origin, dtype), raw
    symbols, contexts = np.empty(data.size, np.uint8), np.empty(data.size, np.uint8)
    raw = np.empty(data.size, np.uint32)
    loops.call(
        "float_symbols", dtype.width, base, data, data.size // row, row, classes, ranks, low,
        zeros, origin, dtype.mantissa, symbols, contexts, raw,
    )  # fmt: skip
    return symbols, contexts, raw


def _joined(
    values: npt.NDArray[np.int32], tops: npt.NDArray[np.uint32], low: int, zeros: int,
    base: Bits | None, dtype: Dtype,
) -> Bits:  # fmt: skip
    kept = low - zeros
    joined: Bits = tops[values.view(np.uint32) >> np.uint32(kept + (base is None))].astype(
        dtype.bits
    )
    joined |= ((values & ((1 << kept) - 1)) << zeros).astype(dtype.bits)
    sign = dtype.bits.type(dtype.sign)
    if base is None:
        joined |= (values >> kept & 1).astype(dtype.bits) * sign
    else:
        joined ^= base & sign
    return joined
