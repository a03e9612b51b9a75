"""From an archived model to a directory of its files that an engine can map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from otium.archive import Archive, File, Manifest, OpenFile, Recipe, load_recipe, weights_digest
from otium.errors import CannotStore, DamagedObject, NotFound, NotMaterialised
from otium.records import ModelId, Progress, silent
from otium.revival.cache import Shelf
from otium.revival.ours import Busy, at_once
from otium.revival.reading import copy_verified
from otium.revival.streaming import Known, Stale, Stream

_LARGE = 1 << 20
_TRIES = 3
_FREE = Path("/proc/meminfo")


@dataclass(frozen=True, kw_only=True)
class Cache:
    """Where materialised models lie.

    On *disk*, as stock files: the raw tier. With *memory* (a directory of a tmpfs that is ours
    alone) a model goes there instead where all of them take *most_in_memory* bytes at the most,
    read straight from the raw tier if it is there and decoded from the archive if not; the models
    that were asked for least lately, and that nobody uses, make room.
    """

    disk: Path
    memory: Path | None = None
    most_in_memory: int = 0
    limit: float | None = None
    """Seconds that bringing a model out may take."""

    def shelves(self) -> list[Shelf]:
        """Return all places where a file may lie; raise CannotStore if memory is not ours."""
        disk = Shelf(self.disk)
        return [disk] if self.memory is None else [Shelf(self.memory, self.most_in_memory), disk]

    def places(self, manifest: Manifest) -> list[Shelf]:
        """Return where a model may go, the best first."""
        *memory, disk = self.shelves()
        return [*(one for one in memory if self._may_fit(one, manifest)), disk]

    def _may_fit(self, memory: Shelf, manifest: Manifest) -> bool:
        """Return whether a model is in memory or may go there, if others make room."""
        if memory.ready(manifest):
            return True
        new = sum(file.size for file in manifest.files if not memory.holds(file))
        return _size(manifest) <= self.most_in_memory and new <= _available() // 2


@contextmanager
def materialised(
    archive: Archive,
    model: ModelId,
    cache: Path | Cache,
    progress: Progress = silent,
    *,
    manifest: Manifest | None = None,
) -> Iterator[Path]:
    """Yield a directory in *cache* with the model's files, brought out if they are not there.

    Until the block ends nobody drops them to make room. A file is served only when its digest has
    been verified, in the pass that wrote it; a wrong byte leaves nothing behind. Files that other
    models here share, and pieces of their files against which new ones are coded, are taken from
    where they lie. Files that are there are used again if neither size nor time of change differs
    from what was seen in this boot, and *progress* hears of it. Several processes may ask at once.

    *manifest* is what the ledger vouches for; without one the archive is believed. Raises
    DamagedObject, CannotStore where it does not fit or the memory is not ours, NotMaterialised
    after the cache's time limit.
    """
    cache = Cache(disk=cache) if isinstance(cache, Path) else cache
    manifest = manifest or archive.manifest(model)
    named = weights_digest((file.path, file.sha256) for file in manifest.files)
    if named != manifest.weights:
        raise DamagedObject(
            name=f"manifest.json of {model}", found=named, expected=manifest.weights
        )
    way = _Way(archive, manifest, cache, progress)
    *better, last = cache.places(manifest)
    for shelf in better:
        with shelf.used_by_us(manifest):
            try:
                folder = way.to(shelf)
            except CannotStore:  # who uses what is there leaves no room: then it goes elsewhere
                continue
            yield folder
            return
    with last.used_by_us(manifest):
        yield way.to(last)


def materialise(
    archive: Archive,
    model: ModelId,
    cache: Path | Cache,
    progress: Progress = silent,
    *,
    manifest: Manifest | None = None,
) -> Path:
    """Return what `materialised` yields; from memory it may be dropped at any time."""
    with materialised(archive, model, cache, progress, manifest=manifest) as folder:
        return folder


class _Way:
    """One model on its way out of the archive."""

    def __init__(
        self, archive: Archive, manifest: Manifest, cache: Cache, progress: Progress
    ) -> None:
        self.archive, self.manifest, self.cache = archive, manifest, cache
        self.shelves = cache.shelves()
        self.progress, self.done, self.total = progress, 0, _size(manifest)
        self.until = None if cache.limit is None else time.monotonic() + cache.limit
        self.known = Known()
        self.learned: set[Path] = set()

    def to(self, shelf: Shelf) -> Path:
        """Return the model's directory on a shelf, brought there if it is not."""
        if shelf.ready(self.manifest):
            self.progress("cached", self.total, self.total)
            folder = shelf.folder(self.manifest)
            with suppress(OSError):
                folder.touch()
            return folder
        with shelf.bringing(self.manifest):
            for _ in range(_TRIES):
                self._bring(shelf)
                with suppress(FileNotFoundError):  # a model that shares a file was dropped just now
                    return shelf.gather(self.manifest)
        raise CannotStore(path=shelf.root, why="others drop files as fast as they are brought out")

    def _bring(self, shelf: Shelf) -> None:
        """Put each file that is not there on the shelf."""
        self.done = 0
        for file in self.manifest.files:
            before = self.done
            with shelf.taking(file, self._in_time):
                if not shelf.holds(file) and not shelf.settle(file, self._tell("check")):
                    self.done = before
                    if not self._raw(file, shelf):
                        self._decode(file, shelf)
            self.done = before + file.size

    def _raw(self, file: File, shelf: Shelf) -> bool:
        """Take a file from another shelf, where it lies as it was deposited."""
        for other in self.shelves:
            if other.root == shelf.root or not other.place(file).is_file():
                continue
            before = self.done
            try:
                with shelf.fresh(file, other.packs(file)) as out:
                    copy_verified(other.place(file), file.blake3, out, self._tell("read"))
            except DamagedObject:
                with suppress(Busy), other.taking(file, at_once):
                    other.discard(file)
                self.done = before
            except OSError:  # it went just now, say: no fault of its bytes
                self.done = before
            else:
                return True
        return False

    def _decode(self, file: File, shelf: Shelf) -> None:
        """Bring a file out of the archive; without what lies here, should that be wrong."""
        before, recipe = self.done, OpenFile(self.archive.store, file).recipe
        self._learn(recipe)
        try:
            self._stream(file, recipe, self.known, shelf)
        except Stale:
            for path in self.known.used:
                shelf.doubt(path)
            self.done = before
            self._stream(file, recipe, Known(), shelf)

    def _stream(self, file: File, recipe: Recipe, known: Known, shelf: Shelf) -> None:
        with shelf.fresh(file, _packs(recipe)) as out:
            Stream(self.archive.store, file, recipe, known).into(out, self._tell("restore"))

    def _in_time(self) -> None:
        if self.until is not None and time.monotonic() > self.until:
            done = f"{self.done:,} of {self.total:,} bytes were there after {self.cache.limit:g} s"
            raise NotMaterialised(model=self.manifest.model, why=done)

    def _tell(self, stage: str) -> Callable[[int], None]:
        def tell(count: int) -> None:
            self.done += count
            self.progress(stage, min(self.done, self.total), self.total)
            self._in_time()

        return tell

    def _learn(self, recipe: Recipe) -> None:
        """Find out which pieces lie here already, in large files that share a pack with a new one.

        The recipes of all others are not read: that would be one request to the archive for each.
        """
        packs, ours = {*_packs(recipe)}, {file.sha256 for file in self.manifest.files}
        for path, seen in (one for shelf in self.shelves for one in shelf.verified()):
            if seen.size < _LARGE or path.name in ours or path in self.learned:
                continue
            if packs.isdisjoint(seen.packs):
                continue
            self.learned.add(path)
            with suppress(NotFound, DamagedObject):  # another archive's
                self.known.learn(load_recipe(self.archive.store, seen.recipe), path)


def _packs(recipe: Recipe) -> tuple[str, ...]:
    return tuple(sorted({piece.pack for piece in recipe.pieces}))


def _size(manifest: Manifest) -> int:
    return sum(file.size for file in manifest.files)


def _available() -> int:
    """Return how many bytes of memory the system can give; unlimited where it does not say."""
    try:
        lines = dict(line.split(":", 1) for line in _FREE.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return 1 << 62
