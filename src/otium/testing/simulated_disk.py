"""A disk in memory that loses power, and then keeps no more than it has to.

The rules are those of POSIX, which are weaker than those of any file system in use:

- Bytes of a file last from the ``sync`` of the file on; before, each write may be kept, lost,
  torn, or be there as zeros (its length without its bytes).
- A name lasts from the ``sync`` of its folder on; before, a power cut keeps either the first
  so many changes of names (as a journal does) or any of them. A rename is kept whole or not.
- A folder that was made is a name in the folder above it.

After ALICE (Pillai and others, OSDI 2014), which derived such rules from real file systems.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol, cast

from otium.store import Disk, Entry, Opened, Spooled

_ROOT = 0


class Watch(Protocol):
    """Whoever stands between a store and its disk."""

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        """Return what *act* returns for *arguments*, or raise, or do something else."""
        ...


class PowerCut(BaseException):
    """The power is gone, or the process is: nothing that it would still do happens."""


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    lasting: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)


class _Change(NamedTuple):
    """A name of *folder* that was given to *inode*, or removed."""

    folder: int
    name: str
    inode: int | None


@dataclass
class _Act:
    changes: tuple[_Change, ...]
    lasts: bool = False


_Names = dict[int, dict[str, int]]


class SimulatedDisk:
    """A file system in memory with a page cache, a journal of names, and power cuts."""

    def __init__(self) -> None:
        """Begin with an empty root folder."""
        self._files: dict[int, _File] = {}
        self._names: _Names = {_ROOT: {}}
        self._lasting: _Names = {_ROOT: {}}
        self._journal: list[_Act] = []
        self._handles: dict[int, int] = {}
        self._spooling: set[int] = set()
        self._numbers = itertools.count(1)

    def spool(self, folder: Path) -> Spooled:
        """Create a temporary file in *folder*, in use until it is closed or its writer dies."""
        inode = next(self._numbers)
        path = folder / f"spool-{inode}"
        self._files[inode] = _File()
        self._change((path, inode))
        handle = self._open(inode)
        self._spooling.add(handle)
        return Spooled(handle, path)

    def write(self, handle: int, data: memoryview) -> int:
        """Write *data* after what is there."""
        file = self._files[self._handles[handle]]
        file.pending.append((len(file.data), bytes(data)))
        file.data += data
        return len(data)

    def drain(self, handle: int, offset: int, length: int) -> None:
        """Promise nothing."""

    def sync(self, handle: int) -> None:
        """Make the bytes of a file, or the names in a folder, last."""
        inode = self._handles[handle]
        if inode in self._files:
            _settle(self._files[inode])
        for act in self._journal:
            act.lasts |= any(change.folder == inode for change in act.changes)
        while self._journal and self._journal[0].lasts:
            _apply(self._journal.pop(0), self._lasting)

    def fail_sync(self, handle: int) -> None:
        """Fail as kernels do: what was to last is dropped, and the next ``sync`` will not tell."""
        file = self._files.get(self._handles[handle])
        if file is not None:
            file.pending.clear()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open(self, path: Path) -> Opened:
        """Open a file for reading."""
        inode = self._find(path)
        if inode not in self._files:
            raise _error(errno.EISDIR, path)
        return Opened(self._open(inode), len(self._files[inode].data))

    def open_folder(self, path: Path) -> int:
        """Open a folder."""
        inode = self._find(path)
        if inode in self._files:
            raise _error(errno.ENOTDIR, path)
        return self._open(inode)

    def read(self, handle: int, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        return bytes(self._files[self._handles[handle]].data[offset : offset + length])

    def close(self, handle: int) -> None:
        """Close a handle."""
        del self._handles[handle]
        self._spooling.discard(handle)

    def link(self, old: Path, new: Path) -> None:
        """Give a file one more name."""
        inode = self._find(old)
        if new.name in self._folder(new.parent)[1]:
            raise _error(errno.EEXIST, new)
        self._change((new, inode))

    def rename(self, old: Path, new: Path) -> None:
        """Move a name, unless both are names of one file: then nothing is done, as POSIX has it."""
        self._folder(old.parent)
        names = self._folder(new.parent)[1]
        inode = self._find(old)
        if names.get(new.name) != inode:
            self._change((new, inode), (old, None))

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        self._find(path)
        self._change((path, None))

    def mkdir(self, path: Path) -> None:
        """Make a folder."""
        if path.name in self._folder(path.parent)[1]:
            raise _error(errno.EEXIST, path)
        inode = next(self._numbers)
        self._names[inode], self._lasting[inode] = {}, {}
        self._change((path, inode))

    def is_folder(self, path: Path) -> bool:
        """Tell whether there is a folder at *path*."""
        try:
            return self._find(path) not in self._files
        except (FileNotFoundError, NotADirectoryError):
            return False

    def scan(self, folder: Path) -> list[Entry]:
        """Return the names in *folder*."""
        names = self._folder(folder)[1]
        return [Entry(name, inode not in self._files) for name, inode in names.items()]

    def is_abandoned(self, path: Path) -> bool:
        """Tell whether a spooled file's writer has closed it or died."""
        inode = self._find(path)
        return all(self._handles[handle] != inode for handle in self._spooling)

    def sync_all(self, path: Path) -> None:
        """Make everything last."""
        self._find(path)
        for file in self._files.values():
            _settle(file)
        self._keep(self._journal)

    def is_file(self, handle: int) -> bool:
        """Tell whether *handle* is of a file, rather than a folder."""
        return self._handles[handle] in self._files

    def end_processes(self) -> None:
        """Let all processes die: nothing stays open, and what the kernel has, it has."""
        self._handles.clear()
        self._spooling.clear()

    def cut_power(self, random: Random) -> None:
        """Lose what does not last, as *random* will have it, and start again."""
        self.end_processes()
        count = len(self._journal)
        if random.choice(("a journal", "no order")) == "a journal":
            chosen = set(range(random.randint(0, count)))
        else:
            chosen = set(random.sample(range(count), random.randint(0, count)))
        self._keep([act for n, act in enumerate(self._journal) if act.lasts or n in chosen])
        self._names = {folder: dict(names) for folder, names in self._lasting.items()}
        for file in self._files.values():
            if file.pending:
                file.lasting = _torn(file, random)
            file.data, file.pending = bytearray(file.lasting), []

    def _keep(self, acts: list[_Act]) -> None:
        for act in acts:
            _apply(act, self._lasting)
        self._journal = []

    def _change(self, *changes: tuple[Path, int | None]) -> None:
        act = _Act(tuple(_Change(self._folder(p.parent)[0], p.name, inode) for p, inode in changes))
        _apply(act, self._names)
        self._journal.append(act)

    def _open(self, inode: int) -> int:
        handle = next(self._numbers)
        self._handles[handle] = inode
        return handle

    def _folder(self, path: Path) -> tuple[int, dict[str, int]]:
        inode = self._find(path)
        if inode in self._files:
            raise _error(errno.ENOTDIR, path)
        return inode, self._names[inode]

    def _find(self, path: Path) -> int:
        inode = _ROOT
        for part in path.parts[1:]:
            if inode in self._files:
                raise _error(errno.ENOTDIR, path)
            if part not in self._names[inode]:
                raise _error(errno.ENOENT, path)
            inode = self._names[inode][part]
        return inode


