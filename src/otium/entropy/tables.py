"""Static probabilities: how often each symbol is expected in each context.

Contexts with alike distributions share a cluster, where that costs less than a table of its
own. Frequencies have 12 bits and are written as one byte each (SPEC.md, "Tables").
"""

from __future__ import annotations

import ctypes
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otium.entropy.kernel import kernel
from otium.errors import BadData

BITS = 12
SLOTS = 1 << BITS
SYMBOLS = 256
MOST_CONTEXTS = 256
MAIN = 255
"""The code of a cluster's most frequent symbol, which has what the others leave."""
_ENTRY_BITS, _CLUSTER_BITS = 6.0, 20.0
"""What an entry and a cluster cost in the deflated table, about (measured)."""

_SMALL = 8192
"""Integers; of fewer, clusters are not worth looking for."""

Counts = npt.NDArray[np.float64]


def _frequency(code: int) -> int:
    return code if code < 8 else (8 + code % 8) << (code // 8 - 1)


FREQUENCIES = np.array([_frequency(code) for code in range(81)], np.int64)
"""The frequency that each code byte stands for: 3 significant bits behind the first."""


_EXPRESSED = FREQUENCIES.tolist()


@dataclass(frozen=True)
class Tables:
    """The cluster of each context, and the frequency of each symbol in each cluster."""

    clusters: npt.NDArray[np.uint8]
    """[contexts]"""
    frequencies: npt.NDArray[np.int64]
    """[clusters, 256], each row with the sum 4096."""

    @classmethod
    def fit(cls, counts: npt.NDArray[np.uint32]) -> Tables:
        """Choose tables for *counts*, an array [contexts, 256]."""
        used = np.flatnonzero(counts.any(1))
        contexts = int(used[-1]) + 1 if used.size else 1
        groups = _cluster(counts[used].astype(np.float64)) if used.size else [slice(0, 0)]
        clusters = np.zeros(contexts, np.uint8)
        rows = []
        for number, group in enumerate(groups):
            clusters[used[group]] = number
            rows.append(_quantise(counts[used[group]].sum(0, dtype=np.float64)))
        return cls(clusters, np.array(rows))

    @staticmethod
    def estimate(counts: npt.NDArray[np.uint32]) -> float:
        """Return about what symbols of these counts will take, tables included, without fitting."""
        rows = counts[counts.any(1)].astype(np.float64)
        if not len(rows):
            return 0.0
        bits = float(_entropy(rows).sum())
        return min(bits, float(_entropy(rows.sum(0))) if len(rows) > 1 else bits)

    def bits(self, counts: npt.NDArray[np.uint32]) -> float:
        """Return what symbols of these counts take, tables apart."""
        contexts = len(self.clusters)
        share = self.frequencies[self.clusters] / SLOTS
        there = counts[:contexts] > 0
        return float(-(counts[:contexts][there] * np.log2(share[there])).sum())

    def starts(self) -> npt.NDArray[np.int64]:
        """Return the first slot of each symbol in each cluster."""
        return np.cumsum(self.frequencies, 1) - self.frequencies

    def encoder(self) -> npt.NDArray[np.uint32]:
        """Return ``(frequency - 1) << 12 | start`` for each context and symbol."""
        codes = (np.maximum(self.frequencies, 1) - 1) << BITS | self.starts() % SLOTS
        return np.ascontiguousarray(codes[self.clusters].astype(np.uint32))

    def decoder(self) -> npt.NDArray[np.uint32]:
        """Return ``symbol << 24 | (frequency - 1) << 12 | slot - start`` for each slot."""
        table = np.empty((len(self.frequencies), SLOTS), np.uint32)
        for row, frequencies in zip(table, self.frequencies, strict=True):
            symbols = np.repeat(np.arange(SYMBOLS), frequencies)
            start = np.repeat(np.cumsum(frequencies) - frequencies, frequencies)
            row[:] = symbols << 24 | frequencies[symbols] - 1 << BITS | np.arange(SLOTS) - start
        return table

    def lookup(self) -> npt.NDArray[np.uint8]:
        """Return the clusters of all 256 contexts; those that never occur have the first."""
        full = np.zeros(MOST_CONTEXTS, np.uint8)
        full[: len(self.clusters)] = self.clusters
        return full

    def pack(self) -> bytes:
        """Return the tables as they stand in a stream."""
        out = bytearray([len(self.clusters) - 1, len(self.frequencies) - 1])
        out += self.clusters.tobytes()
        for row in self.frequencies:
            last = int(np.flatnonzero(row)[-1])
            codes = np.searchsorted(FREQUENCIES, row[: last + 1]).astype(np.uint8)
            odd = np.flatnonzero(FREQUENCIES[np.minimum(codes, 80)] != row[: last + 1])
            codes[int(odd[0]) if odd.size else int(row.argmax())] = MAIN
            out += bytes([last]) + codes.tobytes()
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        return squeeze.compress(bytes(out)) + squeeze.flush()

    @classmethod
    def unpack(cls, data: bytes) -> Tables:
        """Read what `pack` wrote; raise BadData for anything else."""
        try:
            return _unpack(_inflate(data))
        except (IndexError, ValueError) as error:
            raise _bad(str(error)) from error


def read_tables(data: bytes) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Return `Tables.decoder` and `Tables.lookup` of packed tables; raise BadData."""
    loops = kernel()
    if loops is None:
        tables = Tables.unpack(data)
        return tables.decoder(), tables.lookup()
    plain = _inflate(data)
    if len(plain) < 2:
        raise _bad("they are cut short")
    table, lookup = np.empty((plain[1] + 1, SLOTS), np.uint32), np.empty(256, np.uint8)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (lookup, table)]
    if loops.library.otium_tables(plain, ctypes.c_uint64(len(plain)), *pointers):
        raise _bad("they do not fit together")
    return table, lookup


def _bad(why: str) -> BadData:
    return BadData(path="a stream's tables", why=why)


def _inflate(data: bytes) -> bytes:
    reader = zlib.decompressobj(-15)
    most = 2 + MOST_CONTEXTS + MOST_CONTEXTS * (SYMBOLS + 1)
    try:
        plain = reader.decompress(data, most)
    except zlib.error as error:
        raise _bad(str(error)) from error
    if not reader.eof:
        raise _bad("they are too long")
    return plain


def _unpack(plain: bytes) -> Tables:
    contexts, count = plain[0] + 1, plain[1] + 1
    clusters = np.frombuffer(plain, np.uint8, contexts, 2)
    at = 2 + contexts
    rows = np.zeros((count, SYMBOLS), np.int64)
    for row in rows:
        codes = plain[at + 1 : at + 2 + plain[at]]
        at += 2 + plain[at]
        main = codes.index(MAIN)
        row[: len(codes)] = [0 if code == MAIN else _EXPRESSED[code] for code in codes]
        row[main] = SLOTS - int(row.sum())
        if row[main] < 1:
            raise ValueError("frequencies exceed their sum")
    if at != len(plain) or clusters.max(initial=0) >= count:
        raise ValueError("they do not fit together")
    return Tables(clusters, rows)


def _entropy(counts: Counts) -> Counts:
    """Return the bits that symbols of these counts take, with a table of their own."""
    total = counts.sum(-1)
    own = (counts * np.log2(np.maximum(counts, 1))).sum(-1)
    tables = _ENTRY_BITS * (counts > 0).sum(-1) + _CLUSTER_BITS
    entropy: Counts = total * np.log2(np.maximum(total, 1)) - own + tables
    return entropy


def _cluster(counts: Counts) -> list[slice]:
    """Merge neighbouring contexts while that saves bits; return the groups."""
    if counts.sum() < _SMALL:
        return [slice(0, len(counts))]
    counts = counts[:, : int(np.flatnonzero(counts.any(0))[-1]) + 1]
    ends = list(range(1, len(counts) + 1))
    sums = list(counts)
    costs = list(_entropy(counts))
    joint = list(_entropy(counts[:-1] + counts[1:]))
    while joint:
        gains = [costs[i] + costs[i + 1] - joint[i] for i in range(len(joint))]
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        sums[best : best + 2] = [sums[best] + sums[best + 1]]
        costs[best : best + 2] = [joint[best]]
        del ends[best], joint[best]
        for side in (best - 1, best):
            if 0 <= side < len(joint):
                joint[side] = float(_entropy(sums[side] + sums[side + 1]))
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _quantise(counts: Counts) -> npt.NDArray[np.int64]:
    """Return frequencies that code bytes can express, the most frequent symbol's apart."""
    share = counts * SLOTS / max(counts.sum(), 1)
    main = int(counts.argmax())
    upper = np.minimum(np.searchsorted(FREQUENCIES, share), len(FREQUENCIES) - 1)
    lower = np.maximum(upper - 1, 0)
    codes = np.where(share - FREQUENCIES[lower] < FREQUENCIES[upper] - share, lower, upper)
    codes = np.where(counts > 0, np.maximum(codes, 1), 0)
    codes[main] = 0
    while FREQUENCIES[codes].sum() >= SLOTS:
        codes[int(codes.argmax())] -= 1
    frequencies: npt.NDArray[np.int64] = FREQUENCIES[codes]
    frequencies[main] = SLOTS - frequencies.sum()
    return frequencies
