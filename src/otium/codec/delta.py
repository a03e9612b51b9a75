"""Floats as small steps from predicted ones (SPEC.md, "delta").

A step is counted in units of the last place, away from zero if positive. How large it will
be is told by the mean change of its row, which is sent, in units of the last place of the
predicted weight, which is known: a fine-tune changes small and large weights by about the same
amount. No published codec uses that context; it halves what XOR takes (`otium bench archive`).
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

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
    BUCKETS,
    Tables,
    bucket_symbols,
    count_symbols,
    decode_bytes,
    decode_coded,
    encode_bytes,
    kernel,
    raw_bits,
    read_stream,
    write_symbols,
)
from otium.errors import BadData

CONTEXTS = 64
_ZERO = 16
"""The context in which the expected step is one unit; two contexts an octave."""
_HEAD = struct.Struct("<BBHIi")
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Steps:
    """A piece taken apart into the steps from its prediction."""

    head: bytes
    classes: Bytes
    """[rows]: the size of the row's steps; 0 if there are none."""
    symbols: Bytes
    contexts: Bytes
    values: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint32]
    """[contexts, symbols]: how often each symbol stands in each context."""

    def estimate(self) -> float:
        """Return about how many bits the steps will take."""
        return Tables.estimate(self.counts) + raw_bits(self.counts)

    def pack(self) -> bytes:
        """Return the stored form."""
        tables = Tables.fit(self.counts)
        steps = write_symbols(tables, self.symbols, self.contexts, self.values, BUCKETS)
        return self.head + encode_bytes(self.classes) + steps


def take_steps(data: Bits, base: Bits, how: Prediction, dtype: Dtype, row: int) -> Steps:
    """Return *data* as steps from *base*, which *how* predicted; *row* is the tensor's row."""
    long = coding_row(data.size, row)
    levels, changed = _levels(base, data, long, dtype)
    lowest = int(levels[changed].min()) if changed.any() else 0
    classes = np.where(changed, np.clip(levels - lowest + 1, 1, 255), 0).astype(np.uint8)
    origin = lowest - 1 + _ZERO
    values, symbols, contexts = _symbols(base, data, long, classes, origin, dtype)
    counts = count_symbols(symbols, contexts, CONTEXTS)
    head = _HEAD.pack(dtype.number, 0, 0, row, origin) + how.pack()
    return Steps(head, classes, symbols, contexts, values, counts)