def watched(disk: Disk, watch: Watch) -> Disk:
    """Return *disk* with each act led through *watch*.

    What *watch* does not call does not happen, and what it raises is what the disk raises.
    """
    return cast("Disk", _Watched(disk, watch))


class _Watched:
    def __init__(self, disk: Disk, watch: Watch) -> None:
        self._disk, self._watch = disk, watch

    def __getattr__(self, name: str) -> Callable[..., object]:
        act = getattr(self._disk, name)
        return lambda *arguments: self._watch(name, act, *arguments)


def _settle(file: _File) -> None:
    for offset, data in file.pending:
        _put(file.lasting, offset, data)
    file.pending.clear()


def _torn(file: _File, random: Random) -> bytearray:
    """Return what a power cut leaves of a file with bytes that were not settled."""
    left = bytearray(file.lasting)
    for offset, data in file.pending:
        fate = random.choice(("lost", "kept", "torn", "zeros"))
        if fate == "kept":
            _put(left, offset, data)
        elif fate == "torn":
            _put(left, offset, data[: random.randint(0, len(data))])
        elif fate == "zeros":
            _put(left, offset, bytes(len(data)))
    return left


def _put(data: bytearray, offset: int, new: bytes) -> None:
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(new)] = new


def _apply(act: _Act, names: _Names) -> None:
    for folder, name, inode in act.changes:
        if inode is None:
            names[folder].pop(name, None)
        else:
            names[folder][name] = inode


def _error(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))
