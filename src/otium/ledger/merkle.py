"""The Merkle tree of RFC 6962 (section 2.1): hashes, paths, and how to check them.

Pure functions. A tree is given by ``Subtree``, which returns the hash of any range of leaves
``[start, end)`` that is a node of the tree.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from otium.errors import BadProof

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_SIZE = 32
Subtree = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return how many leaves stand left in a tree of *size* > 1: the largest power of two below."""
    return 1 << (size - 1).bit_length() - 1


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf (or node) *hashes*; of none, the hash of nothing."""
    if not hashes:
        return EMPTY_ROOT
    row, sha256 = list(hashes), hashlib.sha256
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)  # an odd one out goes up as it is
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        row = above + row[2 * len(above) :]
    return row[0]


class Frontier(NamedTuple):
    """The perfect subtrees that a tree of *size* consists of, and so its root."""

    size: int = 0
    nodes: tuple[bytes, ...] = ()
    """Their hashes, the largest first."""

    def extended(self, hashes: Iterable[bytes]) -> Frontier:
        """Return the frontier of the tree with more leaf *hashes* at the right."""
        size, nodes = self.size, list(self.nodes)
        for found in hashes:
            node, rest = found, size
            while rest & 1:
                node, rest = node_hash(nodes.pop(), node), rest >> 1
            nodes.append(node)
            size += 1
        return Frontier(size, tuple(nodes))

    def root(self) -> bytes:
        """Return the root over all leaves."""
        return functools.reduce(_under, reversed(self.nodes)) if self.nodes else EMPTY_ROOT


def _under(right: bytes, left: bytes) -> bytes:
    return node_hash(left, right)


def frontier_root(levels: Sequence[Sequence[bytes]]) -> bytes:
    """Return the root from the hashes of the partial tile at each level, lowest level first."""
    root: bytes | None = None
    for hashes in levels:
        for part in reversed(list(_perfect(hashes))):
            root = part if root is None else node_hash(part, root)
    return EMPTY_ROOT if root is None else root


def _perfect(hashes: Sequence[bytes]) -> Iterable[bytes]:
    """Yield the hashes of the perfect subtrees that make up *hashes*, left to right."""
    start = 0
    for bit in reversed(range(len(hashes).bit_length())):
        width = 1 << bit
        if len(hashes) & width:
            yield tree_hash(hashes[start : start + width])
            start += width


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the hashes that lead from leaf *index* to the root of a tree of *size*."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return the hashes that show the tree of *new* leaves to begin with that of *old* > 0."""
    path, start, end, at_left_edge = [], 0, new, True
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, at_left_edge = middle, False
    if not at_left_edge:
        path.append(subtree(start, end))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise BadProof unless *path* shows *leaf* at *index* of the tree under *root*."""
    if not 0 <= index < size:
        raise BadProof(why=f"index {index} is outside a tree of {size}")
    rest, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise BadProof(why="it has too many hashes")
        if rest & 1 or rest == last:
            found = node_hash(sibling, found)
            rest, last = _climb(rest, last)
        else:
            found = node_hash(found, sibling)
        rest, last = rest >> 1, last >> 1
    if last != 0 or found != root:
        raise BadProof(why="its hashes do not lead from the entry to the root")


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raise BadProof unless *path* shows that the *new* leaves begin with the *old* ones."""
    if old in (0, new):
        trivial = not path and (old_root == EMPTY_ROOT if old == 0 else old_root == new_root)
        if not trivial:
            raise BadProof(why="the trees differ, or the proof is longer than it must be")
        return
    if not 0 < old < new or not path:
        raise BadProof(why=f"there is no path from size {old} to size {new}")
    seen = [old_root, *path] if old & (old - 1) == 0 else list(path)
    _follow_consistency(old, new, old_root, new_root, seen)


def _follow_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    rest, last = old - 1, new - 1
    while rest & 1:
        rest, last = rest >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProof(why="it has too many hashes")
        if rest & 1 or rest == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            rest, last = _climb(rest, last)
        else:
            second = node_hash(second, sibling)
        rest, last = rest >> 1, last >> 1
    if last != 0 or first != old_root or second != new_root:
        raise BadProof(why="its hashes do not lead from the old root to the new one")


def _climb(rest: int, last: int) -> tuple[int, int]:
    """Go up to where *rest* is a right child, as RFC 9162 (2.1.3.2) has it."""
    while rest and not rest & 1:
        rest, last = rest >> 1, last >> 1
    return rest, last
