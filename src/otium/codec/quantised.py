"""Quantised blocks, predicted from the weights that they were made of.

A quantiser sets a scale by the range of the weights that share it, and rounds. Doing the same to
the archived parent predicts the scales nearly and, once the true scales are known, nearly all
codes exactly, whatever search or importance matrix the quantiser used. What is stored is the
difference, so the result is exact whatever was predicted.

Arithmetic is in 64-bit floats, one operation per weight at a time, in this order and rounding
half to even, so that any program gets the same predictions (SPEC.md, "Quantised").
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from otium.codec.blocks import (
    Bytes,
    Fields,
    Floats,
    Halves,
    Integers,
    Kind,
    join,
    kind_of,
    split,
    values,
)
from otium.codec.predict import DTYPES, Buffer, Dtype, Prediction, widen
from otium.entropy import decode_integers, encode_integers
from otium.errors import BadData, BadInput

Ints: TypeAlias = npt.NDArray[np.int32]
Parent: TypeAlias = npt.NDArray[np.float32] | Floats
Whole: TypeAlias = npt.NDArray[np.integer]
Step: TypeAlias = Callable[[Whole, Bytes, int], Whole]
"""Takes predictions, their contexts and a width in bits; returns the true integers."""

FINENESS = 16
"""Contexts of a rounded number: where between two integers it lay before."""
_PART = 1 << 15
"""Weights predicted at a time: their arrays stay in the processor's cache."""
_RARE = 1024
"""One residual in so many is not 0, at the most, where those alone are written."""
_COUNT, _ALL = struct.Struct("<I"), 0xFFFF_FFFF
_LARGEST_HALF = 65504.0


class Stream(NamedTuple):
    """Residuals, and the context in which each is coded."""

    values: Ints
    contexts: Bytes


class Candidate(NamedTuple):
    """A tensor that may be a parent, as its bytes."""

    dtype: Dtype
    data: Buffer


class Match(NamedTuple):
    """Which candidate is the parent, for how many permuted heads, and the share of wrong codes."""

    number: int
    heads: int
    wrong: float


_SAMPLED = 16
"""Rows by which parents are compared."""
_HEAD = struct.Struct("<BBHI")
_NUMBERS = {  # as in GGUF
    "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8,
    "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14,
}  # fmt: skip
_BY_NUMBER = {number: kind for kind, number in _NUMBERS.items()}


def encode_quantised(
    kind: str, data: Buffer, bases: list[Buffer], prediction: Prediction, row: int
) -> bytes:
    """Return *data*, blocks of *kind*, as what they differ by from the predicted weights rounded.

    *row* is the length of the tensor's rows. Raises BadInput or BadData unless the *bases* give
    one weight for each code.
    """
    streams = residuals(kind, data, predicted_weights(bases, prediction, row))
    head = _HEAD.pack(_NUMBERS[kind], 0, 0, row) + prediction.pack()
    return head + b"".join(write_residuals(stream) for stream in streams)


def decode_quantised(stored: Buffer, bases: list[Buffer]) -> bytes:
    """Return the blocks that ``encode_quantised`` stored; raise BadData if they are damaged."""
    if len(stored) < _HEAD.size or stored[0] not in _BY_NUMBER:
        raise BadData(path="a quantised piece", why="its header cannot be meant")
    number, _, _, row = _HEAD.unpack_from(stored)
    prediction, at = Prediction.unpack(stored, _HEAD.size)

    def step(predicted: Whole, contexts: Bytes, bits: int) -> Whole:
        nonlocal at
        found, at = read_residuals(stored, contexts.ravel(), at)
        return add(predicted, found, bits)

    kind = _BY_NUMBER[number]
    fields = _walk(kind, predicted_weights(bases, prediction, row), step)
    if at != len(stored):
        raise BadData(path="a quantised piece", why="something follows it")
    return join(kind, fields)


def predicted_weights(
    bases: list[Buffer], prediction: Prediction, row: int
) -> npt.NDArray[np.float32]:
    """Return the weights that *prediction* makes of *bases*; raise BadData if it cannot."""
    with np.errstate(invalid="ignore"):  # NaNs that signal are weights like any other
        return prediction.predict(bases, DTYPES["F32"], row).view(np.float32)