def apply_steps(
    stored: Buffer, bases: list[Buffer], size: int, into: memoryview | None = None
) -> memoryview:
    """Return the *size* bytes that were stored, in *into*; raise BadData if that cannot be."""
    try:
        number, _, _, row, origin = _HEAD.unpack_from(stored)
        dtype = BY_NUMBER[number]
    except (struct.error, KeyError) as error:
        raise BadData(path="a piece", why=f"its header: {error}") from error
    if abs(origin) > FARTHEST:
        raise BadData(path="a piece", why=f"its header: contexts from {origin} on")
    how, at = Prediction.unpack(stored, _HEAD.size)
    base = how.predict(bases, dtype, row)
    if base.nbytes != size or not size:
        raise BadData(path="a piece", why="its base has another size")
    long = coding_row(base.size, row)
    classes, at = decode_bytes(stored, base.size // long, at)
    coded = read_stream(stored, at)
    if coded.end != len(stored):
        raise BadData(path="a piece", why="something follows it")
    if coded.count != np.count_nonzero(classes) * long or coded.split != BUCKETS:
        raise BadData(path="a piece", why="its rows and steps do not fit together")
    loops = kernel()
    if loops is None:
        contexts = _contexts(base, long, classes, origin, dtype)
        return as_bytes(_stepped(base, long, classes, decode_coded(coded, contexts), dtype))
    target = room(base.size, dtype, into)
    stream = coded.stream()
    failed = loops.call(
        "delta_decode", dtype.width, ctypes.byref(stream), base, target,
        base.size // long, long, classes, origin, dtype.mantissa,
    )  # fmt: skip
    if failed:
        raise BadData(path="a piece", why="its steps end too early")
    return as_bytes(target)


def _levels(
    base: Bits, data: Bits, row: int, dtype: Dtype
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return each row's mean step, in half octaves from exponent 0, and whether it has any."""
    rows = base.size // row
    sums, tops = np.zeros(rows, np.uint64), np.zeros(rows, np.uint32)
    loops = kernel()
    if loops is not None:
        loops.call("delta_rows", dtype.width, base, data, rows, row, dtype.mantissa, sums, tops)
    else:
        sums, tops = _sums(base.reshape(rows, row), data.reshape(rows, row), dtype)
    up = 8 + (0 if dtype.width == 4 else 12)
    part, octave = np.frexp(np.maximum(sums // np.uint64(row), 1).astype(np.float64))
    half = 2 * (octave.astype(np.int64) - 1) + (part >= np.sqrt(0.5))
    return half - 2 * up + 2 * tops.astype(np.int64), sums > 0


def _sums(
    base: Bits, data: Bits, dtype: Dtype
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    size = base & dtype.bits.type(dtype.sign - 1)
    exponent = np.maximum(size >> dtype.mantissa, 1).astype(np.int64)
    tops = exponent.max(1)
    up = 0 if dtype.width == 4 else 12
    step = np.abs(_steps(base, data, dtype).astype(np.int64))
    sums = ((step << up) >> np.minimum(tops[:, None] - exponent, 31)).sum(1)
    changed = (base != data).any(1)
    return np.where(changed, sums << 8 | 1, 0).astype(np.uint64), tops.astype(np.uint32)


def _steps(base: Bits, data: Bits, dtype: Dtype) -> npt.NDArray[np.signedinteger]:
    kind = dtype.bits.type
    sign = base & kind(dtype.sign)
    to = data ^ sign
    to = np.where(to & kind(dtype.sign), to ^ kind(dtype.sign - 1), to)
    return (to - (base ^ sign)).view(f"<i{dtype.width}")


def _contexts(base: Bits, row: int, classes: Bytes, origin: int, dtype: Dtype) -> Bytes:
    """Return the context of each weight of the rows that have steps."""
    active = base.reshape(-1, row)[classes > 0]
    size = active & dtype.bits.type(dtype.sign - 1)
    exponent = np.maximum((size >> dtype.mantissa).astype(np.int32), 1)
    level = (classes[classes > 0].astype(np.int32) + origin)[:, None] - 2 * exponent
    contexts: Bytes = np.clip(level, 0, CONTEXTS - 1).astype(np.uint8).ravel()
    return contexts


def _symbols(
    base: Bits, data: Bits, row: int, classes: Bytes, origin: int, dtype: Dtype
) -> tuple[npt.NDArray[np.int32], Bytes, Bytes]:
    loops = kernel()
    if loops is None:
        active = classes > 0
        steps = _steps(base.reshape(-1, row)[active], data.reshape(-1, row)[active], dtype)
        values = steps.astype(np.int32).ravel()
        return values, bucket_symbols(values), _contexts(base, row, classes, origin, dtype)
    values = np.empty(base.size, np.int32)
    symbols, contexts = np.empty(base.size, np.uint8), np.empty(base.size, np.uint8)
    count = loops.call(
        "delta_symbols", dtype.width, base, data, base.size // row, row, classes, origin,
        dtype.mantissa, values, symbols, contexts,
    )  # fmt: skip
    return values[:count], symbols[:count], contexts[:count]


def _stepped(
    base: Bits, row: int, classes: Bytes, values: npt.NDArray[np.int32], dtype: Dtype
) -> Bits:
    out = base.reshape(-1, row).copy()
    active = classes > 0
    kind = dtype.bits.type
    sign = out[active] & kind(dtype.sign)
    step = values.astype(f"<i{dtype.width}").view(dtype.bits).reshape(-1, row)
    to = (out[active] ^ sign) + step
    out[active] = np.where(to & kind(dtype.sign), to ^ kind(dtype.sign - 1), to) ^ sign
    return out.reshape(-1)
