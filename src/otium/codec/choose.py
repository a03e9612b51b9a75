"""Each piece by the codec that makes it smallest, and back."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from threading import BoundedSemaphore
from typing import Literal, NamedTuple

import numpy as np

from otium.codec.blocks import KINDS as QUANTISED
from otium.codec.delta import Steps, apply_steps, take_steps
from otium.codec.floats import Tops, put_tops, take_tops
from otium.codec.lowrank import FACTORS, Factors, find_factors
from otium.codec.predict import DTYPES, Bits, Buffer, Dtype, Lora, Prediction, coding_row
from otium.codec.quantised import Candidate, decode_quantised, encode_quantised, match
from otium.codec.scaled import CODES as SCALED
from otium.codec.scaled import Scaling, decode_scaled, encode_scaled
from otium.entropy import decode_bytes, encode_bytes
from otium.errors import BadData, BadInput

Codec = Literal[
    "raw", "deflate", "lzma", "bytes", "float", "delta", "exponent", "quant", "scaled"
]  # fmt: skip
LARGEST_LZMA = 4 << 20
"""Bytes of a piece that is worth the time."""
_LZMA = BoundedSemaphore(2)
"""At the most two encoders at a time: each may take 48 MB."""
_SAMPLE = 1 << 14
"""Weights on which candidates are compared first."""
_LIGHT = 1.4
"""By how much steps are smaller than the weights on their own in a light fine-tune."""
_EQUAL = 1.005
"""Within this the true sizes decide."""
_CLOSE = 1.03
"""A candidate that is larger by more than this on the sample is not tried in full."""
_PLENTY = 20
"""A derived piece that is smaller than this part of itself needs no other try."""
_WORTH = 0.9
"""What factors must make of a piece to be worth the work of merging them."""
_FEWEST = 32
"""Weights; a smaller piece is kept raw, or deflated."""


class Base(NamedTuple):
    """A piece against which another may be coded."""

    data: Buffer
    dtype: str
    heads: tuple[int, ...] = (0,)
    """In how many heads its rows may have been permuted; each is tried."""
    adapter: Adapter | None = None
    scales: Scales | None = None

    def buffers(self) -> list[Buffer]:
        """Return the bytes of all pieces that it stands for, in the order of a recipe."""
        more = [self.adapter.down, self.adapter.up] if self.adapter else []
        return [self.data, *more, *([self.scales.data] if self.scales else [])]


class Scales(NamedTuple):
    """The scales of a tensor of 8-bit codes: one for each block of *tall* rows, *wide* columns."""

    data: Buffer
    dtype: str
    tall: int = 1
    wide: int = 1 << 31
    first: int = 0
    """The row of the tensor with which the piece begins."""


class Adapter(NamedTuple):
    """A LoRA adapter of a tensor: the update is ``scale * up @ down``."""

    down: Buffer
    """[rank, columns]"""
    down_dtype: str
    up: Buffer
    """[rows, rank]"""
    up_dtype: str
    rank: int
    scale: float
    first: int = 0
    """The row of the tensor with which the piece begins."""


class Coded(NamedTuple):
    """A piece as it is stored."""

    codec: Codec
    stored: Buffer
    base: int | None = None
    """Which of the bases offered it is coded against."""
    factors: Factors | None = None
    """Found in the piece, and needed behind the base to decode it: keep them as pieces too."""


def encode(data: Buffer, dtype: str, row: int, bases: Sequence[Base] = ()) -> Coded:
    """Return *data* by the codec that makes it smallest.

    *dtype* is the tensor's type as safetensors and GGUF name it, empty for other bytes; *row*
    its row length in weights; *bases* are pieces of as many weights in some float type.
    """
    kind = DTYPES.get(dtype)
    best = Coded("raw", data)
    for coded in chain(_derived(data, dtype, row, bases), _own(data, dtype, kind, row, bases)):
        if len(coded.stored) < len(best.stored):
            best = coded
        if len(best.stored) < len(data) // _PLENTY and best.base is not None:
            break
    return best


def decode(
    codec: str,
    stored: Buffer,
    size: int,
    bases: Sequence[Buffer] = (),
    into: memoryview | None = None,
) -> Buffer:
    """Return the *size* bytes of a piece; raise BadData if they cannot be had from *stored*.

    *into* is memory of at least *size* bytes that may be used for them. Never more than that
    many are made, whatever *stored* holds.
    """
    if codec == "raw":
        data: Buffer = stored
    elif codec in {"deflate", "lzma"}:
        data = _inflate(codec, stored, size)
    elif codec == "bytes":
        values, end = decode_bytes(stored, size)
        if end != len(stored):
            raise BadData(path="a piece", why="something follows it")
        data = values.tobytes()
    elif codec == "delta":
        data = apply_steps(stored, list(bases), size, into)
    elif codec in {"float", "exponent"}:
        data = put_tops(stored, list(bases), size, into)
    elif codec == "quant":
        data = decode_quantised(stored, list(bases))
    elif codec == "scaled":
        data = decode_scaled(stored, list(bases))
    else:
        raise BadData(path="a piece", why=f"its codec {codec!r} is not known")
    if len(data) != size:
        raise BadData(path="a piece", why=f"it has {len(data)} bytes, not {size}")
    return data


def _inflate(codec: str, stored: Buffer, size: int) -> bytes:
    try:
        if codec == "lzma":
            reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 27)
            data, done = reader.decompress(bytes(stored), size + 1), reader.eof
            rest = reader.unused_data
        else:
            flat = zlib.decompressobj()
            data, done = flat.decompress(stored, size + 1), flat.eof
            rest = flat.unused_data
    except (zlib.error, lzma.LZMAError) as error:
        raise BadData(path="a piece", why=str(error)) from error
    if not done or rest or len(data) != size:
        raise BadData(path="a piece", why=f"it does not have {size} bytes, and nothing else")
    return data


def _own(
    data: Buffer, dtype: str, kind: Dtype | None, row: int, bases: Sequence[Base]
) -> Iterator[Coded]:
    """Code a piece by itself, or as floats against floats."""
    if kind is None or len(data) < _FEWEST * kind.width:
        yield from _plain(data, dtype)
    else:
        yield from _floats(kind.view(data), kind, row, bases)


def _derived(data: Buffer, dtype: str, row: int, bases: Sequence[Base]) -> Iterator[Coded]:
    """Code what was quantised from a base, as a quantiser would have made it."""
    for number, base in enumerate(bases):
        origin = DTYPES.get(base.dtype)
        if origin is None or origin.width == 1:
            continue
        if base.scales is not None and dtype in SCALED.values():
            scale = base.scales
            shape = (row, scale.first, scale.tall, scale.wide)
            scaling = Scaling(dtype, DTYPES[scale.dtype], *shape)
            how = Prediction(origin)
            with suppress(BadData, BadInput):
                yield Coded("scaled", encode_scaled(data, base.buffers(), how, scaling), number)
        elif dtype in QUANTISED:
            found = match(dtype, data, row, [Candidate(origin, base.data)], base.heads)
            if found is not None:
                how = Prediction(origin, found.heads)
                yield Coded("quant", encode_quantised(dtype, data, [base.data], how, row), number)


def _plain(data: Buffer, dtype: str) -> Iterator[Coded]:
    """Code bytes that are no floats."""
    if dtype:
        yield Coded("bytes", encode_bytes(np.frombuffer(data, np.uint8)))
    sample = bytes(memoryview(data)[:_SAMPLE])
    if len(zlib.compress(sample, 1)) > 0.95 * len(sample):
        return
    if len(data) <= LARGEST_LZMA and not dtype:
        yield Coded("lzma", _squeeze(data))
    yield Coded("deflate", zlib.compress(data, 9))


def _squeeze(data: Buffer) -> bytes:
    """Return *data* as an XZ file; the encoder's memory is 12 times the dictionary."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": max(4096, len(data))}]
    with _LZMA:
        return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters)


