"""From an archived model to a directory of its files that an engine can map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from otium.archive import Archive, File, Manifest, load_recipe
from otium.errors import DamagedObject, NotFound, NotMaterialised
from otium.records import ModelId, Progress, silent
from otium.revival.cache import Shelf
from otium.revival.reading import copy_verified
from otium.revival.streaming import Known, Stale, Stream

_LARGE = 1 << 20
_FREE = Path("/proc/meminfo")


@dataclass(frozen=True, kw_only=True)
class Cache:
    """Where materialised models lie.

    On *disk*, as stock files: the raw tier. With *memory* (a directory of a tmpfs, below
    ``/dev/shm``) a model of at most *most_in_memory* bytes goes there instead, read straight
    from the raw tier if it is there and decoded from the archive if not; the models that were
    asked for least lately make room.
    """

    disk: Path
    memory: Path | None = None
    most_in_memory: int = 0
    limit: float | None = None
    """Seconds that bringing a model out may take."""

    def shelf(self, manifest: Manifest) -> Shelf:
        """Return where a model goes."""
        size = sum(file.size for file in manifest.files)
        if self.memory is None or size > min(self.most_in_memory, _available() // 2):
            return Shelf(self.disk)
        shelf = Shelf(self.memory)
        if not shelf.ready(manifest):
            for old in shelf.models():
                if shelf.used() + size <= self.most_in_memory:
                    break
                shelf.drop(old)
        return shelf

    def shelves(self) -> list[Shelf]:
        """Return all places where a file may lie already."""
        return [Shelf(place) for place in (self.memory, self.disk) if place is not None]


def materialise(
    archive: Archive, model: ModelId, cache: Path | Cache, progress: Progress = silent
) -> Path:
    """Return a directory in *cache* with the model's files, brought out if they are not there.

    A file is served only when its digest has been verified, in the pass that wrote it; a wrong
    byte leaves nothing behind. Files that other models here share, and pieces of their files
    against which new ones are coded, are taken from where they lie. Files that are there are used
    again if neither size nor time of change differs from what was seen in this boot, and
    *progress* hears of it. Several processes may ask at once. Raises DamagedObject, CannotStore
    where it does not fit, NotMaterialised after the cache's time limit.
    """
    cache = Cache(disk=cache) if isinstance(cache, Path) else cache
    manifest = archive.manifest(model)
    shelf = cache.shelf(manifest)
    if shelf.ready(manifest):
        total = sum(file.size for file in manifest.files)
        progress("weights in the cache, used again", total, total)
        folder = shelf.folder(manifest)
        with suppress(OSError):
            folder.touch()
        return folder
    _Way(archive, manifest, cache=cache, shelf=shelf, progress=progress).bring()
    return shelf.gather(manifest)


class _Way:
    """One model on its way to a shelf."""

    def __init__(
        self,
        archive: Archive,
        manifest: Manifest,
        *,
        cache: Cache,
        shelf: Shelf,
        progress: Progress,
    ) -> None:
        self.archive, self.manifest, self.cache, self.shelf = archive, manifest, cache, shelf
        self.progress, self.done = progress, 0
        self.total = sum(file.size for file in manifest.files)
        self.until = None if cache.limit is None else time.monotonic() + cache.limit

    def bring(self) -> None:
        """Put each file that is not there on the shelf."""
        known: Known | None = None
        for file in self.manifest.files:
            before = self.done
            with self.shelf.taking(file):
                if not self.shelf.holds(file) and not self.shelf.settle(file, self._tell("check")):
                    self.done = before
                    if not self._raw(file):
                        known = known or self._known()
                        self._decode(file, known)
            self.done = before + file.size

    def _raw(self, file: File) -> bool:
        """Take a file from another shelf, where it lies as it was deposited."""
        for other in self.cache.shelves():
            if other.root == self.shelf.root or not other.place(file).is_file():
                continue
            before = self.done
            try:
                with self.shelf.fresh(file) as out:
                    copy_verified(other.place(file), file.blake3, out, self._tell("read"))
            except (DamagedObject, FileNotFoundError):
                other.discard(file)
                self.done = before
            else:
                return True
        return False

    def _decode(self, file: File, known: Known) -> None:
        """Bring a file out of the archive; without what lies here, should that be wrong."""
        before = self.done
        try:
            self._stream(file, known)
        except Stale:
            for path in known.used:
                self.shelf.doubt(path)
            self.done = before
            self._stream(file, Known())

    def _stream(self, file: File, known: Known) -> None:
        with self._named(), self.shelf.fresh(file) as out:
            Stream(self.archive.store, file, known, self.until).into(out, self._tell("restore"))

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except NotMaterialised as error:
            limit = self.cache.limit or 0
            done = f"{self.done:,} of {self.total:,} bytes were there after {limit:g} s"
            raise NotMaterialised(model=self.manifest.model, why=done) from error

    def _tell(self, stage: str) -> Callable[[int], None]:
        def tell(count: int) -> None:
            self.done += count
            self.progress(stage, min(self.done, self.total), self.total)

        return tell

    def _known(self) -> Known:
        """Return the pieces that lie here already, in large files brought out before."""
        known = Known()
        for shelf in self.cache.shelves():
            for path, recipe in shelf.recipes(_LARGE):
                with suppress(NotFound, DamagedObject):  # another archive's
                    known.learn(load_recipe(self.archive.store, recipe), path)
        return known


def _available() -> int:
    """Return how many bytes of memory the system can give; unlimited where it does not say."""
    try:
        lines = dict(line.split(":", 1) for line in _FREE.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return 1 << 62
