"""Reading one weight of a tensor, whatever its type, without reading the rest."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

from otium.kinship.quants import BLOCKS
from otium.kinship.roles import Place, TensorView

_PLAIN = {"F64": "<d", "F32": "<f", "F16": "<e"}
# Exponent bits, mantissa bits, bias, and whether the type has infinities.
_FP8 = {
    "F8_E4M3": (3, 7, False), "F8_E5M2": (2, 15, True),
    "F8_E4M3FNUZ": (3, 8, False), "F8_E5M2FNUZ": (2, 16, False),
}  # fmt: skip
_TILE = 128
"""Rows and columns that share a scale, in files that scale by tiles."""
_NAN, _QUIET = 0x7FC0, 0x7F80


def read_weight(place: Place, row: int, column: int, scales: Mapping[str, TensorView]) -> float:
    """Return the weight at *row*, *column* of *place*; of the tensor's blocks one is read."""
    tensor, at = place.tensor, place.first + row * place.width + column
    if tensor.dtype in _PLAIN:
        form = _PLAIN[tensor.dtype]
        length = struct.calcsize(form)
        value: float = struct.unpack(form, tensor.read(at * length, length))[0]
        return value
    if tensor.dtype == "BF16":
        return _from_bf16(tensor.read(at * 2, 2))
    if tensor.dtype in _FP8:
        stored = from_fp8(tensor.read(at, 1)[0], tensor.dtype)
        return stored * _scale(place, row, column, scales)
    return _from_block(tensor, at)


def round_to_bf16(value: float) -> int:
    """Return the bits of the bfloat16 nearest to *value*, ties to even; each NaN is one NaN."""
    if math.isnan(value):
        return _NAN
    try:
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return _QUIET | (0x8000 if value < 0 else 0)
    return int((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)


def _from_bf16(data: bytes) -> float:
    value: float = struct.unpack("<f", b"\0\0" + data)[0]
    return value


def from_fp8(byte: int, dtype: str) -> float:
    """Decode an 8-bit float (OCP 8-bit floating point, 2023; FNUZ as Graphcore and AMD use it)."""
    mantissa_bits, bias, infinities = _FP8[dtype]
    low, exponent = byte & ((1 << mantissa_bits) - 1), (byte & 0x7F) >> mantissa_bits
    sign = -1.0 if byte & 0x80 else 1.0
    if dtype.endswith("FNUZ"):
        if byte == 0x80:
            return math.nan
    elif infinities and exponent == 0x7F >> mantissa_bits:
        return math.nan if low else sign * math.inf
    elif byte & 0x7F == 0x7F:
        return math.nan
    whole = low if exponent == 0 else low + (1 << mantissa_bits)
    return sign * math.ldexp(whole, max(exponent, 1) - bias - mantissa_bits)


def _scale(place: Place, row: int, column: int, scales: Mapping[str, TensorView]) -> float:
    """Return what a stored 8-bit float is to be multiplied by: of its tile, row or tensor."""
    for suffix in ("_scale_inv", "_scale"):
        tensor = scales.get(place.tensor.name + suffix)
        if tensor is not None and tensor.dtype in {"F32", "BF16", "F16"}:
            return _value_at(tensor, _scale_index(place, row, column, tensor.shape))
    return 1.0


def _scale_index(place: Place, row: int, column: int, shape: tuple[int, ...]) -> int:
    count = math.prod(shape)
    if count == place.rows:
        return row
    across = -(-place.width // _TILE)
    if count == across * -(-place.rows // _TILE):
        return row // _TILE * across + column // _TILE
    return 0


def _value_at(tensor: TensorView, index: int) -> float:
    if tensor.dtype == "BF16":
        return _from_bf16(tensor.read(index * 2, 2))
    form = _PLAIN[tensor.dtype]
    length = struct.calcsize(form)
    value: float = struct.unpack(form, tensor.read(index * length, length))[0]
    return value


def _from_block(tensor: TensorView, at: int) -> float:
    """Decode the weight *at* of a quantised tensor from its block alone."""
    weights, size, decode = BLOCKS[tensor.dtype]
    number, inside = divmod(at, weights)
    return decode(tensor.read(number * size, size), inside)
