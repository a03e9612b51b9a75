"""Sequences of integers under contexts, in nearly as few bits as their entropy.

Interleaved range asymmetric numeral systems (Duda, arXiv:1311.2540; 32-bit states, 16-bit
words, 12-bit frequencies). A symbol stands for a small integer or for a bucket of larger
ones, whose low bits follow raw. SPEC.md, "Coded integers", is the definition.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otium.entropy import portable
from otium.entropy.kernel import Stream, kernel
from otium.entropy.tables import MOST_CONTEXTS, SYMBOLS, Tables, read_tables
from otium.errors import BadData

CHUNK = 1 << 19
BUCKETS = 255
"""As the width of the raw bits: each symbol has its own (SPEC.md, "Buckets")."""
WIDEST_SPLIT = 25
_CONSTANT, _PLAIN, _STREAM = 0, 1, 2
_MANY = 1 << 17
"""Symbols; of fewer, four tables cost more than they save."""
_FEW = 48
"""Bytes; fewer are not worth a table."""
MOST = 1 << 26
"""Integers in one stream, at the most."""

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int32]
Counts = npt.NDArray[np.uint32]
Buffer = bytes | bytearray | memoryview
_HEAD = struct.Struct("<IBBH")


def count_symbols(symbols: Bytes, contexts: Bytes, rows: int = MOST_CONTEXTS) -> Counts:
    """Return how often each symbol stands in each context, an array [rows, 256]."""
    loops = kernel()
    if loops is None:
        index = contexts.astype(np.int64) << 8 | symbols
        counts = np.bincount(index, minlength=rows * SYMBOLS)
        return counts.reshape(rows, SYMBOLS).astype(np.uint32)
    ways = 4 if symbols.size >= _MANY else 1
    table = np.zeros((ways, rows, SYMBOLS), np.uint32)
    loops.library.otium_histogram(
        *(ctypes.c_void_p(a.ctypes.data) for a in (symbols, contexts)),
        ctypes.c_uint64(symbols.size),
        ctypes.c_uint32(rows),
        ctypes.c_uint32(ways),
        ctypes.c_void_p(table.ctypes.data),
    )
    total: Counts = table[0] if ways == 1 else table.sum(0, dtype=np.uint32)
    return total


def raw_bits(counts: Counts) -> float:
    """Return how many raw bits follow bucket symbols of these counts."""
    return float((counts.sum(0, dtype=np.int64) * portable.BUCKET_BITS).sum())


def encode_integers(values: Integers, contexts: Bytes) -> bytes:
    """Return *values*, each under its context, as a stream."""
    symbols = portable.bucket_symbols(values)
    return encode_symbols(symbols, contexts, values, BUCKETS)


def encode_bytes(values: Bytes) -> bytes:
    """Return bytes without context, in the shortest of three forms (SPEC.md, "Bytes")."""
    if (values == values[:1]).all():
        return bytes([_CONSTANT]) + values[:1].tobytes()
    plain = bytes([_PLAIN]) + values.tobytes()
    if values.size < _FEW:
        return plain
    none = np.zeros(values.size, np.uint8)
    tables = Tables.fit(count_symbols(values, none, 1))
    coded = write_symbols(tables, values, none, np.zeros(0, np.uint32), 0)
    return min(plain, bytes([_STREAM]) + coded, key=len)


def encode_symbols(
    symbols: Bytes, contexts: Bytes, raw: npt.NDArray[np.generic], split: int
) -> bytes:
    """Return a stream of *symbols*.

    With ``split`` BUCKETS *raw* holds the int32 values that the symbols stand for, else
    uint32 fields of *split* bits that follow them.
    """
    tables = Tables.fit(count_symbols(symbols, contexts))
    return write_symbols(tables, symbols, contexts, raw, split)


def write_symbols(
    tables: Tables, symbols: Bytes, contexts: Bytes, raw: npt.NDArray[np.generic], split: int
) -> bytes:
    """Return a stream of *symbols* under tables that have been fitted to them."""
    lanes = lanes_for(symbols.size)
    packed = tables.pack()
    head = _HEAD.pack(symbols.size, split, lanes.bit_length() - 1, len(packed))
    codes = tables.encoder()
    sizes, chunks = [], []
    for start in range(0, symbols.size, CHUNK):
        part = slice(start, start + CHUNK)
        states, words = _encode(symbols[part], contexts[part], codes, lanes)
        bits = _raw(symbols[part], raw[part] if split else raw, split)
        sizes.append(struct.pack("<II", len(words) // 2, len(bits)))
        chunks += [states, words, bits]
    return b"".join([head, packed, bytes(len(packed) % 2), *sizes, *chunks])


def lanes_for(count: int) -> int:
    """Return into how many interleaved states so many integers are coded."""
    return 64 if count >= 1 << 15 else 16 if count >= 1 << 12 else 4


def _encode(
    symbols: Bytes, contexts: Bytes, codes: npt.NDArray[np.uint32], lanes: int
) -> tuple[bytes, bytes]:
    loops = kernel()
    if loops is None:
        return portable.encode_chunk(symbols, contexts, codes, lanes)
    states = np.zeros(lanes, np.uint32)
    words = np.empty(symbols.size + 32, np.uint16)
    end = ctypes.c_void_p(words.ctypes.data + 2 * symbols.size)
    count = loops.call("encode", symbols, contexts, symbols.size, lanes, codes, states, end)
    return states.tobytes(), words[symbols.size - count : symbols.size].tobytes()


def _raw(symbols: Bytes, raw: npt.NDArray[np.generic], split: int) -> bytes:
    """Return the raw bits of one chunk, an even number of bytes."""
    if split == 0:
        return b""
    loops = kernel()
    if loops is None:
        data = portable.raw_bits(symbols, raw, split)
        return data + bytes(len(data) % 2)
    out = np.empty(4 * symbols.size + 16, np.uint8)
    if split == BUCKETS:
        used = loops.call("raw_buckets", symbols, raw, symbols.size, out)
    else:
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (raw, out)]
        count, width = ctypes.c_uint64(symbols.size), ctypes.c_uint32(split)
        used = loops.library.otium_raw_split(pointers[0], count, width, pointers[1])
    out[used] = 0
    return out[: used + used % 2].tobytes()


@dataclass(frozen=True)
class Coded:
    """A stream that was found in a buffer, ready to be decoded."""

    count: int
    split: int
    lanes: int
    table: npt.NDArray[np.uint32]
    """[clusters, 4096]: what each slot decodes to."""
    lookup: Bytes
    """[256]: the cluster of each context."""
    data: Bytes
    """The chunks."""
    offsets: npt.NDArray[np.uint64]
    """[chunks, 3]: where states, words and raw bits begin; then the end."""
    end: int
    """Where in the buffer the stream ends."""

    def stream(self) -> Stream:
        """Return what the loops read, while this is kept alive."""
        arrays = (self.table, self.lookup, self.data, self.offsets)
        places = (one.ctypes.data for one in arrays)
        return Stream(*places, self.data.size, self.count, self.lanes, self.split)


def read_stream(data: Buffer, at: int = 0) -> Coded:
    """Return the stream that begins at *at*; raise BadData if it is not whole.

    Its chunks are not copied: they are those of *data*.
    """
    try:
        count, split, log, packed = _HEAD.unpack_from(data, at)
        if count > MOST or log > 6 or (split > WIDEST_SPLIT and split != BUCKETS):
            raise _bad("its header cannot be meant")
        at += _HEAD.size
        table, lookup = read_tables(bytes(memoryview(data)[at : at + packed]))
        at += packed + packed % 2
        sizes = struct.unpack_from(f"<{2 * -(-count // CHUNK)}I", data, at)
    except (struct.error, ValueError) as error:
        raise _bad(str(error)) from error
    at += 4 * len(sizes)
    places = [0]
    for words, bits in zip(sizes[::2], sizes[1::2], strict=True):
        begin = places[-1] + (4 << log)
        places += [begin, begin + 2 * words, begin + 2 * words + bits]
    total = places[-1]
    if total > len(data) - at or any(bits % 2 for bits in sizes[1::2]):
        raise _bad("it is cut short")
    chunks = np.frombuffer(data, np.uint8, total, at)
    offsets = np.array(places, np.uint64)
    return Coded(count, split, 1 << log, table, lookup, chunks, offsets, at + total)


def decode_integers(data: Buffer, contexts: Bytes, at: int = 0) -> tuple[Integers, int]:
    """Return the integers of the stream at *at*, whose contexts are given, and where it ends.

    Raises BadData if the stream is damaged or has another length.
    """
    coded = read_stream(data, at)
    if coded.count != contexts.size:
        raise _bad(f"it has {coded.count} integers, not {contexts.size}")
    return decode_coded(coded, contexts), coded.end


def decode_bytes(data: Buffer, count: int, at: int = 0) -> tuple[Bytes, int]:
    """Return *count* bytes that `encode_bytes` wrote, and where they end; raise BadData."""
    form, room = (data[at] if at < len(data) else -1), len(data) - at - 1
    if form == _CONSTANT and (room or not count):
        length = min(count, 1)
        return np.full(count, data[at + 1] if length else 0, np.uint8), at + 1 + length
    if form == _PLAIN and room >= count:
        return np.frombuffer(data, np.uint8, count, at + 1), at + 1 + count
    if form != _STREAM:
        raise _bad("its bytes are cut short")
    values, end = decode_integers(data, np.zeros(count, np.uint8), at + 1)
    return values.astype(np.uint8), end


def decode_coded(coded: Coded, contexts: Bytes) -> Integers:
    """Return the integers of a stream whose contexts are given; raise BadData."""
    loops = kernel()
    if loops is None:
        return portable.decode(coded, contexts)
    values = np.empty(coded.count, np.int32)
    if loops.call("decode", ctypes.byref(coded.stream()), contexts, values):
        raise _bad("its words end too early")
    return values


def _bad(why: str) -> BadData:
    return BadData(path="a coded stream", why=why)
