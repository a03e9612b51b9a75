"""The new pieces of a deposit: coded, decoded again to see that nothing is lost, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from otium.archive.lineage import Offer
from otium.archive.packs import Shelf
from otium.archive.records import Entry, Index
from otium.archive.survey import Cut, Survey
from otium.codec import Buffer, Coded, decode, encode
from otium.errors import DamagedObject
from otium.parallel import in_order
from otium.store import Store

LARGEST_PACK = 1 << 30
"""Bytes."""


def missing(shelf: Shelf, surveys: Iterable[Survey]) -> Iterator[list[Cut]]:
    """Yield the cuts that are not in the archive, in the groups whose packs they begin.

    Each weights file begins a pack, so that a later deposit that differs only in small
    files makes the same packs again. Small files share the last ones.
    """
    known: set[str] = set()
    small: list[Cut] = []
    for survey in surveys:
        fresh = []
        for cut in survey.cuts:
            if cut.length and cut.sha256 not in known and shelf.find(cut.sha256) is None:
                known.add(cut.sha256)
                fresh.append(cut)
        if not survey.source.is_weights:
            small += fresh
            continue
        # Codes may be coded against their scales, which must then be there.
        scales = [cut for cut in fresh if "scale" in cut.tensor]
        for group in (scales, [cut for cut in fresh if "scale" not in cut.tensor]):
            if group:
                yield group
    if small:
        yield small


@dataclass(frozen=True)
class Kept:
    """A piece that was coded, and decoded again to see that nothing is lost."""

    size: int
    sha256: str
    coded: Coded
    bases: tuple[str, ...] = ()
    first: tuple[Kept, ...] = ()
    """Pieces of no file that it is coded against, to be kept before it."""


class Writer:
    """Stores the new pieces of one deposit in packs."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        bases: Callable[[Cut], list[Offer]],
        progress: Callable[[int], None],
    ) -> None:
        """Write to *store*; tell *progress* how many bytes were dealt with."""
        self.store, self.shelf, self.bases, self.progress = store, shelf, bases, progress
        self.ahead: Kept | None = None

    def write(self, cuts: Sequence[Cut]) -> None:
        """Store the cuts of one group; each pack's index follows it at once."""
        # Each thread codes a piece of its own; numpy's linear algebra must not add more threads.
        with threadpool_limits(1, "blas"):
            self._write(in_order(self._code, cuts, lambda cut: cut.length))

    def _write(self, coded: Generator[Kept, None, None]) -> None:
        try:
            self.ahead = next(coded, None)
            while self.ahead is not None:
                entries: list[Entry] = []
                pack = self.store.add("packs", self._fill(coded, entries), ".pack")
                self.shelf.verify(pack)
                index = Index(pack=pack, pieces=tuple(entries))
                self.store.add("indexes", [index.encode()], ".json")
                self.shelf.learn(index)
        finally:
            coded.close()

    def _fill(self, coded: Iterator[Kept], entries: list[Entry]) -> Iterator[Buffer]:
        """Yield the bytes of one pack and note what is in it."""
        offset = 0
        while self.ahead is not None:
            there = {entry.sha256 for entry in entries}
            run = [one for one in (*self.ahead.first, self.ahead) if one.sha256 not in there]
            length = sum(len(one.coded.stored) for one in run)
            if offset and offset + length > LARGEST_PACK:
                return
            for one in run:
                entries.append(_entry(one, offset))
                offset += len(one.coded.stored)
                yield one.coded.stored
            self.progress(self.ahead.size)
            self.ahead = next(coded, None)

    def _code(self, cut: Cut) -> Kept:
        data = cut.read()
        offers = self.bases(cut)
        coded = encode(data, cut.dtype, cut.row, [base for _, base in offers])
        names: tuple[str, ...] = ()
        buffers: list[Buffer] = []
        first: list[Kept] = []
        if coded.base is not None:
            names, base = offers[coded.base]
            buffers = base.buffers()
        if coded.factors is not None:
            factors = coded.factors
            first = [_factor(factors.down, cut.row), _factor(factors.up, factors.rank)]
            names += tuple(one.sha256 for one in first)
            buffers += [factors.down, factors.up]
        again = decode(coded.codec, coded.stored, len(data), buffers)
        if hashlib.sha256(again).hexdigest() != cut.sha256:
            if hashlib.sha256(data).hexdigest() != cut.sha256:
                raise cut.source.changed()
            found = f"another {cut.dtype} tensor from the codec {coded.codec}"
            name = f"{cut.source.path} in memory"
            raise DamagedObject(name=name, found=found, expected=cut.sha256)
        return Kept(len(data), cut.sha256, coded, names, tuple(first))


def _factor(data: Buffer, row: int) -> Kept:
    coded = encode(data, "BF16", row)
    if decode(coded.codec, coded.stored, len(data)) != data:
        raise DamagedObject(name="a factor in memory", found=coded.codec, expected="its bytes")
    return Kept(len(data), hashlib.sha256(data).hexdigest(), coded)


def _entry(one: Kept, offset: int) -> Entry:
    return Entry(
        offset=offset,
        stored=len(one.coded.stored),
        size=one.size,
        sha256=one.sha256,
        codec=one.coded.codec,
        bases=one.bases,
    )
