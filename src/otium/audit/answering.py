"""A custodian's side of a spot check: leaves and paths out of a copy of the packs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from otium.archive import pack_name
from otium.audit.records import Challenge, Drawn
from otium.audit.spot import MAGIC, Head, leads
from otium.audit.trees import Tree, leaf_count, leaf_span, read_through
from otium.errors import BadInput, CannotStore, NotFound
from otium.records import Digest, Part, Progress, silent
from otium.store import Store, content_name


class Answered(Part):
    """What a custodian wrote into a response."""

    audit: Digest
    leaves: int
    bytes: int
    lacking: tuple[str, ...] = ()
    """The stored names of packs that the copy does not hold as they were sealed."""


def respond(
    asked: Challenge,
    copy: Store,
    out: BinaryIO,
    *,
    cache: Store | None = None,
    progress: Progress = silent,
) -> Answered:
    """Write the response to *asked* from the packs in *copy*.

    *cache* keeps the trees of packs, so that they need not be read in full each time. It is
    never trusted: what it says must lead to the sealed root, or it is made anew.
    """
    head = Head(schema=MAGIC, audit=asked.digest()).encode() + b"\n"
    written = out.write(head)
    lacking: dict[str, None] = {}
    for done, one in enumerate(asked.drawn, start=1):
        for part in _Pack(one, copy, cache).answers():
            written += out.write(part)
            if part == b"\x00":
                lacking[pack_name(one.pack)] = None
        progress("answering", done, len(asked.drawn))
    leaves = sum(len(one.leaves) for one in asked.drawn)
    return Answered(audit=asked.digest(), leaves=leaves, bytes=written, lacking=tuple(lacking))


class _Pack:
    """One pack of a copy, and its tree."""

    def __init__(self, asked: Drawn, copy: Store, cache: Store | None) -> None:
        self._asked, self._copy, self._cache = asked, copy, cache
        self._name = pack_name(asked.pack)
        self._tree = self._cached()
        self._fresh = False

    def answers(self) -> Iterator[bytes]:
        """Yield for each leaf that was asked for its part of the response."""
        for index in self._asked.leaves:
            leaf = self._leaf(index)
            yield b"\x00" if leaf is None else b"".join([b"\x01", leaf, *self._path(index)])

    def _leaf(self, index: int) -> bytes | None:
        """Return a leaf that leads to the root, or None if the copy does not have it."""
        try:
            if self._copy.size(self._name) != self._asked.size:
                return None
            leaf = self._copy.get(self._name, leaf_span(index, self._asked.size))
            if not self._leads(leaf, index) and not self._fresh:
                self._read()
        except (NotFound, BadInput, CannotStore):
            return None
        return leaf if self._leads(leaf, index) else None

    def _leads(self, leaf: bytes, index: int) -> bool:
        return self._tree is not None and leads(self._asked, index, leaf, self._tree.path(index))

    def _path(self, index: int) -> list[bytes]:
        return self._tree.path(index) if self._tree else []

    @property
    def _cache_name(self) -> str:
        return content_name("leaves", self._asked.pack, ".tree")

    def _cached(self) -> Tree | None:
        if self._cache is None:
            return None
        try:
            tree = Tree(leaf_count(self._asked.size), self._cache.get(self._cache_name))
        except NotFound:
            return None
        return tree if tree.is_whole else None

    def _read(self) -> None:
        """Compute the tree from the copy, and keep it if it is the one that was sealed."""
        self._fresh = True
        self._tree = Tree.read(read_through(self._copy, self._name, self._asked.size))
        if self._cache is not None and self._tree.root.hex() == self._asked.root:
            self._cache.replace(self._cache_name, self._tree.data)
