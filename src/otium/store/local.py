"""A directory as a store, with durable writes.

The usual libraries rename without fsync, and then a power cut leaves names without bytes
(measured: docs/explanation/durability.md). Here every write is: temporary file, fsync,
link or rename, fsync of the directory; and whoever finds a name already there settles it
before relying on it, since its writer may have died before he did.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from otium.errors import BadInput, CannotStore, Exists, NotFound
from otium.store.disk import Disk, Entry, Opened, Spooled, SystemDisk
from otium.store.protocol import Buffer, Span, check_name, check_span, content_name

_TEMPORARY = ".tmp"
_GATHER = 1 << 20
_WINDOW = 32 << 20


class LocalStore:
    """A directory in which each name is a file. Any number of processes may write to it."""

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        """Use *root* on *disk* (this machine's); the directory is made on the first write."""
        self.root = Path(root)
        self._disk: Disk = SystemDisk() if disk is None else disk
        self._settled: set[Path] = set()
        self._doubt: Path | None = None

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        target = self._path(name)
        with self._spool() as spool:
            spool.write(data)
            if not self._link(spool, target):
                raise Exists(name=name)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        sha = hashlib.sha256()
        with self._spool() as spool:
            for chunk in chunks:
                sha.update(chunk)
                spool.write(chunk)
            self._link(spool, self._path(content_name(folder, sha.hexdigest(), suffix)))
        return sha.hexdigest()

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*, atomically."""
        target = self._path(name)
        with self._spool() as spool, self._folder(target.parent) as folder:
            spool.write(data)
            spool.settle()
            # The spool keeps its name until all is settled: it tells of a writer who died.
            self._disk.link(spool.path, spool.second)
            spool.doubtful = True
            self._disk.rename(spool.second, target)
            self._disk.sync(folder)
            spool.doubtful = False

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        with self._opened(name) as (handle, size):
            offset, length = check_span(name, span) if span else (0, size)
            if offset + length > size:
                raise BadInput(what=f"{name} bytes {offset}+{length}", why="past the end")
            return self._read(handle, offset, length)

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        with self._opened(name) as opened:
            return opened.size

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        yield from self._names("", prefix)

    def sweep(self) -> None:
        """Remove what writers that died left behind; a living writer's files are let be.

        What the dead had named but not yet settled is settled first, so that whoever sees it
        may rely on it.
        """
        spooled = [self.root / _TEMPORARY / entry.name for entry in self._scan(_TEMPORARY)]
        dead = [path for path in spooled if self._disk.is_abandoned(path)]
        if dead:
            self._disk.sync_all(self.root)
        for path in dead:
            with suppress(FileNotFoundError):
                self._disk.unlink(path)

    def _path(self, name: str) -> Path:
        return self.root / check_name(name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Opened]:
        try:
            opened = self._disk.open(self._path(name))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(what=name) from error
        try:
            yield opened
        finally:
            self._disk.close(opened.handle)

    def _read(self, handle: int, offset: int, length: int) -> bytes:
        data = self._disk.read(handle, offset, length)
        if len(data) == length:
            return data  # nearly always: a system call ends early beyond 2 GiB
        parts = [data]
        while data and (done := sum(map(len, parts))) < length:
            data = self._disk.read(handle, offset + done, length - done)
            parts.append(data)
        if not data:
            raise OSError(errno.EIO, "the file ended while it was read")
        return b"".join(parts)

    def _names(self, folder: str, prefix: str) -> Iterator[str]:
        visible = (one for one in self._scan(folder) if not one.name.startswith("."))
        for name in sorted(folder + one.name + "/" * one.is_folder for one in visible):
            if not name.endswith("/"):
                if name.startswith(prefix):
                    yield name
            elif name.startswith(prefix) or prefix.startswith(name):
                yield from self._names(name, prefix)

    def _scan(self, folder: str) -> Sequence[Entry]:
        try:
            return self._disk.scan(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def _spool(self) -> Iterator[_Spool]:
        if self._doubt:
            raise CannotStore(
                path=self._doubt, why="the disk has failed to settle a name in it; check the disk"
            )
        self._make(self.root)
        self._mkdir(self.root / _TEMPORARY)
        spool = _Spool(self._disk, self._disk.spool(self.root / _TEMPORARY))
        try:
            yield spool
        finally:
            # A name was given, and that it lasts was not confirmed: never retry and trust.
            if spool.doubtful:
                self._doubt = self.root
            spool.end()

    def _link(self, spool: _Spool, target: Path) -> bool:
        """Give the bytes a name that lasts; return whether it was free. If not, it lasts too."""
        with self._folder(target.parent) as folder:
            free = not self._is_there(target)
            if free:
                spool.settle()
                free = self._name(spool, target)
            self._disk.sync(folder)
            spool.doubtful = False
        return free

    def _name(self, spool: _Spool, target: Path) -> bool:
        spool.doubtful = True
        try:
            self._disk.link(spool.path, target)
        except OSError as error:
            spool.doubtful = False
            if not isinstance(error, FileExistsError):
                raise
            return False
        return True

    def _is_there(self, path: Path) -> bool:
        try:
            self._disk.close(self._disk.open(path).handle)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _folder(self, path: Path) -> Iterator[int]:
        """Open a folder, made if need be, before a name is put in it.

        Its fsync then tells of all that failed since; and there is a handle left for it.
        """
        self._make(path)
        handle = self._disk.open_folder(path)
        try:
            yield handle
        finally:
            self._disk.close(handle)

    def _make(self, folder: Path) -> None:
        """Make *folder* and settle its name, whoever made it: he may have died before he did."""
        there = self._disk.is_folder(folder)
        if there and folder in self._settled:
            return
        inside = self.root in folder.parents
        if inside or not there:
            self._make(folder.parent)
        try:
            above = self._disk.open_folder(folder.parent)
        except PermissionError:
            if inside or not there:
                raise
            self._disk.sync_all(folder)  # what lies above the root need not be ours to open
        else:
            try:
                self._mkdir(folder)
                self._disk.sync(above)
            finally:
                self._disk.close(above)
        self._settled.add(folder)

    def _mkdir(self, folder: Path) -> None:
        if self._disk.is_folder(folder):
            return
        with suppress(FileExistsError):
            self._disk.mkdir(folder)
        if not self._disk.is_folder(folder):
            raise BadInput(what=f"{folder}", why="it is a file, so nothing lies in it")


class _Spool:
    """A temporary file on its way to a name: small chunks are gathered, the disk is kept busy."""

    def __init__(self, disk: Disk, spooled: Spooled) -> None:
        self.disk = disk
        self.handle, self.path = spooled
        self.second = self.path.with_name(f"{self.path.name}.new")
        self.doubtful = False
        self.gathered = bytearray()
        self.written = self.drained = 0

    def write(self, data: Buffer) -> None:
        if not (view := memoryview(data)).nbytes:
            return  # what has no bytes may have a shape that cannot be cast
        view = view.cast("B")
        if len(view) + len(self.gathered) < _GATHER:
            self.gathered += view
            return
        self._flush()
        for start in range(0, len(view), _WINDOW):
            self._put(view[start : start + _WINDOW])

    def settle(self) -> None:
        """Make the bytes last, and drop them from memory, so that reading back meets the disk."""
        self._flush()
        self.disk.sync(self.handle)
        self.disk.drain(self.handle, 0, 0)

    def end(self) -> None:
        """Close the file and remove its temporary name, unless it tells of a doubtful write."""
        with suppress(OSError):  # what was to last has been settled; sweep() removes the rest
            self.disk.close(self.handle)
        for path in () if self.doubtful else (self.second, self.path):
            with suppress(OSError):
                self.disk.unlink(path)

    def _flush(self) -> None:
        gathered, self.gathered = self.gathered, bytearray()
        self._put(memoryview(gathered))

    def _put(self, view: memoryview) -> None:
        while view:
            count = self.disk.write(self.handle, view)
            if not count:
                raise OSError(errno.EIO, "nothing was written", str(self.path))
            view = view[count:]
            self.written += count
        if self.written - self.drained >= _WINDOW:
            self.disk.drain(self.handle, self.drained, self.written - self.drained)
            self.drained = self.written