class _Way(NamedTuple):
    """One way to code floats."""

    codec: Codec
    base: int | None
    take: Callable[[slice], Steps | Tops | None]


def _floats(data: Bits, kind: Dtype, row: int, bases: Sequence[Base]) -> Iterator[Coded]:
    """Compare all ways on a sample, and try those in full that may be the smallest."""
    alone = _Way("float", None, lambda part: take_tops(data[part], None, None, kind, row))
    ways = [alone]
    for number, base in enumerate(bases):
        for how, predicted in _predictions(base, data, kind, row):
            ways += _based(number, data, predicted, how, kind, row)
    whole = slice(0, data.size)
    if len(ways) > 1 and data.size > 2 * _SAMPLE:
        part = _middle(data.size, coding_row(data.size, row))
        tried = _smallest([way for way in ways if way.codec != "exponent"], part, _LIGHT)
        if any(one.way is alone for one in tried):  # no light fine-tune: values may be forgotten
            tried += _smallest([way for way in ways if way.codec == "exponent"], part, _LIGHT)
        least = min(one.cost for one in tried)
        ways = [one.way for one in tried if one.cost <= least * _CLOSE]
    taken = _smallest(ways, whole, _EQUAL) or _smallest([alone], whole, _EQUAL)
    for one in taken:
        yield Coded(one.way.codec, one.parts.pack(), one.way.base)
    best = min(taken, key=lambda one: one.cost)
    way, cost = best.way, best.cost
    del taken, best, one  # they are large
    if way.codec == "delta" and way.base is not None and cost > data.size / 8:
        yield from _low_rank(data, kind, row, way.base, bases[way.base], cost)


