"""What the local store asks of an operating system: the seam under its durable writes.

``otium.testing.SimulatedDisk`` loses power on demand and keeps the same promises, and no more.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Spooled(NamedTuple):
    """A temporary file being written: its open *handle* and its *path*."""

    handle: int
    path: Path


class Opened(NamedTuple):
    """A regular file open for reading: its *handle* and its *size* in bytes."""

    handle: int
    size: int


class Entry(NamedTuple):
    """A name in a folder."""

    name: str
    is_folder: bool


class Disk(Protocol):
    """A file system. Every act raises OSError if it fails.

    Only ``sync`` and ``sync_all`` make anything last: of a file its bytes, of a folder the
    names in it. What they were not asked for may survive a power cut in part, or not at all.
    """

    def spool(self, folder: Path) -> Spooled:
        """Create a temporary file in *folder*, marked as in use for as long as it is open."""
        ...

    def write(self, handle: int, data: memoryview) -> int:
        """Write *data* or its beginning after what is there; return the number of bytes."""
        ...

    def drain(self, handle: int, offset: int, length: int) -> None:
        """Begin to write these bytes out, and drop those that are out from memory."""
        ...

    def sync(self, handle: int) -> None:
        """Make the bytes of an open file, or the names in an open folder, last."""
        ...

    def open(self, path: Path) -> Opened:
        """Open a regular file for reading; raise IsADirectoryError for anything else."""
        ...

    def open_folder(self, path: Path) -> int:
        """Open a folder, for ``sync``."""
        ...

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; none at the end of the file."""
        ...

    def close(self, handle: int) -> None:
        """Close a handle."""
        ...

    def link(self, old: Path, new: Path) -> None:
        """Give a file one more name; raise FileExistsError if that is taken."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Move a name, over what *new* was before, atomically."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        ...

    def mkdir(self, path: Path) -> None:
        """Make a folder; raise FileExistsError if the name is taken."""
        ...

    def is_folder(self, path: Path) -> bool:
        """Tell whether there is a folder at *path*."""
        ...

    def scan(self, folder: Path) -> list[Entry]:
        """Return the names in *folder*, in any order."""
        ...

    def is_abandoned(self, path: Path) -> bool:
        """Tell whether a spooled file's writer has closed it or died."""
        ...

    def sync_all(self, path: Path) -> None:
        """Make everything on the file system of the folder at *path* last."""
        ...


class SystemDisk:
    """The disk of this machine, by its system calls."""

    def spool(self, folder: Path) -> Spooled:
        """Create a temporary file, locked by the kernel until it is closed or its writer dies."""
        while True:
            path = folder / secrets.token_hex(8)
            handle = os.open(path, _NEW, 0o600)
            # A sweeper may have come between the creation and the lock, and removed it.
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_nlink:
                    os.fchmod(handle, 0o644)
                    return Spooled(handle, path)
            os.close(handle)

    def write(self, handle: int, data: memoryview) -> int:
        """Write *data* or its beginning; return the number of bytes."""
        return os.write(handle, data)

    def drain(self, handle: int, offset: int, length: int) -> None:
        """Begin to write these bytes out, and drop those that are out from memory."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(handle, offset, length, os.POSIX_FADV_DONTNEED)

    def sync(self, handle: int) -> None:
        """Make an open file or folder last, beyond the cache of the drive itself."""
        if _FULL_SYNC is None:
            os.fsync(handle)
        else:
            fcntl.fcntl(handle, _FULL_SYNC)

    def open(self, path: Path) -> Opened:
        """Open a regular file for reading; raise IsADirectoryError for anything else."""
        # Without waiting: a pipe that lies where a file should be must not hold us up.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise IsADirectoryError(path)
        return Opened(handle, found.st_size)

    def open_folder(self, path: Path) -> int:
        """Open a folder, for ``sync``."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        return os.pread(handle, length, offset)

    def close(self, handle: int) -> None:
        """Close a handle."""
        os.close(handle)

    def link(self, old: Path, new: Path) -> None:
        """Give a file one more name; raise FileExistsError if that is taken."""
        os.link(old, new)

    def rename(self, old: Path, new: Path) -> None:
        """Move a name, over what *new* was before, atomically."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def mkdir(self, path: Path) -> None:
        """Make a folder; raise FileExistsError if the name is taken."""
        path.mkdir()

    def is_folder(self, path: Path) -> bool:
        """Tell whether there is a folder at *path*."""
        return path.is_dir()

    def scan(self, folder: Path) -> list[Entry]:
        """Return the names in *folder*; a link to a folder is not one."""
        with os.scandir(folder) as found:
            return [
                Entry(one.name, one.is_dir(follow_symlinks=False))
                for one in found
                if not (one.is_symlink() and one.is_dir())
            ]

    def is_abandoned(self, path: Path) -> bool:
        """Tell whether the kernel has freed the lock on a spooled file."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            return False
        return True

    def sync_all(self, path: Path) -> None:
        """Make everything on the file system of the folder at *path* last."""
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
            return
        handle = self.open_folder(path)
        try:
            if syncfs(handle):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(path))
        finally:
            os.close(handle)
