"""A tree of files that nobody vouches for, walked without being led astray."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from otium.errors import BadDeposit, NoWeights, UnsafePath
from otium.formats.paths import check_path, check_paths

LARGEST_SMALL_FILE = 16 << 20
INERT_WEIGHTS = {".bin", ".pt"}
SMALL_FILES = {
    "chat_template.jinja",
    "tokenizer_config.json",
    "generation_config.json",
    "adapter_config.json",
}
"""They are read into memory."""
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}


@dataclass(frozen=True)
class Source:
    """A file to deposit: the path it will have, and where its bytes are now."""

    path: str
    place: Path
    size: int

    @property
    def suffix(self) -> str:
        """Return the ending that tells the format."""
        return Path(self.path).suffix.lower()

    @property
    def is_weights(self) -> bool:
        """Whether the ending is one of a weights file."""
        return self.suffix in {".safetensors", ".gguf"} | INERT_WEIGHTS

    def open(self) -> BinaryIO:
        """Open the file if it is still a plain file of the same size and not a link."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.fdopen(os.open(self.place, flags), "rb")
        except OSError as error:
            raise BadDeposit(path=self.path, why=error.strerror) from error
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size != self.size:
            file.close()
            raise self.changed()
        return file

    def changed(self) -> BadDeposit:
        """Return the error for a file that does not hold still."""
        return BadDeposit(path=self.path, why="it changed while it was read")


def sources(files: Path) -> list[Source]:
    """Return each file of a directory (or the one file), in order of path.

    Raises BadDeposit, UnsafePath or NoWeights for what cannot be kept safely. A link is
    followed if it leads to a file inside the directory, or is one of a Hugging Face snapshot
    to its blobs.
    """
    try:
        root = files.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise BadDeposit(path=files, why="it is not there") from error
    if root.is_dir():
        found = [_source(path, name, root) for path, name in sorted(_walk(root))]
    else:
        found = [_source(root, files.name, root.parent)]
    check_paths(source.path for source in found)
    if not any(source.is_weights for source in found):
        raise NoWeights(path=files)
    for source in found:
        if source.is_weights and not source.size:
            raise BadDeposit(path=source.path, why="it is an empty weights file")
        if source.path in SMALL_FILES and source.size > LARGEST_SMALL_FILE:
            raise BadDeposit(path=source.path, why=f"it is larger than {LARGEST_SMALL_FILE} bytes")
    return sorted(found, key=lambda source: source.path)


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    def fail(error: OSError) -> None:
        raise BadDeposit(path=error.filename, why=error.strerror) from error

    for folder, folders, files in os.walk(root, onerror=fail):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in chain(files, links):
            path = Path(folder) / name
            yield path, path.relative_to(root).as_posix()


def _source(place: Path, path: str, root: Path) -> Source:
    check_path(path)
    try:
        real = place.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise BadDeposit(path=path, why="it is a link that leads nowhere") from error
    blobs = root.parent.parent / "blobs"
    snapshot = root.parent.name == "snapshots" and real.parent == blobs
    if not real.is_relative_to(root) and not snapshot:
        raise UnsafePath(path=path)
    found = real.stat()
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise BadDeposit(path=path, why=f"it is {kind}, not a file")
    return Source(path, real, found.st_size)
