"""Tensors of int8 or fp8 with scales in another tensor, predicted from their parent's weights.

A weight is divided by the scale of its row, block or tensor and rounded to the nearest code, halves
to even. What the prediction misses is stored, so the result is exact (SPEC.md, "Scaled").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otium.codec.blocks import Bytes, Floats
from otium.codec.predict import BY_NUMBER, Buffer, Dtype, Prediction, widen
from otium.codec.quantised import (
    Parent,
    Stream,
    add,
    finite,
    nearest,
    predicted_weights,
    read_residuals,
    subtract,
    write_residuals,
)
from otium.errors import BadData, BadInput

CODES = {1: "I8", 2: "F8_E4M3", 3: "F8_E5M2"}
"""Types of codes, by their number in a piece's header."""
_HEAD = struct.Struct("<BBHIIII")
_LARGEST = {"F8_E4M3": 0x7E, "F8_E5M2": 0x7B}
"""The code of the largest finite number."""
_PART = 1 << 15


class Scaling(NamedTuple):
    """How the codes of a piece are scaled.

    *code* is I8, F8_E4M3 or F8_E5M2; *scale* the type of the scales, of which one belongs to each
    block of *tall* rows and *wide* columns, row after row. *row* is the weights of a row, *first*
    the tensor's row that is the piece's first.
    """

    code: str
    scale: Dtype
    row: int
    first: int = 0
    tall: int = 1
    wide: int = 1 << 31

    def scales(self, rows: npt.NDArray[np.int64], scales: Floats) -> Floats:
        """Return the scale of each weight in *rows* of the piece; raise IndexError."""
        columns = np.arange(self.row) // self.wide
        across = -(-self.row // self.wide)
        each: Floats = scales[((self.first + rows) // self.tall * across)[:, None] + columns]
        return each


def encode_scaled(
    data: Buffer, bases: list[Buffer], prediction: Prediction, scaling: Scaling
) -> bytes:
    """Return the codes *data* as what they differ by from the predicted weights scaled.

    The last of *bases* is the scales; the others are the prediction's. Raises BadInput for
    another type of code, BadData unless the bases fit.
    """
    numbers = {code: number for number, code in CODES.items()}
    if scaling.code not in numbers:
        raise BadInput(what=scaling.code, why=f"known are {', '.join(numbers)}")
    codes, contexts = _predict(bases, prediction, scaling)
    true = np.frombuffer(data, np.uint8)
    if true.size != codes.size:
        raise BadInput(what="The parent", why=f"{codes.size} weights, {true.size} codes")
    head = _HEAD.pack(numbers[scaling.code], scaling.scale.number, 0, *scaling[2:])
    stream = Stream(subtract(true, codes, 8), contexts)
    return head + prediction.pack() + write_residuals(stream)


def decode_scaled(stored: Buffer, bases: list[Buffer]) -> bytes:
    """Return the codes that ``encode_scaled`` stored; raise BadData if they are damaged."""
    if len(stored) < _HEAD.size:
        raise BadData(path="a scaled piece", why="it is cut short")
    code, scale, _, *shape = _HEAD.unpack_from(stored)
    if code not in CODES or scale not in BY_NUMBER or not all((shape[0], *shape[2:])):
        raise BadData(path="a scaled piece", why="its header cannot be meant")
    prediction, at = Prediction.unpack(stored, _HEAD.size)
    scaling = Scaling(CODES[code], BY_NUMBER[scale], *shape)
    codes, contexts = _predict(bases, prediction, scaling)
    found, at = read_residuals(stored, contexts, at)
    if at != len(stored):
        raise BadData(path="a scaled piece", why="something follows it")
    return add(codes, found, 8).astype(np.uint8).tobytes()


def _predict(bases: list[Buffer], prediction: Prediction, scaling: Scaling) -> tuple[Bytes, Bytes]:
    """Return the predicted codes as bytes, and their contexts."""
    weights = predicted_weights(bases[:-1], prediction, scaling.row)
    codes, contexts = np.empty((2, weights.size), np.uint8)
    try:
        with np.errstate(invalid="ignore"):
            scales = finite(widen(scaling.scale.view(bases[-1]), scaling.scale))
        for part, x in _ratios(weights, scales, scaling):
            rounded = _to_int8(x) if scaling.code == "I8" else _to_fp8(x, scaling.code)
            codes[part], contexts[part] = rounded
    except (ValueError, IndexError) as error:
        raise BadData(path="a scaled piece", why=f"its bases do not fit: {error}") from error
    return codes, contexts


def _ratios(weights: Parent, scales: Floats, scaling: Scaling) -> Iterator[tuple[slice, Floats]]:
    """Yield some weights divided by their scales, and which they are."""
    rows = weights.reshape(-1, scaling.row)
    many = max(1, _PART // scaling.row)
    for start in range(0, len(rows), many):
        x = finite(rows[start : start + many])
        by = scaling.scales(np.arange(start, start + len(x)), scales)
        ratio = np.where(by == 0, 0, x / np.where(by == 0, 1, by)).ravel()
        first = start * scaling.row
        yield slice(first, first + ratio.size), ratio


def _to_int8(ratio: Floats) -> tuple[Bytes, Bytes]:
    whole, contexts = nearest(ratio, -128, 127)
    return (whole & 0xFF).astype(np.uint8), contexts


def _to_fp8(ratio: Floats, code: str) -> tuple[Bytes, Bytes]:
    """Round to fp8: codes of one sign are the integers in the order of the numbers they mean."""
    mantissa, least = (3, -6) if code == "F8_E4M3" else (2, -14)
    size = np.minimum(np.abs(ratio), 65536.0)
    exponent = np.frexp(np.maximum(size, 2.0**least))[1] - 1
    exact = np.ldexp(size, mantissa - exponent) + ((exponent - least) << mantissa)
    whole, contexts = nearest(exact, 0, _LARGEST[code])
    return (whole | np.signbit(ratio).astype(np.int32) << 7).astype(np.uint8), contexts
