"""A file of the archive, streamed into a file of ours: read, decoded, written and hashed at once.

Reads run ahead of the decoding in threads of their own, neighbours in a pack together; pieces are
decoded and written by one thread a processor, each at its place; the file's BLAKE3 is taken of
the decoded bytes in order, as they come by. It stands in the manifest beside the SHA-256, both
taken in one pass at the deposit, so that a file whose BLAKE3 fits is the file. Pieces are
therefore not hashed one by one, and what a piece is coded against may come from a file that was
brought out before: were that wrong, the digest would tell.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from blake3 import blake3

from otium.archive import File, Piece, Pieces, Recipe, pack_name
from otium.codec import decode
from otium.errors import BadData, BadInput, DamagedObject, NotFound
from otium.parallel import in_order
from otium.revival.reading import Tell, write_at
from otium.store import Buffer, Span, Store

_READERS = 4
_BATCH = 8 << 20
"""Bytes decoded of what is read together."""
_SMALL, _SLAB = 1 << 16, 32 << 20
"""Bytes of a piece that get memory of ours, and how much is asked for at once."""
_AHEAD = 3
"""Batches whose reading has begun before they are wanted."""


class Stale(Exception):
    """What lay here already was not what it was: the archive is whole."""


class Known:
    """The pieces of files that were brought out before, where they lie; mapped, not read."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._places: dict[str, tuple[Path, int]] = {}
        self._maps: dict[Path, memoryview] = {}

    @property
    def used(self) -> list[Path]:
        """Return the files of which pieces were taken."""
        return [*self._maps]

    def learn(self, recipe: Recipe, path: Path) -> None:
        """Take note that the file of *recipe* lies at *path*."""
        at = 0
        for number in recipe.order:
            piece = recipe.pieces[number]
            self._places.setdefault(piece.sha256, (path, at))
            at += piece.size

    def find(self, piece: Piece) -> Buffer | None:
        """Return a piece's bytes, if they lie somewhere; they are not verified."""
        place = self._places.get(piece.sha256)
        if place is None:
            return None
        path, at = place
        if path not in self._maps:
            try:
                with path.open("rb") as file:
                    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError):
                self._maps[path] = memoryview(b"")
            else:
                self._maps[path] = memoryview(whole)
        found = self._maps[path][at : at + piece.size]
        return found if len(found) == piece.size else None


class _Job(NamedTuple):
    """One piece: where it goes, and what is being read for it."""

    number: int
    offset: int
    size: int
    reads: Mapping[int, _Read]


class _Read(NamedTuple):
    """Where a stored piece will be."""

    run: Future[bytes]
    begin: int
    end: int


class Buffers:
    """Memory for pieces that is used again and again: to touch it first costs as much as to decode.

    The piece that was let go last leaves its place to the next, so that it is still in the
    processor's cache. For several threads.
    """

    def __init__(self) -> None:
        """Take no memory yet."""
        self._lock = Lock()
        self._idle: dict[int, list[memoryview]] = {}
        self._left = memoryview(b"")

    def take(self, size: int) -> memoryview | None:
        """Return room for at least *size* bytes; None for so few that it is not worth it."""
        if size < _SMALL:
            return None
        size = 1 << (size - 1).bit_length()
        with self._lock:
            if idle := self._idle.get(size):
                return idle.pop()
            if len(self._left) < size:
                self._left = memoryview(_fresh(max(size, _SLAB)))
            taken, self._left = self._left[:size], self._left[size:]
            return taken

    def give(self, room: memoryview | None) -> None:
        """Take back what `take` gave; nobody may look at it any more."""
        if room is not None:
            with self._lock:
                self._idle.setdefault(len(room), []).append(room)


def _fresh(size: int) -> mmap.mmap:
    """Return memory in pages as large as the system has them."""
    fresh = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            fresh.madvise(mmap.MADV_HUGEPAGE)
    return fresh


class _Made(NamedTuple):
    """A piece's bytes, and the memory in which they lie, if it is ours."""

    data: Buffer
    room: memoryview | None = None


