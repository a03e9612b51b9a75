"""One pass over what someone hands over: every byte digested, every file cut into pieces.

A piece is a header, a tensor, padding, or a part of these. Writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from otium.archive.packs import CHUNK
from otium.archive.records import Format, Tensor
from otium.errors import NoWeights
from otium.formats import (
    INERT_WEIGHTS,
    TYPES,
    Extent,
    Gguf,
    Known,
    Source,
    read_gguf,
    read_safetensors,
    sources,
)
from otium.records import Digest, Progress, canonical, digest

MOST_WEIGHTS = 1 << 22
"""In one piece."""
LEAST_ROW = 128
LONGEST_PIECE = 4 << 20
"""Bytes of a piece that is no tensor."""
_FORMATS: dict[str, Format] = {
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".json": "json",
    ".txt": "text",
    ".md": "text",
    ".jinja": "text",
}
_BLOCKS = {name: block for name, block, _ in TYPES.values()}


@dataclass(frozen=True)
class Cut:
    """Consecutive bytes of a source that become one piece."""

    source: Source
    offset: int
    length: int
    sha256: str
    tensor: str = ""
    """The tensor that they belong to, with its type and row length; empty for other bytes."""
    dtype: str = ""
    row: int = 1
    first: int = 0
    """The row with which they begin."""
    head: int = 0
    """Rows of an attention head, if llama.cpp's converter has permuted them; else 0."""
    columns: int = 1
    """Of the tensor, if it is a matrix; else 1."""

    def heads(self, rows: int) -> int:
        """Return how many whole heads so many rows are; 0 if they are none."""
        return rows // self.head if self.head and rows % self.head == 0 else 0

    def read(self) -> bytes:
        """Return the bytes; raise BadDeposit if the file does not have them any more."""
        with self.source.open() as file:
            file.seek(self.offset)
            data = file.read(self.length)
        if len(data) != self.length:
            raise self.source.changed()
        return data


@dataclass(frozen=True)
class Survey(Known):
    """What one pass over a source found: all that its manifest entry and recipe need."""

    blake3: str
    format: Format
    tensors: tuple[Tensor, ...]
    cuts: tuple[Cut, ...]

    @property
    def holds_weights(self) -> bool:
        """Whether a tensor was found, or the file is of a kind that is not looked into."""
        return bool(self.tensors) or self.source.suffix in INERT_WEIGHTS


def survey(files: Path, progress: Progress, rows: Callable[[str], Sequence[int]]) -> list[Survey]:
    """Read all files of a deposit once; raise BadDeposit, or NoWeights."""
    found = sources(files)
    total, done = sum(source.size for source in found), 0
    surveys = []
    for source in found:
        surveys.append(Reading(source, rows).survey(progress, done, total))
        done += source.size
    if not any(one.holds_weights for one in surveys):
        raise NoWeights(path=files)
    return surveys


def weights_of(surveys: Iterable[Survey]) -> Digest:
    """Return the digest that names the weights of these files."""
    return weights_digest((one.source.path, one.sha256) for one in surveys)


def weights_digest(files: Iterable[tuple[str, str]]) -> Digest:
    """Return the digest that names weights: of the JSON list of ``[path, sha256]`` in order."""
    return digest(canonical([list(pair) for pair in sorted(files)]))


def layout(source: Source, file: BinaryIO) -> tuple[Format, list[Extent], Gguf | None]:
    """Return the extents of an open source, from its header; raise BadHeader."""
    form = _FORMATS.get(source.suffix, "inert")
    if form == "safetensors":
        return form, read_safetensors(file, source.size, source.path), None
    if form == "gguf":
        gguf = read_gguf(file, source.size, source.path)
        return form, gguf.extents, gguf
    return form, [Extent(0, source.size)], None


def row_length(extent: Extent, form: Format) -> int:
    """Return how many weights a row has, at the most MOST_WEIGHTS: those that lie side by side.

    Short dimensions, as a convolution's, are taken together until a row has 128 weights.
    """
    shape = extent.shape if form == "gguf" else extent.shape[::-1]
    row = 1
    for dimension in shape:
        if row >= LEAST_ROW and row > 1:
            break
        row *= max(dimension, 1)
    # A row may not be longer than a piece; so long a vector is taken weight by weight.
    return row if row <= MOST_WEIGHTS else _BLOCKS.get(extent.dtype, 1)