class _Taken(NamedTuple):
    """A piece, or a part of one, taken apart in some way."""

    cost: float
    way: _Way
    parts: Steps | Tops


def _smallest(ways: Sequence[_Way], part: slice, within: float) -> list[_Taken]:
    """Take a part of a piece apart in each way, and keep the smallest and those close to it."""
    kept: list[_Taken] = []
    for way in ways:
        parts = way.take(part)
        if parts is not None:
            kept.append(_Taken(parts.estimate(), way, parts))
            least = min(one.cost for one in kept)
            kept = [one for one in kept if one.cost <= least * within]
    return kept


def _middle(count: int, row: int) -> slice:
    """Return a sample of whole rows from the middle of a piece."""
    start = count // row // 2 * row
    return slice(start, min(count, start + max(row, _SAMPLE // row * row)))


def _low_rank(
    data: Bits, kind: Dtype, row: int, number: int, base: Base, bits: float
) -> Iterator[Coded]:
    """Code a piece into which an update of low rank was merged that nobody kept."""
    if kind.width == 1 or base.dtype != kind.name or base.adapter or any(base.heads):
        return
    factors = find_factors(kind.view(base.data), data, kind, row)
    if factors is None or 8 * factors.size > bits:
        return
    one = Lora(FACTORS, FACTORS, factors.rank, 0, 1.0)
    how = Prediction(kind, 0, one)
    predicted = how.predict([base.data, factors.down, factors.up], kind, row)
    parts = take_steps(data, predicted, how, kind, row)
    if parts.estimate() + 8 * factors.size < _WORTH * bits:
        yield Coded("delta", parts.pack(), number, factors)


def _based(
    number: int, data: Bits, predicted: Bits, how: Prediction, kind: Dtype, row: int
) -> list[_Way]:
    return [
        _Way("delta", number, lambda part: take_steps(data[part], predicted[part], how, kind, row)),
        _Way(
            "exponent", number, lambda part: take_tops(data[part], predicted[part], how, kind, row)
        ),
    ]


def _predictions(
    base: Base, data: Bits, kind: Dtype, row: int
) -> Iterable[tuple[Prediction, Bits]]:
    """Yield each way in which *base* predicts the piece."""
    origin = DTYPES.get(base.dtype)
    if origin is None or (origin != kind and 1 in {origin.width, kind.width}):
        return
    for heads in base.heads:
        if heads and (data.size // row) % (2 * heads):
            continue
        buffers = base.buffers()
        lora = None
        if base.adapter is not None:
            one = base.adapter
            lora = Lora(
                DTYPES[one.down_dtype], DTYPES[one.up_dtype], one.rank, one.first, one.scale
            )
        how = Prediction(origin, heads, lora)
        predicted = how.predict(buffers, kind, row)
        if predicted.size == data.size:
            yield how, predicted
