"""Folders that nobody vouches for: walked, read, digested and linked within bounds."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from otium.errors import BadLayout, RestoreTargetNotEmpty
from otium.exchange.records import Layout, OriginFile
from otium.formats import check_path, check_paths
from otium.records import Digest, Progress

CHUNK = 1 << 20
MOST_FILES = 100_000
DEEPEST = 200
"""Folders in one another: Python walks by recursion, which ends near 1000."""
_GIT = "git-sha1"


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far."""
        ...


@dataclass(frozen=True)
class Entry:
    """A file: the path that it has among the model's files, and where its bytes are."""

    path: str
    place: Path
    size: int


@dataclass
class Tally:
    """How far long work has come."""

    progress: Progress
    what: str
    total: int
    done: int = 0

    def add(self, count: int) -> None:
        """Say that *count* bytes more are done."""
        self.done += count
        self.progress(self.what, self.done, self.total)


@dataclass(frozen=True)
class Folder:
    """The root of a layout of other people's making."""

    root: Path
    layout: Layout

    def bad(self, why: str) -> BadLayout:
        """Return the error for a layout that does not hold together."""
        return BadLayout(path=self.root, layout=self.layout, why=why)

    def open(self, place: Path, size: int | None = None) -> BinaryIO:
        """Open a regular file, never through a link and never one of another *size*."""
        name = place.relative_to(self.root) if place.is_relative_to(self.root) else place.name
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.fdopen(os.open(place, flags), "rb")
        except OSError as error:
            raise self.bad(f"{name} cannot be read: {error.strerror}") from error
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or size not in {None, found.st_size}:
            file.close()
            kind = "a regular file" if size is None else f"a regular file of {size} bytes"
            raise self.bad(f"{name} is not {kind}")
        return file

    def read(self, place: Path, limit: int) -> bytes:
        """Return the bytes of a small file, at most *limit* of them."""
        with self.open(place) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise self.bad(f"{place.name} is longer than {limit} bytes")
        return data

    def text(self, place: Path, limit: int) -> str:
        """Return the text of a small file, which must be UTF-8 without a byte order mark."""
        try:
            text = self.read(place, limit).decode()
        except UnicodeDecodeError as error:
            raise self.bad(f"{place.name} is not UTF-8") from error
        if text.startswith("\ufeff"):
            raise self.bad(f"{place.name} begins with a byte order mark")
        return text

    def walk(self, top: Path, skip: Path | None = None) -> list[tuple[str, Path]]:
        """Return each file and link below *top* with its path, in order of path."""

        def fail(error: OSError) -> None:
            raise self.bad(f"{error.filename} cannot be read: {error.strerror}") from error

        found: list[tuple[str, Path]] = []
        for name, folders, files in os.walk(top, onerror=fail):
            folder = Path(name)
            if len(folder.relative_to(top).parts) > DEEPEST:
                raise self.bad(f"its folders are nested more than {DEEPEST} deep")
            links = [one for one in folders if (folder / one).is_symlink()]
            folders[:] = [one for one in folders if folder / one != skip]
            places = [folder / one for one in (*files, *links)]
            found += [(place.relative_to(top).as_posix(), place) for place in places]
            if len(found) > MOST_FILES:
                raise self.bad(f"it holds more than {MOST_FILES} files")
        check_paths(path for path, _ in found)
        return sorted(found)

    def entries(
        self, top: Path, *, links_into: Sequence[Path] = (), skip: Path | None = None
    ) -> list[Entry]:
        """Return each file below *top*; links may lead only into *links_into*."""
        return [self.entry(path, place, links_into) for path, place in self.walk(top, skip)]

    def entry(self, path: str, place: Path, links_into: Sequence[Path] = ()) -> Entry:
        """Return the file at *place*, which must be a regular file, or a link as in `entries`."""
        try:
            real = place.resolve(strict=True) if place.is_symlink() else place
            found = real.lstat()
        except (OSError, RuntimeError) as error:
            raise self.bad(f"{path} is a link that leads nowhere") from error
        if place.is_symlink() and not any(real.is_relative_to(one) for one in links_into):
            raise self.bad(f"{path} is a link that leads out of the model's files")
        if not stat.S_ISREG(found.st_mode):
            raise self.bad(f"{path} is not a file, or is a link to something else")
        return Entry(path, real, found.st_size)

    def verify(
        self, entries: Iterable[Entry], stated: Mapping[str, Sequence[str]], tally: Tally
    ) -> tuple[OriginFile, ...]:
        """Read each file once and compare it with all digests that are *stated* for its path.

        Raises BadLayout naming the file, what was found and what was stated.
        """
        return tuple(self._verify(one, stated.get(one.path, ()), tally) for one in entries)

    def _verify(self, entry: Entry, stated: Sequence[str], tally: Tally) -> OriginFile:
        wanted = tuple(sorted(set(stated)))
        names = {"sha256", *(one.partition(":")[0] for one in wanted)}
        hashes = {name: new_hash(name, entry.size) for name in names}
        with self.open(entry.place, entry.size) as file:
            for chunk in chunks(file):
                for one in hashes.values():
                    one.update(chunk)
                tally.add(len(chunk))
        found = {f"{name}:{one.hexdigest()}" for name, one in hashes.items()}
        for digest in wanted:
            if digest not in found:
                name = digest.partition(":")[0]
                was = f"{name}:{hashes[name].hexdigest()}"
                raise self.bad(f"{entry.path} is {was} where {digest} is stated")
        sha256 = Digest("sha256:" + hashes["sha256"].hexdigest())
        return OriginFile(path=entry.path, size=entry.size, sha256=sha256, stated=wanted)