class Reading:
    """One pass over one source, which digests it whole, in tensors and in pieces."""

    def __init__(self, source: Source, rows: Callable[[str], Sequence[int]]) -> None:
        """Begin; *rows* tells after which rows of a tensor a relative's ends."""
        self.source, self.rows = source, rows
        self.whole, self.fast = hashlib.sha256(), blake3()
        self.cuts: list[Cut] = []
        self.tensors: list[Tensor] = []
        self.head = 0

    def survey(self, progress: Progress, before: int, total: int) -> Survey:
        """Read the file; tell *progress*, which has heard of *before* of *total* bytes."""
        with self.source.open() as file:
            form, extents, gguf = layout(self.source, file)
            file.seek(0)
            for extent in extents:
                self.head = _head(extent, gguf)
                sha256 = self._extent(file, extent, row_length(extent, form))
                if extent.dtype:
                    self.tensors.append(_tensor(extent, sha256))
                progress("reading", before + extent.end, total)
        return Survey(
            self.source,
            self.whole.hexdigest(),
            gguf,
            self.fast.hexdigest(),
            form,
            tuple(self.tensors),
            tuple(self.cuts),
        )

    def _extent(self, file: BinaryIO, extent: Extent, row: int) -> str:
        """Digest an extent, cut where it is longer than a piece may be."""
        ends = list(self._ends(extent, row))
        columns = extent.shape[-1] if len(extent.shape[1:]) == 1 else 1
        tensor = hashlib.sha256() if len(ends) > 1 else None
        start = 0
        for end, first in ends:
            sha256 = self._piece(file, end - start, tensor)
            self.cuts.append(
                Cut(
                    self.source, extent.offset + start, end - start, sha256,
                    extent.name, extent.dtype, row, first, self.head, columns,
                )
            )  # fmt: skip
            start = end
        return tensor.hexdigest() if tensor else self.cuts[-1].sha256

    def _ends(self, extent: Extent, row: int) -> Iterator[tuple[int, int]]:
        """Yield where each piece ends, in bytes from the extent's start, and its first row."""
        rows = _rows(extent, row)
        if not rows:
            for end in chain(range(LONGEST_PIECE, extent.length, LONGEST_PIECE), [extent.length]):
                yield end, 0
            return
        bytes_a_row = extent.length // rows
        together = max(1, MOST_WEIGHTS // row)
        marks = {*range(together, rows, together), *self.rows(extent.name), rows}
        first = 0
        for mark in sorted(mark for mark in marks if 0 < mark <= rows):
            yield mark * bytes_a_row, first
            first = mark

    def _piece(self, file: BinaryIO, length: int, tensor: hashlib._Hash | None) -> str:
        sha, left = hashlib.sha256(), length
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise self.source.changed()
            left -= len(chunk)
            sha.update(chunk)
            self.whole.update(chunk)
            self.fast.update(chunk)
            if tensor is not None:
                tensor.update(chunk)
        return sha.hexdigest()


def _head(extent: Extent, gguf: Gguf | None) -> int:
    """Return how many rows an attention head has in a query or key tensor of a GGUF file."""
    for part, key in ((".attn_q.", "head_count"), (".attn_k.", "head_count_kv")):
        if gguf is not None and part in extent.name and extent.shape:
            architecture = gguf.metadata.get("general.architecture")
            heads = gguf.metadata.get(f"{architecture}.attention.{key}")
            if isinstance(heads, int) and heads > 0 and extent.shape[-1] % (2 * heads) == 0:
                return extent.shape[-1] // heads
    return 0


def _rows(extent: Extent, row: int) -> int:
    """Return into how many rows of whole bytes a tensor's bytes fall; 0 if they do not."""
    block = _BLOCKS.get(extent.dtype, 1)
    count = 1
    for dimension in extent.shape:
        count *= dimension
    if not extent.dtype or not count or row % block or extent.length % (count // row):
        return 0
    return count // row


def _tensor(extent: Extent, sha256: str) -> Tensor:
    return Tensor(
        name=extent.name,
        dtype=extent.dtype,
        shape=extent.shape,
        offset=extent.offset,
        length=extent.length,
        sha256=sha256,
    )
