"""Reading the header of a GGUF file (version 2 or 3) that nobody vouches for.

A file is: magic, version, counts, metadata, tensor infos, padding, the tensors' bytes; all
little-endian. It is read in small steps. A count or a length is believed only if that many
bytes are still in the file and it is under a limit.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from otium.errors import BadHeader
from otium.formats.extent import Extent
from otium.records import Digest
from otium.store import Span

MOST_TENSORS = 1_000_000
MOST_KEYS = 65_536
MOST_ITEMS = 4_000_000
"""In all arrays of one file together."""
LONGEST_TEXT = 16 << 20
LONGEST_TEXTS = 64 << 20
"""All keys, names and texts of one file together, arrays apart: they are held in memory."""
LONGEST_KEY = 65_535
LONGEST_NAME = 256
MOST_DIMENSIONS = 4
LARGEST_ALIGNMENT = 1 << 20
FURTHEST = 1 << 20
"""How far into a file one value is looked for."""

CHAT_TEMPLATE = "tokenizer.chat_template"
_STEP = 1 << 20
_TEXT, _ARRAY = 8, 9
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
# Number in the file: name, weights in a block, bytes of a block (ggml's own table).
TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    31: ("Q4_0_4_4", 32, 18), 32: ("Q4_0_4_8", 32, 18), 33: ("Q4_0_8_8", 32, 18),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18),
}  # fmt: skip

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Gguf:
    """What the header of a GGUF file says."""

    extents: list[Extent]
    metadata: dict[str, Scalar]
    """Each key that is not an array."""
    tokenizer: Digest | None
    """Of the bytes of all ``tokenizer.`` entries but the chat template, in the file's order."""


def read_gguf(file: BinaryIO, size: int, path: str) -> Gguf:
    """Return what the header of a file of *size* bytes says, or raise BadHeader."""
    return _Reader(file, size, path).read()


def gguf_value(path: Path, key: str) -> Scalar | None:
    """Return the value of *key* in a GGUF file's header, or raise BadHeader.

    Nothing behind it is read, and no entry that begins beyond the first mebibyte: then, and
    if the value is an array, it is None.
    """
    with path.open("rb") as file:
        return _Reader(file, path.stat().st_size, path.name).find(key)


