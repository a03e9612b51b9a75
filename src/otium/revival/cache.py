"""Where files lie that were brought out of the archive, each kept once and under its own digest.

``.files/SHA256`` is a file, ``.files/SHA256.json`` what the system said of it when its digest
was last verified, and ``DIGEST/`` a model: hard links to its files. So a model that shares its
base with another takes only what is its own. A file gets its name when its digest fits; nothing
that a killed process leaves behind has one. No file is fsynced: what stands beside it names the
boot of the machine, and in another boot it is verified anew before it is used.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec

from otium.archive import File, Manifest
from otium.errors import BadDeposit, CannotStore, DamagedObject
from otium.formats import check_path
from otium.records import hexadecimal
from otium.revival.ours import Busy, at_once, locked, own, patient
from otium.revival.reading import Tell, verify_file

_DIGITS = 16
_FILES = ".files"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Seen(msgspec.Struct, frozen=True):
    """What the system said of a file when it was verified."""

    size: int
    changed: int
    """Nanoseconds."""
    inode: int
    boot: str
    blake3: str
    recipe: str
    """How the archive puts it together, by SHA-256: pieces of it may serve others."""
    packs: tuple[str, ...]
    """Where the archive has them, sorted: a relative of the file is coded against some of them."""


class Shelf:
    """One directory of files that were brought out; several processes may use it at once."""

    def __init__(self, root: Path, most: int | None = None) -> None:
        """Use *root*, which is made when something is put there.

        With *most* it is one in memory: it takes that many bytes at the most, and is made at
        once, ours alone. Raises CannotStore where it is not.
        """
        self.root = root if most is None else own(root)
        self.most = most
        self.files = self.root / _FILES

    def folder(self, manifest: Manifest) -> Path:
        """Return where a model's directory is, or will be."""
        return self.root / hexadecimal(manifest.weights)[:_DIGITS]

    def place(self, file: File) -> Path:
        """Return where a file is, or will be."""
        return self.files / file.sha256

    def holds(self, file: File) -> bool:
        """Return whether a file lies here as it was when it was last verified, in this boot."""
        seen = _seen(self.place(file))
        return seen is not None and (seen.size, seen.blake3) == (file.size, file.blake3)

    def packs(self, file: File) -> tuple[str, ...]:
        """Return where the archive has the pieces of a file that lies here, if that was noted."""
        seen = _mark(self.place(file))
        return seen.packs if seen and seen.recipe == file.recipe else ()

    def verified(self) -> Iterator[tuple[Path, Seen]]:
        """Yield the files that are here as they were, with what was seen of them."""
        for mark in self.files.glob("*.json"):
            path = mark.with_suffix("")
            if (seen := _seen(path)) is not None:
                yield path, seen

    def doubt(self, path: Path) -> None:
        """Have a file verified again before it is next used."""
        path.with_suffix(".json").unlink(missing_ok=True)

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

    def settle(self, file: File, tell: Tell) -> bool:
        """Verify a file that lies here unseen, from another boot, say; remove it if it is wrong."""
        path = self.place(file)
        if not path.is_file():
            return False
        try:
            verify_file(path, file.blake3, tell)
        except DamagedObject:
            self.discard(file)
            return False
        except OSError:  # no fault of the file's: another takes its place
            return False
        self._note(file, self.packs(file))
        return True

    @contextmanager
    def used_by_us(self, manifest: Manifest) -> Iterator[None]:
        """Keep a model's directory from being dropped, from before it is there until the end."""
        if self.most is None:  # nobody makes room on a disk, which may be one to read only
            yield
            return
        self.files.mkdir(exist_ok=True)
        with locked(self._users(self.folder(manifest)), shared=True):
            yield

    @contextmanager
    def bringing(self, manifest: Manifest) -> Iterator[None]:
        """Let nobody sweep files that no directory has yet; begin with a sweep, if none is busy."""
        if self.most is None:
            yield
            return
        everyone = self.files / "bringing.lock"
        with suppress(Busy), locked(everyone, wait=at_once):
            self._sweep({file.sha256 for file in manifest.files})
        with locked(everyone, shared=True):
            yield

    def taking(
        self, file: File, wait: Callable[[], None] = patient
    ) -> AbstractContextManager[None]:
        """Wait until nobody else brings this file out; *wait* may raise meanwhile."""
        self.files.mkdir(parents=True, exist_ok=True)
        return locked(self.files / f"{file.sha256}.lock", wait=wait)

    @contextmanager
    def fresh(self, file: File, packs: tuple[str, ...]) -> Iterator[int]:
        """Yield an open file to be filled and verified; it gets its name when the block ends.

        Raises CannotStore where it does not fit. Call it within ``taking``.
        """
        path = self.place(file)
        part = path.with_suffix(".part")
        out = _new(part)
        try:
            with self._fits(file.size):
                self._reserve(out, file.size)
                yield out
            self.doubt(path)
            part.rename(path)
            self._note(file, packs)
        finally:
            os.close(out)
            part.unlink(missing_ok=True)

    def gather(self, manifest: Manifest) -> Path:
        """Lay a model's directory out of files that are here.

        Raises DamagedObject, FileNotFoundError where one of them is here no longer.
        """
        folder = self.folder(manifest)
        with locked(self.files / f"{folder.name}.lock"):
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
        """Return how many bytes the files here take, with those that are just being filled."""
        total = 0
        for path in self._files():
            with suppress(OSError):  # it went meanwhile
                total += path.lstat().st_size
        return total

    def models(self) -> Sequence[Path]:
        """Return the models' directories, those that were not asked for longest first."""
        found: list[tuple[int, Path]] = []
        with suppress(OSError):
            for path in self.root.iterdir():
                with suppress(OSError):  # it went meanwhile
                    if len(path.name) == _DIGITS and path.is_dir():
                        found.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def drop(self, folder: Path) -> None:
        """Remove a model's directory, and its files that no other model here has.

        Nothing happens while somebody uses it: its memory would not be free.
        """
        with suppress(Busy), locked(self._users(folder), wait=at_once):
            gone = {it.lstat().st_ino for it in folder.rglob("*") if it.is_file()}
            shutil.rmtree(folder, ignore_errors=True)
            self._remove(lambda path, seen: not path.suffix and seen.st_ino in gone)

    def discard(self, file: File) -> None:
        """Remove one file that is not what it should be."""
        self.doubt(self.place(file))
        self.place(file).unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from (one for one in self.files.iterdir() if one.suffix in {"", ".part"})

    def _users(self, folder: Path) -> Path:
        return self.files / f"{folder.name}-used.lock"

    def _sweep(self, but: Container[str]) -> None:
        """Remove what tries that failed or were killed have left in memory."""
        self._remove(lambda path, _: path.suffix == ".part" or path.name not in but)

    def _remove(self, which: Callable[[Path, os.stat_result], bool]) -> None:
        """Remove some of the files that no model's directory has."""
        for path in self._files():
            with suppress(OSError):
                seen = path.lstat()
                if seen.st_nlink == 1 and which(path, seen):
                    path.unlink()
                    self.doubt(path)

    def _reserve(self, out: int, size: int) -> None:
        """Take the room for a file; in memory, have models make it that nobody uses."""
        if self.most is None:
            _allocate(out, size)
            return
        with locked(self.files / "room.lock"):
            for old in self.models():
                if self.used() + size <= self.most:
                    break
                self.drop(old)
            free = self.most - self.used()
            if size > free:
                raise CannotStore(path=self.root, why=f"{size:,} bytes are wanted, {free:,} free")
            _allocate(out, size)

    @contextmanager
    def _fits(self, size: int) -> Iterator[None]:
        """Raise CannotStore, saying how much is free, where the disk turns out to be full."""
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(self.root).free
            why = f"{size:,} bytes are wanted, {free:,} are free"
            raise CannotStore(path=self.root, why=why) from error

    def _note(self, file: File, packs: tuple[str, ...]) -> None:
        """Write down what the system says of a file that was just verified."""
        path = self.place(file)
        stat = path.lstat()
        seen = Seen(
            size=stat.st_size,
            changed=stat.st_mtime_ns,
            inode=stat.st_ino,
            boot=_boot(),
            blake3=file.blake3,
            recipe=file.recipe,
            packs=packs,
        )
        beside = path.with_suffix(".note")
        out = _new(beside)
        with os.fdopen(out, "wb") as opened:
            opened.write(msgspec.json.encode(seen))
        beside.rename(path.with_suffix(".json"))


def _new(path: Path) -> int:
    """Open a file that nobody else has made, in place of one that a killed process left."""
    path.unlink(missing_ok=True)
    kind = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, kind, 0o600)


def _allocate(out: int, size: int) -> None:
    """Take the room of a file at once, where the system can."""
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(out, 0, size)
    else:
        os.ftruncate(out, size)


def _mark(path: Path) -> Seen | None:
    """Return what was seen of a file when it was last verified, in whichever boot."""
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Seen)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _seen(path: Path) -> Seen | None:
    """Return what was seen of a file, if it was in this boot and is so still."""
    seen = _mark(path)
    if seen is None or not seen.boot or seen.boot != _boot():
        return None
    try:
        stat = path.lstat()
    except OSError:
        return None
    now = stat.st_size, stat.st_mtime_ns, stat.st_ino
    return seen if now == (seen.size, seen.changed, seen.inode) else None


def _boot() -> str:
    """Return what names this boot of the machine; empty where nothing does."""
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
