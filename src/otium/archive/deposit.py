"""Taking in what someone hands over: a tree of files that nobody vouches for.

Walks it, refuses what cannot be kept safely, reads headers, and digests every byte in one
pass. Writes nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from blake3 import blake3

from otium.archive.gguf import CHAT_TEMPLATE, Gguf, read_gguf
from otium.archive.records import Extent, Format, Runnable, Tensor
from otium.archive.safetensors import read_safetensors
from otium.errors import BadDeposit, BadHeader, NoWeights, UnsafePath
from otium.records import Digest, Json, Progress, canonical, digest

CHUNK = 1 << 20
LONGEST_PIECE = 256 << 20
"""Bytes. A longer tensor or file is kept as several pieces."""
LARGEST_SMALL_FILE = 16 << 20
LONGEST_PATH = 1000
LONGEST_PART = 255

_FORMATS: dict[str, Format] = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".json": "json",
    ".txt": "text",
    ".md": "text",
    ".jinja": "text",
}
_INERT_WEIGHTS = {".bin", ".pt"}
_TEMPLATE, _TOKENIZER_CONFIG = "chat_template.jinja", "tokenizer_config.json"
_GENERATION_CONFIG = "generation_config.json"
_SMALL_FILES = {_TEMPLATE, _TOKENIZER_CONFIG, _GENERATION_CONFIG}
"""They are read into memory."""
_SAMPLING = {"temperature", "top_p", "top_k", "min_p", "typical_p", "repetition_penalty"}
_BANNED = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
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
        return self.suffix in {".safetensors", ".gguf"} | _INERT_WEIGHTS

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


@dataclass(frozen=True)
class Slice:
    """Consecutive bytes of a source that become one piece."""

    source: Source
    offset: int
    length: int
    sha256: str

    def read(self) -> Iterator[bytes]:
        """Yield the bytes; raise BadDeposit if they are no longer those that were digested."""
        sha = hashlib.sha256()
        with self.source.open() as file:
            file.seek(self.offset)
            for chunk in _chunks(file, self.length):
                sha.update(chunk)
                yield chunk
        if sha.hexdigest() != self.sha256:
            raise self.source.changed()


@dataclass(frozen=True)
class Survey:
    """What one pass over a source found: all that its manifest entry and recipe need."""

    source: Source
    sha256: str
    blake3: str
    format: Format
    tensors: tuple[Tensor, ...]
    slices: tuple[Slice, ...]
    gguf: Gguf | None

    @property
    def holds_weights(self) -> bool:
        """Whether a tensor was found, or the file is of a kind that is not looked into."""
        return bool(self.tensors) or self.source.suffix in _INERT_WEIGHTS


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
    _check_names([source.path for source in found])
    if not any(source.is_weights for source in found):
        raise NoWeights(path=files)
    for source in found:
        if source.is_weights and not source.size:
            raise BadDeposit(path=source.path, why="it is an empty weights file")
        if source.path in _SMALL_FILES and source.size > LARGEST_SMALL_FILE:
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


def check_path(path: str) -> None:
    """Raise UnsafePath or BadDeposit unless every system can hold a file of this path."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        raise UnsafePath(path=path)
    try:
        long = len(path.encode()) > LONGEST_PATH or any(
            len(part.encode()) > LONGEST_PART for part in parts
        )
    except UnicodeEncodeError as error:
        raise BadDeposit(path=ascii(path), why="its name is not UTF-8") from error
    if long:
        raise BadDeposit(path=path, why="its name is too long")
    if unicodedata.normalize("NFC", path) != path:
        raise BadDeposit(path=path, why="its name is not in Unicode normal form C")
    for part in parts:
        if part in {"", "."} or part != part.rstrip(". ") or _BANNED.search(part):
            raise BadDeposit(path=ascii(path), why="some systems cannot hold a file of this name")
        if _DEVICES.fullmatch(part):
            raise BadDeposit(path=path, why="its name means a device on some systems")