class _Reader:
    """One pass over a header."""

    def __init__(self, file: BinaryIO, size: int, path: str) -> None:
        """Begin at the start of *file*."""
        self.file, self.size, self.path = file, size, path
        self.at = 0
        self.items = MOST_ITEMS
        self.room = LONGEST_TEXTS
        self.metadata: dict[str, Scalar] = {}
        self.entries: dict[str, Span] = {}

    def read(self) -> Gguf:
        """Read everything before the tensors' bytes."""
        tensors, keys = self.start()
        for _ in range(keys):
            self.entry()
        alignment = self.alignment()
        infos = [self.tensor() for _ in range(tensors)]
        begin = self.at + -self.at % alignment
        extents = self.lay_out(infos, begin, alignment)
        return Gguf(extents, self.metadata, self.tokenizer())

    def find(self, key: str) -> Scalar | None:
        """Read up to *key* and return its value."""
        _, keys = self.start()
        while keys and key not in self.entries and self.at < FURTHEST:
            self.entry()
            keys -= 1
        return self.metadata.get(key)

    def start(self) -> tuple[int, int]:
        """Read magic, version and the counts of tensors and keys."""
        if self.take(4) != b"GGUF":
            raise self.bad("it does not begin with GGUF")
        version = self.number("<I")
        if version not in {2, 3}:
            raise self.bad(f"version {version:#x} is not 2 or 3, little-endian")
        tensors = self.count("tensors", MOST_TENSORS, smallest=24)
        return tensors, self.count("keys", MOST_KEYS, smallest=13)

    def entry(self) -> None:
        """Read one key and its value."""
        start = self.at
        key = self.text(LONGEST_KEY)
        if key in self.entries:
            raise self.bad(f"the key {key!r} is given twice")
        kind = self.number("<I")
        if kind == _ARRAY:
            self.skip_array()
        else:
            self.metadata[key] = self.scalar(kind)
        self.entries[key] = Span(start, self.at - start)

    def scalar(self, kind: int) -> Scalar:
        """Read one value that is not an array."""
        if kind == _TEXT:
            return self.text(LONGEST_TEXT)
        if kind not in _SCALARS:
            raise self.bad(f"value type {kind} is not known")
        value: Scalar = struct.unpack(_SCALARS[kind], self.take(struct.calcsize(_SCALARS[kind])))[0]
        return value

    def skip_array(self) -> None:
        """Pass over an array without keeping it."""
        kind = self.number("<I")
        width = 8 if kind == _TEXT else struct.calcsize(_SCALARS.get(kind, "<"))
        if not width:
            raise self.bad(f"an array holds values of type {kind}")
        items = self.count("array items", self.items, smallest=width)
        self.items -= items
        if kind == _TEXT:
            for _ in range(items):
                self.skip(self.count("bytes of text", LONGEST_TEXT, smallest=1))
        else:
            self.skip(items * width)

    def tensor(self) -> Extent:
        """Read what the header says about one tensor; its offset still counts from the data."""
        name = self.text(LONGEST_NAME)
        dimensions = self.number("<I")
        if dimensions > MOST_DIMENSIONS:
            raise self.bad(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self.number("<Q") for _ in range(dimensions))
        kind, offset = self.number("<I"), self.number("<Q")
        if kind not in TYPES:
            raise self.bad(f"tensor {name!r} has the unknown type {kind}")
        dtype, block, size = TYPES[kind]
        if (shape[0] if shape else 1) % block:
            raise self.bad(f"tensor {name!r} has rows that are not whole blocks of {dtype}")
        return Extent(offset, math.prod(shape) // block * size, name, dtype, shape)

    def lay_out(self, infos: list[Extent], begin: int, alignment: int) -> list[Extent]:
        """Return header, tensors and the padding between them, in order and without overlap."""
        if len({info.name for info in infos}) != len(infos):
            raise self.bad("a tensor's name is given twice")
        extents = [Extent(0, min(begin, self.size))]
        for info in sorted(infos):
            extent = info._replace(offset=begin + info.offset)
            if info.offset % alignment:
                raise self.bad(f"tensor {info.name!r} is not aligned to {alignment} bytes")
            if extent.offset < extents[-1].end:
                raise self.bad(f"tensor {info.name!r} overlaps another")
            if extent.end > self.size:
                raise self.bad(f"tensor {info.name!r} ends beyond the file")
            if extent.offset > extents[-1].end:
                extents.append(Extent(extents[-1].end, extent.offset - extents[-1].end))
            extents.append(extent)
        if extents[-1].end < self.size:
            extents.append(Extent(extents[-1].end, self.size - extents[-1].end))
        return extents

    def alignment(self) -> int:
        """Return what tensors are aligned to."""
        value = self.metadata.get("general.alignment", 32)
        if not isinstance(value, int) or not 0 < value <= LARGEST_ALIGNMENT or value & (value - 1):
            raise self.bad(f"the alignment {value!r} is not a power of two")
        return value

    def tokenizer(self) -> Digest | None:
        """Digest the tokenizer's entries as they stand in the file, the chat template apart."""
        sha = hashlib.sha256()
        spans = [
            span
            for key, span in self.entries.items()
            if key.startswith("tokenizer.") and not key.startswith(CHAT_TEMPLATE)
        ]
        for span in spans:
            self.file.seek(span.offset)
            for step in range(0, span.length, _STEP):
                sha.update(self.file.read(min(_STEP, span.length - step)))
        return Digest(f"sha256:{sha.hexdigest()}") if spans else None

    def text(self, longest: int) -> str:
        """Read a text."""
        data = self.take(self.count("bytes of text", min(longest, self.room), smallest=1))
        self.room -= len(data)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.bad("a text is not UTF-8") from error

    def count(self, what: str, most: int, *, smallest: int) -> int:
        """Read a count of things that take *smallest* bytes each or more."""
        value = self.number("<Q")
        if value > most:
            raise self.bad(f"it claims {value} {what}; {most} are allowed")
        if value * smallest > self.size - self.at:
            raise self.bad(f"it claims {value} {what}, more than the file can hold")
        return value

    def number(self, form: str) -> int:
        """Read an integer."""
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def take(self, length: int) -> bytes:
        """Read *length* bytes, which the caller has bounded."""
        data = self.file.read(length)
        self.at += length
        if len(data) != length:
            raise self.bad("it ends inside its header")
        return data

    def skip(self, length: int) -> None:
        """Pass over *length* bytes, which the caller has bounded."""
        self.at += length
        self.file.seek(self.at)

    def bad(self, why: str) -> BadHeader:
        """Return the error for this file."""
        return BadHeader(path=self.path, format="GGUF", why=why)
