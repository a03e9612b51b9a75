"""The loops in numpy, for machines without the kernel: the same bytes, more slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from otium.entropy.tables import BITS, SLOTS
from otium.errors import BadData

if TYPE_CHECKING:  # it imports this module
    from otium.entropy.integers import Coded

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]

_CHUNK = 1 << 19
_ID = (np.arange(256) + 1) >> 1
BUCKET_BITS = np.where(_ID < 8, 0, ((_ID - 8) >> 1) + 2)
"""How many raw bits follow each symbol."""
BUCKET_BASE = np.where(_ID < 8, _ID, (2 + (_ID & 1)) << np.minimum(BUCKET_BITS, 40))
"""The magnitude at which each symbol's bucket begins."""


def bucket_symbols(values: Integers) -> Bytes:
    """Return the bucket symbol of each value."""
    size = np.abs(values.astype(np.int64))
    top = np.frexp(size.astype(np.float64) + 0.5)[1].astype(np.int64) - 1
    large = 8 + ((top - 3) << 1) + ((size >> np.maximum(top - 1, 0)) & 1)
    number = np.where(size < 8, size, large)
    symbols = np.where(number > 0, 2 * number - (values > 0), 0)
    return symbols.astype(np.uint8)


def encode_chunk(
    symbols: Bytes, contexts: Bytes, codes: npt.NDArray[np.uint32], lanes: int
) -> tuple[bytes, bytes]:
    """Return the final states and the words of one chunk."""
    steps = -(-symbols.size // lanes)
    flat = np.zeros(steps * lanes, np.uint32)
    flat[: symbols.size] = codes[contexts, symbols]
    code = flat.reshape(steps, lanes)
    frequency, start = (code >> BITS).astype(np.uint64) + 1, code & (SLOTS - 1)
    states = np.full(lanes, 1 << 16, np.uint64)
    emitted = np.zeros((steps, lanes), bool)
    words = np.zeros((steps, lanes), "<u2")
    for step in range(steps - 1, -1, -1):
        used = min(lanes, symbols.size - step * lanes)
        state, f = states[:used], frequency[step, :used]
        emit = (state >> np.uint64(20)) >= f
        words[step, :used] = state & np.uint64(0xFFFF)
        emitted[step, :used] = emit
        state = np.where(emit, state >> np.uint64(16), state)
        quotient = state // f
        rest = state - quotient * f
        states[:used] = (quotient << np.uint64(BITS)) + rest + start[step, :used]
    return states.astype("<u4").tobytes(), words[emitted].tobytes()


def raw_bits(symbols: Bytes, raw: npt.NDArray[np.generic], split: int) -> bytes:
    """Return the raw bits of one chunk, the first in the lowest bit."""
    if split == 255:
        large = np.flatnonzero(symbols >= 15)
        size = np.abs(raw[large].astype(np.int64))
        width = BUCKET_BITS[symbols[large]]
        fields = size - BUCKET_BASE[symbols[large]]
    else:
        fields, width = raw.astype(np.int64), np.full(raw.size, split)
    if not fields.size:
        return b""
    bit = np.arange(int(width.max()))
    bits = (fields[:, None] >> bit & 1).astype(np.uint8)
    return np.packbits(bits[bit < width[:, None]], bitorder="little").tobytes()


def decode(coded: Coded, contexts: Bytes) -> Integers:
    """Return the integers of a stream whose contexts are given; raise BadData."""
    symbols = _decode_symbols(coded, coded.lookup[contexts])
    data = np.concatenate([coded.data, np.zeros(8, np.uint8)])
    out = np.empty(coded.count, np.int32)
    for chunk, start in enumerate(range(0, coded.count, _CHUNK)):
        part = symbols[start : start + _CHUNK]
        begin, end = (int(coded.offsets[3 * chunk + k]) for k in (2, 3))
        bits = data[begin : end + 8]
        if coded.split == 255:
            out[start : start + _CHUNK] = _buckets(part, bits, 8 * (end - begin))
        else:
            if part.size * coded.split > 8 * (end - begin):
                raise _short()
            at = np.arange(part.size, dtype=np.int64) * coded.split
            field = _fields(bits, at, np.int64(coded.split))
            out[start : start + _CHUNK] = (part.astype(np.int64) << coded.split) | field
    return out


def _buckets(symbols: Bytes, bits: Bytes, limit: int) -> Integers:
    number = (symbols.astype(np.int32) + 1) >> 1
    large = np.flatnonzero(symbols >= 15)
    if large.size:
        width = BUCKET_BITS[symbols[large]]
        ends = np.cumsum(width)
        if int(ends[-1]) > limit:
            raise _short()
        field = _fields(bits, ends - width, width)
        number[large] = (BUCKET_BASE[symbols[large]] + field).astype(np.int32)
    return np.where(symbols & 1, number, -number)


def _fields(
    bits: Bytes, at: npt.NDArray[np.int64], width: npt.NDArray[np.int64] | np.int64
) -> npt.NDArray[np.int64]:
    """Return the fields of *width* bits that begin at the bits *at*."""
    byte = at >> 3
    word = np.zeros(at.size, np.int64)
    for k in range(5):
        word |= bits[byte + k].astype(np.int64) << (8 * k)
    return (word >> (at & 7)) & ((np.int64(1) << width) - 1)


def _decode_symbols(coded: Coded, clusters: Bytes) -> Bytes:
    """Decode all whole chunks side by side, then the last one."""
    whole = coded.count // _CHUNK
    symbols = np.empty(coded.count, np.uint8)
    if whole:
        size = whole * _CHUNK
        symbols[:size] = _lockstep(coded, clusters[:size], 0, whole)
    if coded.count > whole * _CHUNK:
        symbols[whole * _CHUNK :] = _lockstep(coded, clusters[whole * _CHUNK :], whole, 1)
    return symbols


def _lockstep(coded: Coded, clusters: Bytes, first: int, chunks: int) -> Bytes:
    """Decode *chunks* chunks of one length, one step of all their lanes at a time."""
    lanes, size = coded.lanes, clusters.size // chunks
    steps = -(-size // lanes)
    padded = np.zeros((chunks, steps * lanes), np.uint32)
    padded[:, :size] = clusters.reshape(chunks, size)
    rows = np.ascontiguousarray((padded << BITS).reshape(chunks, steps, lanes).swapaxes(0, 1))
    at = coded.offsets[3 * first : 3 * (first + chunks)].astype(np.int64).reshape(chunks, 3)
    data = coded.data
    states = np.stack([data[a : a + 4 * lanes].view("<u4") for a in at[:, 0]])
    words = data[: data.size - data.size % 2].view("<u2")
    place, last = at[:, 1:2] // 2, at[:, 2:3] // 2
    table = coded.table.ravel()
    factor, bias = (table >> BITS & np.uint32(SLOTS - 1)) + 1, table & np.uint32(SLOTS - 1)
    low, mask, bits = np.uint32(65536), np.uint32(SLOTS - 1), np.uint32(BITS)
    for step in range(steps):
        slots = rows[step]  # becomes the slot of each lane, and later its symbol
        slots |= states & mask
        states >>= bits
        states *= factor[slots]
        states += bias[slots]
        need = states < low
        if step == steps - 1 and size % lanes:
            need[:, size % lanes :] = False
        place = _refill(states, need, words, place)
    if (place > last).any():
        raise _short()
    symbols = (table >> np.uint32(24)).astype(np.uint8)[rows]
    return np.ascontiguousarray(symbols.swapaxes(0, 1).reshape(chunks, -1)[:, :size]).ravel()


def _refill(
    states: npt.NDArray[np.uint32],
    need: npt.NDArray[np.bool_],
    words: npt.NDArray[np.uint16],
    place: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Give each lane in need the next word of its chunk; return where the words go on."""
    if len(states) == 1:
        lanes = need[0].nonzero()[0]
        first = int(place[0, 0])
        word = words[first : first + lanes.size]
        if word.size == lanes.size:
            states[0, lanes] = states[0, lanes] << np.uint32(16) | word
        after: npt.NDArray[np.int64] = place + lanes.size
        return after
    rank: npt.NDArray[np.int64] = np.cumsum(need, 1, dtype=np.int64)
    word = words[np.minimum(place + rank - 1, words.size - 1)]
    np.copyto(states, states << np.uint32(16) | word, where=need)
    return place + rank[:, -1:]


def _short() -> BadData:
    return BadData(path="a coded stream", why="its words end too early")
