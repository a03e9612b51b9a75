"""The block formats of llama.cpp's quantised tensors, as a table of bit planes.

A tensor is a run of equal blocks. A block holds one or two 16-bit floats, the small integer scales
of its sub-blocks, and one code per weight. The integers lie in *planes*: element ``i`` of a
plane is the ``width`` bits of byte ``base + i // group * stride + i % stride`` that begin at bit
``shift + width * (i % group // stride)``, where ``group = stride * (8 - shift) // width``; they are
the bits ``at`` and up of element ``first + i`` of the field.

An integer as stored means ``(stored - zero - low) % 2**bits + low``. With these values,
``weight = d * scale * code - dmin * min``; ``scale`` is 1 where a kind has none, and where it
has no mins, ``dmin`` is the least weight itself: ``weight = d * code + dmin``.

>>> fields = split("Q4_0", bytes([0, 60] + [0x98] * 16))
>>> fields.d.tolist(), fields.codes[0, 0].item(), fields.codes[0, 31].item()
([15360], 8, 9)
>>> join("Q4_0", fields) == bytes([0, 60] + [0x98] * 16)
True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from otium.codec.predict import Buffer
from otium.errors import BadInput

Bytes: TypeAlias = npt.NDArray[np.uint8]
Halves: TypeAlias = npt.NDArray[np.uint16]
Floats: TypeAlias = npt.NDArray[np.float64]


class Plane(NamedTuple):
    """Where some bits of *length* elements of a field lie in a block."""

    first: int
    length: int
    base: int
    stride: int
    width: int
    shift: int = 0
    at: int = 0

    def runs(self) -> list[tuple[slice, slice, int]]:
        """Return (elements, bytes, shift) of each run of elements in consecutive bytes."""
        group = self.stride * (8 - self.shift) // self.width
        runs = []
        for i in range(0, self.length, self.stride):
            byte = self.base + i // group * self.stride
            many = min(self.stride, self.length - i)
            shift = self.shift + self.width * (i % group // self.stride)
            start = self.first + i
            runs.append((slice(start, start + many), slice(byte, byte + many), shift))
        return runs


class Integers(NamedTuple):
    """What stored integers mean: *bits* wide, stored with *zero* added, *low* the least value."""

    bits: int
    zero: int
    low: int
    planes: tuple[Plane, ...]


@dataclass(frozen=True)
class Kind:
    """One block format: *size* bytes for *weights* weights.

    *scale_of* and *min_of* name the element of the scales that belongs to each sub-block.
    *extreme* is the code of the weight farthest from 0, by which the quantiser sets the scale;
    0 says that the scale follows from the range of the weights instead. *idle* is what is stored as
    the code of weights whose scale is -0, as 0 / *extreme* is where all of them are 0.
    """

    size: int
    weights: int
    codes: Integers
    extreme: int = 0
    idle: int = 0
    d: int = 0
    dmin: int | None = None
    scales: Integers | None = None
    scale_of: tuple[int, ...] = ()
    min_of: tuple[int, ...] = ()

    @property
    def n_scales(self) -> int:
        """How many small integer scales and mins a block holds."""
        return len(self.scale_of) + len(self.min_of)

    @property
    def n_groups(self) -> int:
        """How many sub-blocks a block has."""
        return len(self.scale_of) or 1


_NIBBLES_4 = Plane(0, 256, 16, 32, 4)
_SIX_BITS = Integers(  # scales and mins of Q4_K and Q5_K
    6, 0, 0, (Plane(0, 8, 4, 8, 4), Plane(8, 8, 12, 4, 4), Plane(0, 16, 4, 8, 2, 4, 4))
)
_SCALES_4 = (0, 1, 2, 3, 8, 9, 10, 11)
_MINS_4 = (4, 5, 6, 7, 12, 13, 14, 15)
_SIXTEEN = tuple(range(16))

KINDS = {
    "Q4_0": Kind(18, 32, Integers(4, 8, -8, (Plane(0, 32, 2, 16, 4),)), -8, 8),
    "Q4_1": Kind(20, 32, Integers(4, 0, 0, (Plane(0, 32, 4, 16, 4),)), dmin=2),
    "Q5_0": Kind(
        size=22,
        weights=32,
        codes=Integers(5, 16, -16, (Plane(0, 32, 6, 16, 4), Plane(0, 32, 2, 1, 1, 0, 4))),
        extreme=-16,
        idle=16,
    ),
    "Q5_1": Kind(
        size=24,
        weights=32,
        codes=Integers(5, 0, 0, (Plane(0, 32, 8, 16, 4), Plane(0, 32, 4, 1, 1, 0, 4))),
        dmin=2,
    ),
    "Q8_0": Kind(34, 32, Integers(8, 0, -128, (Plane(0, 32, 2, 32, 8),)), extreme=127),
    "Q2_K": Kind(
        size=84,
        weights=256,
        codes=Integers(2, 0, 0, (Plane(0, 256, 16, 32, 2),)),
        d=80,
        dmin=82,
        scales=Integers(4, 0, 0, (Plane(0, 32, 0, 1, 4),)),
        scale_of=tuple(range(0, 32, 2)),
        min_of=tuple(range(1, 32, 2)),
    ),
    "Q3_K": Kind(
        size=110,
        weights=256,
        codes=Integers(3, 4, -4, (Plane(0, 256, 32, 32, 2), Plane(0, 256, 0, 32, 1, 0, 2))),
        extreme=-4,
        d=108,
        scales=Integers(6, 32, -32, (Plane(0, 16, 96, 8, 4), Plane(0, 16, 104, 4, 2, 0, 4))),
        scale_of=_SIXTEEN,
    ),
    "Q4_K": Kind(
        size=144,
        weights=256,
        codes=Integers(4, 0, 0, (_NIBBLES_4,)),
        dmin=2,
        scales=_SIX_BITS,
        scale_of=_SCALES_4,
        min_of=_MINS_4,
    ),
    "Q5_K": Kind(
        size=176,
        weights=256,
        codes=Integers(5, 0, 0, (Plane(0, 256, 48, 32, 4), Plane(0, 256, 16, 32, 1, 0, 4))),
        dmin=2,
        scales=_SIX_BITS,
        scale_of=_SCALES_4,
        min_of=_MINS_4,
    ),
    "Q6_K": Kind(
        size=210,
        weights=256,
        codes=Integers(6, 32, -32, (Plane(0, 256, 0, 64, 4), Plane(0, 256, 128, 32, 2, 0, 4))),
        extreme=-32,
        d=208,
        scales=Integers(8, 0, -128, (Plane(0, 16, 192, 16, 8),)),
        scale_of=_SIXTEEN,
    ),
}


@dataclass(frozen=True)
class Fields:
    """The integers of a tensor's blocks, as stored: one row per block.

    ``d`` and ``dmin`` are bit patterns of 16-bit floats, one per block.
    """

    d: Halves
    dmin: Halves | None
    scales: Bytes | None
    codes: Bytes


def kind_of(name: str) -> Kind:
    """Return the block format *name*; raise BadInput when there is none."""
    if name not in KINDS:
        raise BadInput(what=f"The block format {name}", why=f"known are {', '.join(KINDS)}")
    return KINDS[name]


def split(kind: str, data: Buffer) -> Fields:
    """Return the integers in *data*; raise BadInput unless it is whole blocks of *kind*."""
    known = kind_of(kind)
    if len(data) % known.size:
        raise BadInput(what="Quantised data", why=f"{len(data)} bytes are no whole {kind} blocks")
    blocks = np.frombuffer(data, np.uint8).reshape(-1, known.size)
    return Fields(
        d=_get_half(blocks, known.d),
        dmin=None if known.dmin is None else _get_half(blocks, known.dmin),
        scales=_get(blocks, known.scales, known.n_scales) if known.scales else None,
        codes=_get(blocks, known.codes, known.weights),
    )


def join(kind: str, fields: Fields) -> bytes:
    """Return the blocks that hold *fields*; the inverse of ``split``."""
    known = kind_of(kind)
    blocks = np.zeros((len(fields.d), known.size), np.uint8)
    _put_half(blocks, known.d, fields.d)
    if known.dmin is not None and fields.dmin is not None:
        _put_half(blocks, known.dmin, fields.dmin)
    if known.scales and fields.scales is not None:
        _put(blocks, known.scales, fields.scales)
    _put(blocks, known.codes, fields.codes)
    return blocks.tobytes()


def dequantise(kind: str, data: Buffer) -> Floats:
    """Return the weights that *data* stands for, one row per block."""
    known, fields = kind_of(kind), split(kind, data)
    step = halves(fields.d)[:, None]
    least = np.zeros_like(step)
    if known.scales and fields.scales is not None:
        step = step * values(known.scales, fields.scales[:, known.scale_of])
    if fields.dmin is not None:
        least = -halves(fields.dmin)[:, None]
        if known.scales and fields.scales is not None:
            least = -least * values(known.scales, fields.scales[:, known.min_of])
    codes = values(known.codes, fields.codes).reshape(len(step), known.n_groups, -1)
    return (step[:, :, None] * codes - least[:, :, None]).reshape(len(step), known.weights)


def halves(patterns: Halves) -> Floats:
    """Return the 16-bit floats that have these bit *patterns*."""
    with np.errstate(invalid="ignore"):  # NaNs that signal
        return patterns.view(np.float16).astype(np.float64)


def values(integers: Integers, stored: Bytes) -> npt.NDArray[np.int32]:
    """Return what *stored* integers mean."""
    raised = stored.astype(np.int32) - (integers.zero + integers.low)
    return (raised & ((1 << integers.bits) - 1)) + integers.low


def _get(blocks: Bytes, integers: Integers, count: int) -> Bytes:
    out = np.zeros((len(blocks), count), np.uint8)
    for plane in integers.planes:
        mask = (1 << plane.width) - 1
        for elements, where, shift in plane.runs():
            out[:, elements] |= ((blocks[:, where] >> shift) & mask) << plane.at
    return out


def _put(blocks: Bytes, integers: Integers, stored: Bytes) -> None:
    for plane in integers.planes:
        mask = (1 << plane.width) - 1
        for elements, where, shift in plane.runs():
            blocks[:, where] |= ((stored[:, elements] >> plane.at) & mask) << shift


def _get_half(blocks: Bytes, at: int) -> Halves:
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<u2").ravel()


def _put_half(blocks: Bytes, at: int, patterns: Halves) -> None:
    blocks[:, at : at + 2] = patterns.astype("<u2").reshape(-1, 1).view(np.uint8)
