"""A directory as a store, with durable writes.

The usual libraries rename without fsync, and then a power cut leaves names without bytes
(measured: docs/explanation/durability.md). Here every write is: temporary file, fsync,
link or rename, fsync of the directory.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from otium.errors import BadInput, Exists, NotFound
from otium.store.protocol import Buffer, Span, check_name, content_name

_TEMPORARY = ".tmp"


class LocalStore:
    """A directory in which each name is a file."""

    def __init__(self, root: Path) -> None:
        """Use *root*, which is made on the first write."""
        self.root = Path(root)

    def put(self, name: str, data: Buffer) -> None:
        """Store *data* under *name*; raise Exists if the name is taken."""
        target = self._path(name)
        with self._spool() as (file, temporary):
            file.write(data)
            _settle(file)
            self._link(temporary, target, name)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store the chunks under their own digest; return it."""
        sha = hashlib.sha256()
        with self._spool() as (file, temporary):
            for chunk in chunks:
                sha.update(chunk)
                file.write(chunk)
            name = content_name(folder, sha.hexdigest(), suffix)
            target = self._path(name)
            if not target.exists():
                _settle(file)
                self._link(temporary, target, name)
        return sha.hexdigest()

    def replace(self, name: str, data: Buffer) -> None:
        """Point *name* at *data*, atomically."""
        target = self._path(name)
        with self._spool() as (file, temporary):
            file.write(data)
            _settle(file)
            self._make_folder(target.parent)
            temporary.replace(target)
            _sync_folder(target.parent)

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes under *name*, or those of *span*."""
        try:
            with self._path(name).open("rb") as file:
                if span is None:
                    return file.read()
                file.seek(span.offset)
                data = file.read(span.length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(what=name) from error
        if len(data) != span.length:
            raise BadInput(what=f"{name} bytes {span.offset}+{span.length}", why="past the end")
        return data

    def size(self, name: str) -> int:
        """Return the number of bytes under *name*."""
        try:
            found = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(what=name) from error
        if not stat.S_ISREG(found.st_mode):
            raise NotFound(what=name)
        return found.st_size

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield each name that begins with *prefix*, in order."""
        yield from sorted(self._names(prefix))

    def _names(self, prefix: str) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root / prefix.rpartition("/")[0]):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for file in files:
                name = (Path(folder) / file).relative_to(self.root).as_posix()
                if name.startswith(prefix) and not file.startswith("."):
                    yield name

    def sweep(self) -> None:
        """Remove what writers that died left behind. Only for who holds the directory."""
        for path in (self.root / _TEMPORARY).glob("*"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.root / check_name(name)

    @contextmanager
    def _spool(self) -> Iterator[tuple[BinaryIO, Path]]:
        folder = self.root / _TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=folder)
        temporary = Path(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _link(self, temporary: Path, target: Path, name: str) -> None:
        self._make_folder(target.parent)
        try:
            os.link(temporary, target)
        except FileExistsError as error:
            raise Exists(name=name) from error
        _sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        missing = [folder, *folder.parents]
        new = [path for path in missing if not path.is_dir()]
        for path in reversed(new):
            try:
                path.mkdir(exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise BadInput(what=f"{path}", why="it is a file, so nothing lies in it") from error
            _sync_folder(path.parent)


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())
    # Reading back must meet the disk, not the memory that the bytes came from.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