@dataclass(frozen=True)
class Stream:
    """One file on its way out of the archive."""

    store: Store
    file: File
    recipe: Recipe
    """The file's."""
    known: Known = field(default_factory=Known)
    buffers: Buffers = field(default_factory=Buffers, init=False)

    def into(self, out: int, tell: Tell) -> None:
        """Write the file's bytes into the open file *out* from its start, and verify them.

        Raises DamagedObject naming what is damaged, Stale if that is none of the archive's, and
        what *tell* raises. Then what was written is no file of ours.
        """
        sha, recipe = blake3(), self.recipe
        try:
            with ThreadPoolExecutor(_READERS, "otium-read") as readers:
                jobs = self._jobs(recipe, readers)
                for made in in_order(lambda job: self._make(recipe, job, out), jobs, _size):
                    sha.update(made.data)
                    tell(len(made.data))
                    self.buffers.give(made.room)
        except BadData as error:
            raise self._blame(str(error)) from error
        if sha.hexdigest() != self.file.blake3:
            raise self._blame("other bytes")

    def _jobs(self, recipe: Recipe, readers: ThreadPoolExecutor) -> Iterator[_Job]:
        """Yield the pieces in order; begin to read some batches before they are wanted."""
        waiting: list[list[_Job]] = []
        for batch in _batches(recipe):
            reads = self._begin(recipe, [number for number, _ in batch], readers)
            sizes = (recipe.pieces[number].size for number, _ in batch)
            waiting.append(
                [_Job(*one, size, reads) for one, size in zip(batch, sizes, strict=True)]
            )
            if len(waiting) > _AHEAD:
                yield from waiting.pop(0)
        for rest in waiting:
            yield from rest

    def _begin(
        self, recipe: Recipe, numbers: Sequence[int], readers: ThreadPoolExecutor
    ) -> dict[int, _Read]:
        reads: dict[int, _Read] = {}
        for run in _runs(recipe, self._needed(recipe, numbers)):
            first, last = recipe.pieces[run[0]], recipe.pieces[run[-1]]
            span = Span(first.offset, last.offset + last.stored - first.offset)
            future = readers.submit(self._get, first, span)
            for number in run:
                begin = recipe.pieces[number].offset - first.offset
                reads[number] = _Read(future, begin, begin + recipe.pieces[number].stored)
        return reads

    def _needed(self, recipe: Recipe, numbers: Sequence[int]) -> set[int]:
        """Return which stored pieces must be read, with all that they are coded against."""
        needed: set[int] = set()
        todo = list(numbers)
        while todo:
            number = todo.pop()
            if number not in needed and self.known.find(recipe.pieces[number]) is None:
                needed.add(number)
                todo += recipe.pieces[number].bases
        return needed

    def _get(self, piece: Piece, span: Span) -> bytes:
        name = pack_name(piece.pack)
        try:
            return self.store.get(name, span)
        except (NotFound, BadInput) as error:
            raise DamagedObject(name=name, found=str(error), expected=piece.sha256) from error

    def _make(self, recipe: Recipe, job: _Job, out: int) -> _Made:
        made = self._decode(recipe, job.number, job.reads)
        write_at(out, made.data, job.offset)
        return made

    def _decode(self, recipe: Recipe, number: int, reads: Mapping[int, _Read]) -> _Made:
        piece = recipe.pieces[number]
        if (there := self.known.find(piece)) is not None:
            return _Made(there)
        bases = [self._decode(recipe, base, reads) for base in piece.bases]
        run, begin, end = reads[number]
        stored = memoryview(run.result())[begin:end]
        if piece.codec == "raw":
            return _Made(stored)
        room = self.buffers.take(piece.size)
        data = decode(piece.codec, stored, piece.size, [base.data for base in bases], room)
        for base in bases:
            self.buffers.give(base.room)
        return _Made(data, room)

    def _blame(self, found: str) -> DamagedObject:
        """Return what is damaged: a piece in a pack, else what lay here already."""
        pieces = Pieces(self.store, self.recipe)
        for number in self.recipe.order:
            try:
                pieces.read(number)
            except DamagedObject as error:
                return error
        if self.known.used:
            raise Stale(found)
        return DamagedObject(
            name=f"the recipe of {self.file.path}", found=found, expected=self.file.blake3
        )


def _size(job: _Job) -> int:
    return job.size


def _batches(recipe: Recipe) -> Iterator[list[tuple[int, int]]]:
    """Yield pieces with their offsets in the file, some megabytes together."""
    batch: list[tuple[int, int]] = []
    at = begun = 0
    for number in recipe.order:
        batch.append((number, at))
        at += recipe.pieces[number].size
        if at - begun >= _BATCH:
            yield batch
            batch, begun = [], at
    if batch:
        yield batch


def _runs(recipe: Recipe, numbers: set[int]) -> Iterator[list[int]]:
    """Yield the pieces that follow one another in a pack, together."""
    pieces, run = recipe.pieces, list[int]()
    for number in sorted(numbers, key=lambda one: (pieces[one].pack, pieces[one].offset)):
        if run:
            last = pieces[run[-1]]
            if (last.pack, last.offset + last.stored) != (
                pieces[number].pack,
                pieces[number].offset,
            ):
                yield run
                run = []
        run.append(number)
    if run:
        yield run
