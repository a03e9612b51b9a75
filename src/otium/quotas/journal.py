"""What a gateway has used of its leases, where kill -9 does not reach it.

A file in memory shared with the kernel: a number written there costs under a microsecond and
outlives its process, though not its machine. Whoever comes next on this machine reads it, gives
back exactly what was not used, and removes it. A file is alive while its process holds its lock.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SLOT = struct.Struct("<32sq")
"""A lease's id, and what was charged to it. All zero: free."""
_CHARGED = struct.Struct("<q")
_ID_SIZE = 32
_GROWTH = 256
_SUFFIX = ".leases"


class Journal:
    """The slots of one process, a lease in each. Its owner locks it."""

    def __init__(self, folder: Path | None, holder: str) -> None:
        """Begin the file of *holder* in *folder*; without a folder, forget everything."""
        self._path = folder / f"{holder}{_SUFFIX}" if folder else None
        self._free: list[int] = []
        self._size = 0
        self._map: mmap.mmap | None = None
        self._file = -1
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            hidden = self._path.with_suffix(".new")  # no reader sees it before it is locked
            self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._grow()
            hidden.rename(self._path)

    def open(self, lease: str, charged: int) -> int:
        """Begin a slot for a lease, before anything is charged to it; return its place."""
        if self._map is None:
            return -1
        if not self._free:
            self._grow()
        place = self._free.pop()
        # The number first: a lease whose id is not here yet has been charged nothing.
        _CHARGED.pack_into(self._map, place + _ID_SIZE, charged)
        self._map[place : place + _ID_SIZE] = lease.encode().ljust(_ID_SIZE, b"\0")
        return place

    def write(self, place: int, charged: int) -> None:
        """Note what was charged to the lease of a slot."""
        if place >= 0:
            _CHARGED.pack_into(self._map, place + _ID_SIZE, charged)  # type: ignore[arg-type]

    def close_slot(self, place: int) -> None:
        """Free a slot whose lease was given back."""
        if place >= 0 and self._map is not None:
            self._map[place : place + _SLOT.size] = bytes(_SLOT.size)
            self._free.append(place)

    def close(self) -> None:
        """Remove the file: every lease was given back."""
        if self._path is not None and self._map is not None:
            self._map.close()
            self._map = None
            self._path.unlink(missing_ok=True)
            os.close(self._file)

    def _grow(self) -> None:
        if self._map is not None:
            self._map.close()
        places = range(self._size, self._size + _GROWTH * _SLOT.size, _SLOT.size)
        self._size += _GROWTH * _SLOT.size
        os.ftruncate(self._file, self._size)
        self._map = mmap.mmap(self._file, self._size)
        self._free.extend(reversed(places))


@contextmanager
def _unless_alive(path: Path) -> Iterator[int | None]:
    """Yield the file if its process is dead, locked against others who would read it too."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    except BlockingIOError:
        yield None
    finally:
        os.close(file)


@contextmanager
def left_behind(path: Path) -> Iterator[dict[str, int] | None]:
    """Yield what a dead process charged, by lease; None if it lives, or was read by another.

    The file is removed when the block ends without an error.
    """
    with _unless_alive(path) as file:
        if file is None or not path.exists():
            yield None
            return
        data = path.read_bytes()
        slots = (_SLOT.unpack_from(data, place) for place in range(0, len(data), _SLOT.size))
        yield {name.rstrip(b"\0").decode(): charged for name, charged in slots if any(name)}
        path.unlink(missing_ok=True)


def dead_holders(folder: Path) -> list[Path]:
    """Return every journal in *folder*; whether its process is dead, `left_behind` says."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def holder_of(path: Path) -> str:
    """Return whose journal a file is."""
    return path.name.removesuffix(_SUFFIX)
