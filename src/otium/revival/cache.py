"""Where files lie that were brought out of the archive, each kept once and under its own digest.

``.files/SHA256`` is a file, ``.files/SHA256.json`` what the system said of it when its digest
was last verified, and ``DIGEST/`` a model: hard links to its files. So a model that shares its
base with another takes only what is its own. A file gets its name when its digest fits; nothing
that a killed process leaves behind has one. No file is fsynced: what stands beside it names the
boot of the machine, and in another boot it is verified anew before it is used.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from blake3 import blake3

from otium.archive import File, Manifest
from otium.errors import BadDeposit, CannotStore, DamagedObject
from otium.formats import check_path
from otium.records import hexadecimal

_DIGITS = 16
_FILES = ".files"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Seen(msgspec.Struct, frozen=True):
    """What the system said of a file when it was verified."""

    size: int
    changed: int
    """Nanoseconds."""
    boot: str
    recipe: str
    """How the archive puts it together, by SHA-256: pieces of it may serve others."""

    @classmethod
    def of(cls, path: Path, recipe: str) -> Seen:
        """Look at a file; raise OSError."""
        stat = path.lstat()
        return cls(stat.st_size, stat.st_mtime_ns, _boot(), recipe)


class Shelf:
    """One directory of files that were brought out; several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        """Use *root*, which is made when something is put there."""
        self.root = root
        self.files = root / _FILES

    def folder(self, manifest: Manifest) -> Path:
        """Return where a model's directory is, or will be."""
        return self.root / hexadecimal(manifest.weights)[:_DIGITS]

    def place(self, file: File) -> Path:
        """Return where a file is, or will be."""
        return self.files / file.sha256

    def holds(self, file: File) -> bool:
        """Return whether a file lies here as it was when it was last verified, in this boot."""
        seen = _seen(self.place(file))
        return seen is not None and seen.size == file.size

    def recipes(self, least: int) -> Iterator[tuple[Path, str]]:
        """Yield each verified file of at least *least* bytes, with its recipe's SHA-256."""
        for mark in self.files.glob("*.json"):
            path = mark.with_suffix("")
            seen = _seen(path)
            if seen is not None and seen.size >= least:
                yield path, seen.recipe

    def doubt(self, path: Path) -> None:
        """Have a file verified again before it is next used."""
        _mark(path).unlink(missing_ok=True)

    def ready(self, manifest: Manifest) -> bool:
        """Return whether a model's directory stands here: these files and no others."""
        folder = self.folder(manifest)
        try:
            return _look(folder) == {file.path for file in manifest.files} and all(
                self.holds(file) and self.place(file).samefile(folder / file.path)
                for file in manifest.files
            )
        except OSError:
            return False

    def settle(self, file: File, tell: Callable[[int], None]) -> bool:
        """Verify a file that lies here unseen, from another boot, say; remove it if it is wrong."""
        path = self.place(file)
        if not path.is_file():
            return False
        sha = blake3()
        with path.open("rb") as opened:
            while block := opened.read(8 << 20):
                sha.update(block)
                tell(len(block))
        if sha.hexdigest() != file.blake3:
            self.discard(file)
            return False
        _mark(path).write_bytes(msgspec.json.encode(Seen.of(path, file.recipe)))
        return True

    @contextmanager
    def taking(self, file: File) -> Iterator[None]:
        """Wait until nobody else brings this file out."""
        self.files.mkdir(parents=True, exist_ok=True)
        with self._lock(f"{file.sha256}.lock"):
            yield

    @contextmanager
    def fresh(self, file: File) -> Iterator[int]:
        """Yield an open file to be filled and verified; it gets its name when the block ends.

        Raises CannotStore where it does not fit. Call it within ``taking``.
        """
        path = self.place(file)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)  # of a process that died here
        out = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with self.fits(file.size):
                if file.size and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(out, 0, file.size)
                yield out
            _mark(path).unlink(missing_ok=True)
            part.rename(path)
            _mark(path).write_bytes(msgspec.json.encode(Seen.of(path, file.recipe)))
        finally:
            os.close(out)
            part.unlink(missing_ok=True)

    @contextmanager
    def fits(self, size: int) -> Iterator[None]:
        """Raise CannotStore, saying how much is free, where the disk turns out to be full."""
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(self.root).free
            why = f"{size:,} bytes are wanted, {free:,} are free"
            raise CannotStore(path=self.root, why=why) from error

    def gather(self, manifest: Manifest) -> Path:
        """Lay a model's directory out of files that are here; raise DamagedObject."""
        folder = self.folder(manifest)
        with self._lock(f"{folder.name}.lock"):
            if self.ready(manifest):
                return folder
            prefix = f".{folder.name}-"
            for leftover in self.root.glob(f"{prefix}*"):
                shutil.rmtree(leftover)
            with tempfile.TemporaryDirectory(prefix=prefix, dir=self.root) as scratch:
                new = Path(scratch) / "new"
                new.mkdir()
                for file in manifest.files:
                    _link(self.place(file), new, file.path)
                if folder.exists():
                    folder.rename(Path(scratch) / "old")
                new.rename(folder)
            folder.with_name(f"{folder.name}.json").unlink(missing_ok=True)  # of otium 0.1
        return folder

    def used(self) -> int:
        """Return how many bytes the files here take."""
        with suppress(OSError):
            return sum(one.stat().st_size for one in self.files.iterdir() if not one.suffix)
        return 0

    def models(self) -> Sequence[Path]:
        """Return the models' directories, those that were not asked for longest first."""
        with suppress(OSError):
            found = [p for p in self.root.iterdir() if len(p.name) == _DIGITS and p.is_dir()]
            return sorted(found, key=lambda path: path.stat().st_mtime_ns)
        return []

    def drop(self, folder: Path) -> None:
        """Remove a model's directory, and its files that no other model here has.

        Whoever has mapped them keeps them until he ends.
        """
        with self._lock(f"{folder.name}.lock"):
            gone = {it.lstat().st_ino for it in folder.rglob("*") if it.is_file()}
            shutil.rmtree(folder, ignore_errors=True)
        for path in self.files.iterdir():
            with suppress(OSError):
                seen = path.lstat()
                if not path.suffix and seen.st_ino in gone and seen.st_nlink == 1:
                    path.unlink()
                    _mark(path).unlink(missing_ok=True)

    def discard(self, file: File) -> None:
        """Remove one file that is not what it should be."""
        _mark(self.place(file)).unlink(missing_ok=True)
        self.place(file).unlink(missing_ok=True)

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        self.files.mkdir(parents=True, exist_ok=True)
        kind = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.files / name, kind, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _mark(path: Path) -> Path:
    return path.with_suffix(".json")


def _seen(path: Path) -> Seen | None:
    """Return what was seen of a file, if it was in this boot and is so still."""
    try:
        seen = msgspec.json.decode(_mark(path).read_bytes(), type=Seen)
        return seen if seen.boot and seen == Seen.of(path, seen.recipe) else None
    except (OSError, msgspec.DecodeError):
        return None


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _look(folder: Path) -> set[str]:
    return {
        (Path(at) / name).relative_to(folder).as_posix()
        for at, _, names in os.walk(folder)
        for name in names
    }


def _link(source: Path, root: Path, path: str) -> None:
    """Name a file below *root* as well; raise DamagedObject for a path no deposit can have."""
    try:
        check_path(path)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).hardlink_to(source)
    except (BadDeposit, FileExistsError, NotADirectoryError) as error:
        raise DamagedObject(
            name="manifest.json", found=f"the path {path!r}", expected="a fresh and safe one"
        ) from error