def _check_names(paths: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise BadDeposit(path=path, why=f"on some systems its name is the same as {other}")


class Reading:
    """One pass over one source, which digests it whole, in tensors and in slices."""

    def __init__(self, source: Source) -> None:
        """Begin with *source*."""
        self.source = source
        self.format = _FORMATS.get(source.suffix, "inert")
        self.whole, self.fast = hashlib.sha256(), blake3(max_threads=blake3.AUTO)
        self.slices: list[Slice] = []
        self.tensors: list[Tensor] = []

    def survey(self, progress: Progress, before: int, total: int) -> Survey:
        """Read the file; tell *progress*, which has heard of *before* of *total* bytes."""
        with self.source.open() as file:
            extents, gguf = self._extents(file)
            file.seek(0)
            for extent in extents:
                sha256 = self._digest(file, extent)
                if extent.dtype:
                    self.tensors.append(
                        Tensor(
                            name=extent.name,
                            dtype=extent.dtype,
                            shape=extent.shape,
                            offset=extent.offset,
                            length=extent.length,
                            sha256=sha256,
                        )
                    )
                progress("reading", before + extent.end, total)
        return Survey(
            self.source,
            self.whole.hexdigest(),
            self.fast.hexdigest(),
            self.format,
            tuple(self.tensors),
            tuple(self.slices),
            gguf,
        )

    def _extents(self, file: BinaryIO) -> tuple[list[Extent], Gguf | None]:
        size, path = self.source.size, self.source.path
        if self.format == "safetensors":
            return read_safetensors(file, size, path), None
        if self.format == "gguf":
            gguf = read_gguf(file, size, path)
            return gguf.extents, gguf
        return [Extent(0, size)], None

    def _digest(self, file: BinaryIO, extent: Extent) -> str:
        """Digest an extent, cut where it is longer than a piece may be."""
        cuts = range(extent.offset, extent.end, LONGEST_PIECE)
        if len(cuts) == 1:
            return self._slice(file, extent.offset, extent.length)
        tensor = hashlib.sha256()
        for offset in cuts:
            self._slice(file, offset, min(LONGEST_PIECE, extent.end - offset), tensor)
        return tensor.hexdigest()

    def _slice(
        self, file: BinaryIO, offset: int, length: int, tensor: hashlib._Hash | None = None
    ) -> str:
        sha = hashlib.sha256()
        for chunk in _chunks(file, length):
            sha.update(chunk)
            self.whole.update(chunk)
            self.fast.update(chunk)
            if tensor is not None:
                tensor.update(chunk)
        if file.tell() != offset + length:
            raise self.source.changed()
        self.slices.append(Slice(self.source, offset, length, sha.hexdigest()))
        return sha.hexdigest()


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length and (chunk := file.read(min(CHUNK, length))):
        length -= len(chunk)
        yield chunk


def weights_digest(files: Sequence[tuple[str, str]]) -> Digest:
    """Return the digest that names weights: of the JSON list of ``[path, sha256]`` in order."""
    return digest(canonical([list(pair) for pair in sorted(files)]))


def describe(
    surveys: Sequence[Survey], sampling: Mapping[str, float], runtime: Mapping[str, str]
) -> tuple[Runnable, bytes | None]:
    """Return what makes the model runnable, and its chat template's bytes if it has one."""
    template = _template(surveys)
    runnable = Runnable(
        chat_template=None if template is None else digest(template),
        tokenizer=_tokenizer(surveys),
        sampling={**_sampling(surveys), **sampling},
        runtime=dict(runtime),
    )
    return runnable, template


def _template(surveys: Sequence[Survey]) -> bytes | None:
    for one in surveys:
        text = one.gguf.metadata.get(CHAT_TEMPLATE) if one.gguf else None
        if isinstance(text, str):
            return text.encode()
    own = _small(surveys, _TEMPLATE)
    if own is not None:
        return own
    config = _object(surveys, _TOKENIZER_CONFIG)
    templates = config.get("chat_template")
    for named in templates if isinstance(templates, list) else []:
        if isinstance(named, dict) and named.get("name") == "default":
            templates = named.get("template")
    return templates.encode() if isinstance(templates, str) else None


def _tokenizer(surveys: Sequence[Survey]) -> Digest | None:
    digests = [one.gguf.tokenizer for one in surveys if one.gguf and one.gguf.tokenizer]
    for name in ("tokenizer.json", "tokenizer.model"):
        digests += [Digest(f"sha256:{one.sha256}") for one in surveys if one.source.path == name]
    return digests[0] if digests else None


def _sampling(surveys: Sequence[Survey]) -> dict[str, float]:
    defaults = _object(surveys, _GENERATION_CONFIG)
    return {
        name: value
        for name, value in defaults.items()
        if name in _SAMPLING and isinstance(value, int | float)
    }


def _object(surveys: Sequence[Survey], path: str) -> dict[str, Json]:
    """Return the JSON object in a small file, empty if there is no such file."""
    data = _small(surveys, path)
    try:
        return {} if data is None else msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadHeader(path=path, format="JSON", why=str(error)) from error


def _small(surveys: Sequence[Survey], path: str) -> bytes | None:
    """Return a small file's bytes, as they were digested, or None if there is no such file."""
    found = [one for one in surveys if one.source.path == path]
    if not found:
        return None
    return b"".join(chunk for cut in found[0].slices for chunk in cut.read())
