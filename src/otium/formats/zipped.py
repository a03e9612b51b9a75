"""Zip files from strangers, unpacked within bounds, also where they are packed by zstd.

The standard library reads method 93 only from Python 3.14. What a header says of a size is not
believed: unpacking stops at the bound.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from otium.errors import BadData

_STORED, _DEFLATED, _ZSTD = 0, 8, 93
_WINDOW = 1 << 27
_LOCAL = struct.Struct("<4s22xHH")
_ENCRYPTED, _UTF8 = 1, 1 << 11


class Zipped:
    """The members of a zip *file* called *name*: each of at most *member* bytes, all of *total*.

    Raises BadData with the reason, here and when a member is read.
    """

    def __init__(self, file: IO[bytes], name: str, *, member: int, total: int) -> None:
        self._file, self._name, self._member, self._left = file, name, member, total
        try:
            with ZipFile(file) as packed:
                self._members = {info.filename: info for info in packed.infolist()}
            for info in self._members.values():
                self._enter(info)
        except (BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise self._bad(str(error)) from error

    @property
    def names(self) -> tuple[str, ...]:
        """Return the members' names in the order of the file."""
        return tuple(self._members)

    def read(self, name: str) -> bytes:
        """Return one member; the bytes count against the total."""
        info, most = self._members[name], min(self._member, self._left)
        try:
            data = _unpacked(self._raw(info), info.compress_type, most + 1)
        except ValueError as error:
            raise self._bad(f"its part {name} is damaged: {error}") from error
        if len(data) > most:
            raise self._bad(f"its part {name} unpacks to more than {most} bytes")
        if zlib.crc32(data) != info.CRC:
            raise self._bad(f"its part {name} is damaged: its checksum is another")
        self._left -= len(data)
        return data

    def _raw(self, info: ZipInfo) -> bytes:
        self._enter(info)
        if info.flag_bits & _ENCRYPTED:
            raise ValueError("it is encrypted")
        return self._file.read(info.compress_size)

    def _enter(self, info: ZipInfo) -> None:
        """Go to where a member's bytes begin; its own header must name it as the directory does."""
        self._file.seek(info.header_offset)
        local = self._file.read(_LOCAL.size)
        if len(local) < _LOCAL.size:
            raise ValueError(f"the part {info.filename} is not there")
        mark, length, extra = _LOCAL.unpack(local)
        named = self._file.read(length)
        wanted = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        if mark != b"PK\x03\x04" or named != wanted:
            raise ValueError(f"the part {info.filename} has not that name")
        if info.comment:  # a damaged length can hide the entry after it in a comment
            raise ValueError(f"the part {info.filename} has a comment")
        self._file.seek(extra, 1)

    def _bad(self, why: str) -> BadData:
        return BadData(path=self._name, why=why)


def _unpacked(raw: bytes, method: int, most: int) -> bytes:
    """Return at most *most* bytes, or raise ValueError."""
    try:
        if method == _STORED:
            return raw[:most]
        if method == _DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if method != _ZSTD:
        raise ValueError(f"packing method {method} is not known")
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        with unpacker.stream_reader(raw, read_across_frames=True) as reader:
            return reader.read(most)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