def new_hash(name: str, size: int) -> Hash:
    """Return the hash that is called *name*; that of Git begins with the file's *size*."""
    if name == _GIT:
        return hashlib.new("sha1", b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(name, usedforsecurity=False)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file's bytes in bounded steps."""
    while chunk := file.read(CHUNK):
        yield chunk


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file one more name, or copy it where the file system offers no such link.

    Raises FileExistsError or NotADirectoryError if something is in the way.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise FileExistsError(target)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or the kernel protects files of other owners
        shutil.copyfile(source, target)


def model_files(files: Path) -> list[Entry]:
    """Return each file to export: those of a directory, or the one file, in order of path.

    Raises BadLayout, UnsafePath or BadDeposit as an import would.
    """
    root = files.resolve()
    folder = Folder(root, "plain")
    if root.is_dir():
        found = folder.entries(root, links_into=[root])
    else:
        check_path(files.name)
        found = [folder.entry(files.name, root)]
    if not found:
        raise folder.bad("it holds no files")
    return found


@contextmanager
def fresh(into: Path) -> Iterator[Path]:
    """Give a folder to fill, which gets the name *into* only when all is done and on disk.

    Raises RestoreTargetNotEmpty if something is there.
    """
    if into.is_symlink() or (into.exists() and (not into.is_dir() or any(into.iterdir()))):
        raise RestoreTargetNotEmpty(path=into)
    into.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        yield work
        work.chmod(0o755)
        _settle(work)
        work.rename(into)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _sync(into.parent)


def digests_of(entry: Entry, names: Iterable[str]) -> dict[str, str]:
    """Return digests of a file, by their names."""
    hashes = {name: new_hash(name, entry.size) for name in names}
    with Folder(entry.place.parent, "plain").open(entry.place, entry.size) as file:
        for chunk in chunks(file):
            for one in hashes.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in hashes.items()}


def place(entry: Entry, target: Path, *, link: bool) -> None:
    """Put a file at *target*: linked if *link* and the file system can, else copied."""
    if target.exists():
        return
    if link:
        link_or_copy(entry.place, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(entry.place, target)
    target.chmod(0o644)


def _settle(work: Path) -> None:
    for name, _, files in os.walk(work):
        for file in files:
            if not (Path(name) / file).is_symlink():
                _sync(Path(name) / file)
        _sync(Path(name))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
