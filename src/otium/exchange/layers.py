"""Packed layers, opened in bounded steps: gzip, zstd and tar, read as if each were an attack.

What a layer unpacks to is written only below a fresh folder, only as plain files, and only
as far as a budget goes that grows with the packed bytes; a bomb ends there.
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from otium.errors import BadLayout, Unsupported
from otium.exchange.records import OriginFile
from otium.exchange.tree import CHUNK, MOST_FILES, Folder, Tally
from otium.formats import check_path
from otium.records import Digest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST_RATIO = 200
"""Unpacked bytes for each packed byte. Weights reach 2, text 10; a bomb, 1000 and more."""
ALLOWANCE = 64 << 20
"""Bytes that any artefact may unpack to, however small it is."""
LARGEST_WINDOW = 128 << 20
LARGEST_HEADER = 1 << 20
"""Bytes of one extended tar header."""
BLOCK = 512
_STEP = 64 << 10
"""Bytes of packed input at a time: what is not yet unpacked is copied at each step."""
_FILE, _FOLDER = {b"0", b"\0", b"7"}, b"5"
_KINDS = {
    b"1": "a hard link",
    b"2": "a link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
}
_OTHERWISE = re.compile(r"[./+-](tar|gzip|zstd|bz2|xz|lz4|encrypted)\b")
_PACKED = re.compile(r"[./+](?P<tar>tar)(?:[+.](?P<how>gzip|zstd))?$")


@dataclass(frozen=True)
class Packing:
    """How a layer's files are packed: in a tar or raw, and compressed how."""

    tar: bool
    compression: str | None

    @classmethod
    def of(cls, media_type: str) -> Packing:
        """Return what a media type says of it; raise Unsupported for other ways to pack."""
        found = _PACKED.search(media_type)
        if found is None and _OTHERWISE.search(media_type):
            raise Unsupported(what=media_type, why="only gzip and zstd are unpacked")
        return cls(found is not None, found["how"] if found else None)


@dataclass
class Budget:
    """How much more an artefact may unpack to."""

    bytes: int
    files: int = MOST_FILES

    @classmethod
    def of(cls, packed: int) -> Budget:
        """Return the budget of an artefact of *packed* bytes."""
        return cls(ALLOWANCE + LARGEST_RATIO * packed)


@dataclass
class Layer:
    """The unpacked bytes of one layer as a stream; both of its digests come from one pass."""

    folder: Folder
    file: BinaryIO
    name: str
    compression: str | None
    budget: Budget
    tally: Tally
    algorithm: str = "sha256"
    _rest: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        """Begin at the first byte."""
        self.packed, self.plain = hashlib.new(self.algorithm), hashlib.sha256()
        source = {"gzip": self._gzip, "zstd": self._zstd}.get(self.compression or "", self._chunks)
        self._source = source()

    def bad(self, why: str) -> BadLayout:
        """Return the error for this layer."""
        return self.folder.bad(f"layer {self.name}: {why}")

    def read(self, count: int) -> bytes:
        """Return the next *count* bytes, fewer only at the end. *count* is at most 2 MiB."""
        while len(self._rest) < count:
            chunk = next(self._source, b"")
            if not chunk:
                break
            self.plain.update(chunk)
            self.budget.bytes -= len(chunk)
            if self.budget.bytes < 0:
                raise self.bad(f"it unpacks to more than {LARGEST_RATIO} times its size")
            self._rest += chunk
        data = bytes(self._rest[:count])
        del self._rest[:count]
        return data

    def expect(self, count: int) -> None:
        """Raise BadLayout now if *count* bytes more are more than the budget allows."""
        if count > self.budget.bytes + len(self._rest):
            raise self.bad(f"it unpacks to more than {LARGEST_RATIO} times its size")

    def finish(self) -> None:
        """Read to the end, where only zeros may be left."""
        while data := self.read(CHUNK):
            if data.strip(b"\0"):
                raise self.bad("bytes follow the end of its tar archive")
        while self.take(CHUNK):
            pass

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self.take(CHUNK):
            yield chunk

    def take(self, count: int) -> bytes:
        """Return the next packed bytes, at most *count*, and digest them."""
        chunk = self.file.read(count)
        self.packed.update(chunk)
        self.tally.add(len(chunk))
        return chunk

    def _gzip(self) -> Iterator[bytes]:
        """Yield the bytes of all members in pieces of at most CHUNK."""
        member, begun, packed = zlib.decompressobj(31), False, b""
        try:
            while (packed := packed or self.take(_STEP)) or begun:
                chunk = member.decompress(packed, CHUNK)
                if chunk:
                    yield chunk
                if member.eof:
                    packed, member, begun = member.unused_data, zlib.decompressobj(31), False
                elif packed or chunk:
                    packed, begun = member.unconsumed_tail, True
                else:
                    raise self.bad("its gzip stream is cut short")
        except zlib.error as error:
            raise self.bad(f"its gzip stream is damaged ({error})") from error

    def _zstd(self) -> Iterator[bytes]:
        """Yield the bytes of all frames in pieces of at most CHUNK."""
        import zstandard

        opener = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        source = io.BufferedReader(_Packed(self), _STEP)
        try:
            with opener.stream_reader(source, read_across_frames=True) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except zstandard.ZstdError as error:
            raise self.bad(f"its zstd stream is damaged ({error})") from error


class _Packed(io.RawIOBase):
    """The packed bytes of a layer, as a file to read from."""

    def __init__(self, layer: Layer) -> None:
        """Read from where *layer* is."""
        self._layer = layer

    def readable(self) -> bool:
        """Say that one can."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer*, or begin to, and return how far."""
        view = memoryview(buffer)
        data = self._layer.take(len(view))
        view[: len(data)] = data
        return len(data)