def residuals(kind: str, data: Buffer, parent: Parent) -> list[Stream]:
    """Return what the weights *parent* do not tell of the blocks *data*.

    In order: the blocks' scales and mins, the sub-blocks' scales, the codes; those that *kind*
    has. Raises BadInput unless there is one weight for each code.
    """
    fields = split(kind, data)
    if parent.size != fields.codes.size:
        raise BadInput(what="The parent", why=f"{parent.size} weights, {fields.codes.size} codes")
    truth: Iterator[Whole] = iter(
        [f for f in (fields.d, fields.dmin, fields.scales, fields.codes) if f is not None]
    )
    streams: list[Stream] = []

    def step(predicted: Whole, contexts: Bytes, bits: int) -> Whole:
        true = next(truth)
        streams.append(Stream(subtract(true, predicted, bits), contexts.ravel()))
        return true

    _walk(kind, parent, step)
    return streams


def rebuild(kind: str, streams: Sequence[Ints], parent: Parent) -> bytes:
    """Return the blocks whose ``residuals`` against *parent* have the values *streams*."""
    left = iter(streams)
    return join(kind, _walk(kind, parent, lambda p, _, bits: add(p, next(left), bits)))


def match(
    kind: str,
    data: Buffer,
    row: int,
    candidates: Sequence[Candidate],
    heads: Sequence[int] = (0,),
) -> Match | None:
    """Return which of *candidates* the blocks *data* were made of, permuted for which *heads*.

    *row* is the weights of a row. Some rows are predicted from those of each candidate of the
    right size; the fewest wrong codes win. Returns None if more than half are wrong.
    """
    known = kind_of(kind)
    size = row // known.weights * known.size
    rows = len(data) // size if size and row % known.weights == 0 else 0
    chosen = np.unique(np.linspace(0, max(rows - 1, 0), _SAMPLED).astype(np.int64))
    view = memoryview(data)
    sample = b"".join(view[r * size : (r + 1) * size] for r in chosen.tolist())
    best = Match(-1, 0, 0.5)
    for number, (dtype, weights) in enumerate(candidates):
        if not rows or len(weights) != rows * row * dtype.width:
            continue
        for count in heads:
            if count and rows % (2 * count):
                continue
            lie = source_rows(chosen, rows // count) if count else chosen
            parent = widen(dtype.view(weights).reshape(rows, row)[lie].ravel(), dtype)
            wrong = float(np.mean(residuals(kind, sample, parent)[-1].values != 0))
            if wrong < best.wrong:
                best = Match(number, count, wrong)
    return best if best.number >= 0 else None


def source_rows(rows: npt.NDArray[np.int64], head: int) -> npt.NDArray[np.int64]:
    """Return where permuted *rows* lay before, in heads of *head* rows."""
    within = rows % head
    return rows - within + within % 2 * (head // 2) + within // 2


def write_residuals(stream: Stream) -> bytes:
    """Return *stream* in few bytes: where few are not 0, only those and the gaps between them."""
    there = np.flatnonzero(stream.values)
    if there.size > stream.values.size // _RARE:
        return _COUNT.pack(_ALL) + encode_integers(*stream)
    if not there.size:
        return _COUNT.pack(0)
    gaps = np.diff(there, prepend=-1).astype(np.int32)
    where = encode_integers(gaps, np.zeros(there.size, np.uint8))
    what = encode_integers(stream.values[there], stream.contexts[there])
    return _COUNT.pack(there.size) + where + what


def read_residuals(stored: Buffer, contexts: Bytes, at: int) -> tuple[Ints, int]:
    """Return the residuals that begin at *at* in *stored*, and where they end; raise BadData."""
    if at + _COUNT.size > len(stored):
        raise BadData(path="a quantised piece", why="it is cut short")
    (count,) = _COUNT.unpack_from(stored, at)
    at += _COUNT.size
    if count == _ALL:
        return decode_integers(stored, contexts, at)
    residual = np.zeros(contexts.size, np.int32)
    if count:
        if count > contexts.size:
            raise BadData(path="a quantised piece", why="it has more residuals than integers")
        gaps, at = decode_integers(stored, np.zeros(count, np.uint8), at)
        there = np.cumsum(gaps, dtype=np.int64) - 1
        if gaps.min() < 1 or there[-1] >= contexts.size:
            raise BadData(path="a quantised piece", why="a residual lies outside it")
        residual[there], at = decode_integers(stored, contexts[there], at)
    return residual, at


def finite(numbers: npt.NDArray[np.floating]) -> Floats:
    """Return *numbers* as 64-bit floats, with 0 in place of what is not finite."""
    there = np.isfinite(numbers)
    safe = numbers if there.all() else np.where(there, numbers, numbers.dtype.type(0))
    return safe.astype(np.float64)


def nearest(exact: Floats, low: int, high: int, *, away: bool = False) -> tuple[Ints, Bytes]:
    """Return the integers nearest to *exact* within bounds, and their contexts.

    Halves go to the even neighbour, or *away* from 0. A context is the sixteenth of the interval
    around the integer that *exact* lies in.
    """
    inside = np.minimum(np.maximum(exact, low), high)
    whole = np.trunc(inside + np.copysign(0.5, inside)) if away else np.rint(inside)
    inside -= whole
    inside *= FINENESS
    inside += FINENESS // 2
    return whole.astype(np.int32), np.minimum(inside, FINENESS - 1).astype(np.uint8)


def subtract(true: Whole, predicted: Whole, bits: int) -> Ints:
    """Return the least integers that lead from *predicted* to *true* modulo ``2**bits``."""
    half = 1 << (bits - 1)
    difference = true.ravel().astype(np.int32)
    difference -= predicted.ravel()
    difference += half
    difference &= 2 * half - 1
    difference -= half
    return difference


def add(predicted: Whole, residual: Ints, bits: int) -> Whole:
    """Return what *residual* leads to from *predicted*, modulo ``2**bits``."""
    if not residual.any():
        return predicted
    true = residual.reshape(predicted.shape) + predicted
    true &= (1 << bits) - 1
    return true


def _walk(name: str, parent: Parent, step: Step) -> Fields:
    """Predict each field from the weights and from the true fields before it."""
    known = kind_of(name)
    if parent.size % known.weights:
        raise BadData(path="a quantised piece", why=f"its parent is no whole blocks of {name}")
    scale, least = _measure(known, parent)
    if known.scales is None:
        return _walk_plain(known, parent, scale, least, step)
    d = _step_halves(_of_block(known.scales, scale), step)
    unit, low, dmin = _read(d), least, None
    if known.dmin is not None:
        dmin = _step_halves(_of_block(known.scales, least), step)
        low = _read(dmin)
    predicted = np.empty((len(d), known.n_scales), np.uint8)
    contexts = np.empty_like(predicted)
    for elements, ideal, by, first in (
        (known.scale_of, scale, unit, 0),
        (known.min_of, least, low, FINENESS),
    ):
        if elements:
            columns = list(elements)
            predicted[:, columns], levels = _predict_small(known.scales, ideal, by)
            contexts[:, columns] = levels + first
    scales = step(predicted, contexts, known.scales.bits).astype(np.uint8)
    steps = unit * values(known.scales, scales[:, list(known.scale_of)])
    if known.min_of:
        low = low * values(known.scales, scales[:, list(known.min_of)])
    # A sub-block whose scale was rounded to 0 keeps the codes that its own scale gave it.
    steps = np.where(steps == 0, scale, steps)
    return Fields(d, dmin, scales, _step_codes(known, parent, steps, low, step))


def _walk_plain(known: Kind, parent: Parent, scale: Floats, least: Floats, step: Step) -> Fields:
    """Predict kinds without sub-blocks, whose codes were rounded by the unrounded scale."""
    d = _step_halves(scale, step)
    steps = np.where(_write(scale) == d[:, None], scale, _read(d))
    if known.dmin is None:
        return Fields(d, None, None, _step_codes(known, parent, steps, least, step))
    dmin = _step_halves(0.0 - least, step)
    low = np.where(_write(0.0 - least) == dmin[:, None], least, 0.0 - _read(dmin))
    return Fields(d, dmin, None, _step_codes(known, parent, steps, low, step))


def _parts(known: Kind, parent: Parent) -> Iterator[tuple[slice, Floats]]:
    """Yield some sub-blocks at a time: which they are, and their weights, a column for each."""
    groups = parent.reshape(-1, known.weights // known.n_groups)
    many = _PART // groups.shape[1]
    for start in range(0, len(groups), many):
        part = slice(start, start + many)
        yield part, finite(np.ascontiguousarray(groups[part].T))


def _measure(known: Kind, parent: Parent) -> tuple[Floats, Floats]:
    """Return the scale and the min that each sub-block's range suggests, a row per block."""
    scale = np.empty(parent.size // known.weights * known.n_groups)
    least = np.zeros_like(scale)
    for part, x in _parts(known, parent):
        if known.extreme:
            scale[part] = _farthest(x) / known.extreme
            continue
        low = np.minimum(x.min(0), 0) if known.min_of else x.min(0)
        low += 0.0  # which zero the least of several is, depends on the processor
        scale[part] = (x.max(0) + 0.0 - low) / ((1 << known.codes.bits) - 1)
        least[part] = 0.0 - low
    if known.extreme > 0:
        scale = np.abs(scale)
    return scale.reshape(-1, known.n_groups), least.reshape(-1, known.n_groups)


def _farthest(x: Floats) -> Floats:
    """Return the number of each column that is farthest from 0, the first of such."""
    low, high = x.min(0), x.max(0)
    far = np.where(high > -low, high, low)
    tied = np.flatnonzero(high == -low)
    far[tied] = x[np.abs(x[:, tied]).argmax(0), tied]
    return np.asarray(far, np.float64)


def _of_block(small: Integers, ideal: Floats) -> Floats:
    """Return the unit of each block in which its sub-blocks' *ideal* scales just fit."""
    if small.low < 0:
        return (_farthest(ideal.T) / small.low)[:, None]
    most: Floats = ideal.max(1, keepdims=True)
    return most / ((1 << small.bits) - 1)


def _predict_small(small: Integers, ideal: Floats, unit: Floats) -> tuple[Bytes, Bytes]:
    """Return the *ideal* scales in units, as they would be stored, and their contexts."""
    exact = np.where(unit == 0, 0, ideal / np.where(unit == 0, 1, unit))
    high = small.low + (1 << small.bits) - 1
    whole = np.rint(np.minimum(np.maximum(exact, small.low), high)).astype(np.int32)
    levels = (whole - small.low) >> (small.bits - 4)
    return _store(small, whole), levels.astype(np.uint8)


def _store(integers: Integers, whole: Ints) -> Bytes:
    stored: Bytes = ((whole + integers.zero) & ((1 << integers.bits) - 1)).astype(np.uint8)
    return stored


def _step_halves(ideal: Floats, step: Step) -> Halves:
    """Return the true bit patterns of one 16-bit float for each block."""
    return step(_write(ideal).ravel(), np.zeros(len(ideal), np.uint8), 16).astype(np.uint16)


def _write(ideal: Floats) -> Halves:
    inside = np.minimum(np.maximum(ideal, -_LARGEST_HALF), _LARGEST_HALF)
    return inside.astype(np.float16).view(np.uint16)


def _read(patterns: Halves) -> Floats:
    return finite(patterns.view(np.float16)).reshape(-1, 1)


def _step_codes(known: Kind, parent: Parent, steps: Floats, low: Floats, step: Step) -> Bytes:
    """Return the true codes, given the true scale and min of each sub-block."""
    shape = (parent.size // known.weights, known.weights)
    predicted = np.empty((steps.size, known.weights // known.n_groups), np.uint8)
    contexts = np.empty_like(predicted)
    bits, zero, bottom = known.codes.bits, known.codes.zero, known.codes.low + known.codes.zero
    top = bottom + (1 << bits) - 1
    for part, x in _parts(known, parent):
        by = steps.reshape(-1)[part]
        exact = (x + low.reshape(-1)[part]) / np.where(by == 0, 1, by) + zero
        whole, where = nearest(exact, bottom, top, away=known.scales is None)
        idle = by == 0
        whole[:, idle] = np.where(np.signbit(by[idle]), known.idle, 0)
        where[:, idle] = FINENESS // 2
        predicted[part], contexts[part] = (whole & ((1 << bits) - 1)).T, where.T
    return step(predicted.reshape(shape), contexts.reshape(shape), bits).astype(np.uint8)
