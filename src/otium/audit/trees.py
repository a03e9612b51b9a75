"""The Merkle tree of a pack: RFC 6962 (2.1) over leaves of 16 KiB of its stored bytes.

A tree is kept whole, row by row from the leaf hashes up to the root. A node without a sibling
goes up as it is, which gives the root and the paths of the RFC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from otium.ledger import EMPTY_ROOT, leaf_hash
from otium.store import Span, Store

LEAF = 16384
"""Bytes of a leaf; the last one of a pack is shorter, and not padded."""
_HASH = 32
_CHUNK = 512 * LEAF
"""Bytes that are read at a time."""


def leaf_count(size: int) -> int:
    """Return how many leaves a pack of *size* bytes has."""
    return -(-size // LEAF)


def leaf_span(index: int, size: int) -> Span:
    """Return where leaf *index* lies in a pack of *size* bytes."""
    offset = index * LEAF
    return Span(offset, min(LEAF, size - offset))


def read_through(store: Store, name: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of a pack in pieces of whole leaves; raise NotFound, BadInput if short."""
    for offset in range(0, size, _CHUNK):
        yield store.get(name, Span(offset, min(_CHUNK, size - offset)))


def _rows(leaves: int) -> list[int]:
    """Return how many nodes each row of a tree has, the leaves first."""
    lengths = [leaves]
    while lengths[-1] > 1:
        lengths.append((lengths[-1] + 1) // 2)
    return lengths


def path_length(index: int, leaves: int) -> int:
    """Return how many siblings lead from leaf *index* to the root of so many *leaves*."""
    return sum((index >> row) ^ 1 < length for row, length in enumerate(_rows(leaves)))


class Tree:
    """All hashes of one pack's tree."""

    def __init__(self, leaves: int, data: bytes) -> None:
        """Use the rows in *data*, joined, of a tree over so many *leaves*; believe nothing."""
        self.data = data
        self._rows = _rows(leaves)

    @classmethod
    def read(cls, chunks: Iterable[bytes]) -> Tree:
        """Compute the tree of a pack from its bytes, in pieces of whole leaves."""
        spans = ((chunk, at) for chunk in chunks for at in range(0, len(chunk), LEAF))
        row = [leaf_hash(chunk[at : at + LEAF]) for chunk, at in spans]
        leaves, rows, sha256 = len(row), [b"".join(row)], hashlib.sha256
        while len(row) > 1:
            pairs = zip(row[::2], row[1::2], strict=False)
            above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            row = above + row[2 * len(above) :]
            rows.append(b"".join(row))
        return cls(leaves, b"".join(rows))

    @property
    def is_whole(self) -> bool:
        """Whether all rows are there."""
        return len(self.data) == _HASH * sum(self._rows)

    @property
    def root(self) -> bytes:
        """Return the last row; of a tree without leaves, the hash of nothing."""
        return self.data[-_HASH:] or EMPTY_ROOT

    def path(self, index: int) -> list[bytes]:
        """Return the siblings from leaf *index* up."""
        path, start = [], 0
        for length in self._rows:
            if index ^ 1 < length:
                at = (start + (index ^ 1)) * _HASH
                path.append(self.data[at : at + _HASH])
            start, index = start + length, index >> 1
        return path