@dataclass(frozen=True)
class Member:
    """What one tar header says."""

    path: str
    size: int
    kind: bytes


def untar(layer: Layer, into: Path) -> list[OriginFile]:
    """Write each file of a tar below *into* and return them.

    Raises BadLayout for links, devices, pipes, sparse files, a path twice, a cut archive or
    one that is too large; UnsafePath and BadDeposit for paths as `check_path` does.
    """
    found: list[OriginFile] = []
    while member := _next(layer):
        path = member.path.removeprefix("./").rstrip("/")
        if member.kind == _FOLDER:
            if path not in {"", "."}:
                check_path(path)
            continue
        if member.kind not in _FILE:
            raise layer.bad(f"{member.path!r} is {_KINDS.get(member.kind, 'of an unknown kind')}")
        check_path(path)
        found.append(_write(layer, Member(path, member.size, member.kind), into))
    layer.finish()
    return found


def _write(layer: Layer, member: Member, into: Path) -> OriginFile:
    layer.expect(member.size)
    target, sha = into / member.path, hashlib.sha256()
    with create(layer, target) as file:
        for chunk in _contents(layer, member.size):
            sha.update(chunk)
            file.write(chunk)
    sha256 = Digest("sha256:" + sha.hexdigest())
    return OriginFile(path=member.path, size=member.size, sha256=sha256)


def create(layer: Layer, target: Path) -> BinaryIO:
    """Make a file that is not there yet, and the folders to it."""
    layer.budget.files -= 1
    if layer.budget.files < 0:
        raise layer.bad(f"it holds more than {MOST_FILES} files")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise layer.bad(f"{target.name} is there twice") from error


def _contents(layer: Layer, size: int) -> Iterator[bytes]:
    """Yield the bytes of a member and pass over what fills its last block."""
    left = size
    while left:
        chunk = layer.read(min(left, CHUNK))
        if not chunk:
            raise layer.bad("its tar archive is cut short")
        left -= len(chunk)
        yield chunk
    layer.read(-size % BLOCK)


def _next(layer: Layer) -> Member | None:
    """Return the next member, with what the extended headers before it say of it."""
    path: str | None = None
    size: int | None = None
    while True:
        block = layer.read(BLOCK)
        if len(block) < BLOCK:
            raise layer.bad("its tar archive is cut short")
        if not any(block):
            return None
        member = _header(layer, block)
        if member.kind == b"L":
            path = _decoded(layer, _extended(layer, member).rstrip(b"\0"))
        elif member.kind == b"K":  # a long link's target: the link itself is refused
            _extended(layer, member)
        elif member.kind in {b"x", b"g"}:
            said = _pax(layer, _extended(layer, member))
            if any(key.startswith("GNU.sparse") for key in said):
                raise layer.bad("it holds a sparse file")
            if member.kind == b"g" and {"path", "size"} & said.keys():
                raise layer.bad("a global header of its tar archive sets a path or a size")
            path = said.get("path", path)
            size = _decimal(layer, said["size"]) if "size" in said else size
        else:
            return Member(
                member.path if path is None else path,
                member.size if size is None else size,
                member.kind,
            )


def is_tar(file: BinaryIO) -> bool:
    """Whether a file begins as a tar archive does: with a header whose checksum is right."""
    block = file.read(BLOCK)
    file.seek(0)
    digits = block[148:156].strip(b" \0")
    stored = int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else -1
    return len(block) == BLOCK and (not any(block) or stored == _checksum(block))


def _checksum(block: bytes) -> int:
    return sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _header(layer: Layer, block: bytes) -> Member:
    if _number(layer, block[148:156]) != _checksum(block):
        raise layer.bad("a header of its tar archive is damaged")
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    path = _decoded(layer, prefix + b"/" + name if prefix else name)
    return Member(path, _number(layer, block[124:136]), block[156:157])


def _number(layer: Layer, text: bytes) -> int:
    """Return a number that is written in octal digits, or in base 256 as GNU tar may."""
    if text[0] == 0x80:  # noqa: PLR2004 -- the mark of base 256
        return int.from_bytes(text[1:], "big")
    digits = text.strip(b" \0")
    if digits and not re.fullmatch(rb"[0-7]+", digits):
        raise layer.bad("a number in its tar archive is damaged")
    return int(digits or b"0", 8)


def _decimal(layer: Layer, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise layer.bad("a number in its tar archive is damaged")
    return int(text)


def _decoded(layer: Layer, name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise layer.bad("a name in its tar archive is not UTF-8") from error


def _extended(layer: Layer, member: Member) -> bytes:
    if member.size > LARGEST_HEADER:
        raise layer.bad("an extended header of its tar archive is too long")
    return b"".join(_contents(layer, member.size))


def _pax(layer: Layer, data: bytes) -> dict[str, str]:
    """Return the records of a POSIX extended header that bear on a file's path or size."""
    said: dict[str, str] = {}
    while data:
        length, _, _ = data[:20].partition(b" ")
        end = int(length) if re.fullmatch(rb"[0-9]{1,7}", length) else 0
        record = data[len(length) + 1 : end]
        if not record.endswith(b"\n") or len(data) < end:
            raise layer.bad("an extended header of its tar archive is damaged")
        key, _, value = record[:-1].partition(b"=")
        if key in {b"path", b"size"} or key.startswith(b"GNU.sparse"):
            said[_decoded(layer, key)] = _decoded(layer, value)
        data = data[end:]
    return said
