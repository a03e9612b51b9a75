"""Reading the header of a safetensors file that nobody vouches for.

A file is: the header's length (8 bytes, little-endian), the header (JSON), the tensors'
bytes. Nothing is allocated before its size is known to be in the file and under a limit.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from otium.errors import BadHeader
from otium.formats.extent import Extent

LONGEST_HEADER = 25_000_000
"""Bytes. The largest seen in the wild are under half of it."""

_PREFIX = 8
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """What the header says about one tensor."""

    dtype: str
    shape: Annotated[list[_Count], Meta(max_length=32)]
    data_offsets: tuple[_Count, _Count]


def read_safetensors(file: BinaryIO, size: int, path: str) -> list[Extent]:
    """Return the extents of a file of *size* bytes: its header, then each tensor in order.

    Raises BadHeader unless the tensors cover the rest of the file exactly once.
    """
    header = _header(file, size, path)
    entries = _entries(header, path)
    start = _PREFIX + len(header)
    extents = [Extent(0, start)]
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        first, last = entry.data_offsets
        if start + first != extents[-1].end:
            raise _bad(path, f"tensor {name!r} overlaps another, or leaves a gap before it")
        if last - first != _length(name, entry, path):
            raise _bad(path, f"tensor {name!r} does not have the size of its type and shape")
        if start + last > size:
            raise _bad(path, f"tensor {name!r} ends beyond the file")
        extents.append(Extent(start + first, last - first, name, entry.dtype, tuple(entry.shape)))
    if extents[-1].end != size:
        raise _bad(path, f"{size - extents[-1].end} bytes belong to no tensor")
    return extents


def _header(file: BinaryIO, size: int, path: str) -> bytes:
    if size < _PREFIX:
        raise _bad(path, "it is shorter than a header")
    length = int.from_bytes(file.read(_PREFIX), "little")
    if length > LONGEST_HEADER:
        raise _bad(path, f"its header claims {length} bytes; {LONGEST_HEADER} are allowed")
    if length > size - _PREFIX:
        raise _bad(path, f"its header claims {length} bytes; {size - _PREFIX} are left in the file")
    header = file.read(length)
    if len(header) != length or not header.startswith(b"{"):
        raise _bad(path, "its header is not a JSON object")
    return header


def _entries(header: bytes, path: str) -> dict[str, _Entry]:
    """Decode the header: types first, so that no junk is built, then repeated keys."""
    try:
        parts = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        notes = parts.pop("__metadata__", None)
        if notes is not None:
            msgspec.json.decode(notes, type=dict[str, str])
        entries = {name: msgspec.json.decode(raw, type=_Entry) for name, raw in parts.items()}
        json.loads(header, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"its header cannot be read: {error}") from error
    return entries


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _length(name: str, entry: _Entry, path: str) -> int:
    if entry.dtype not in _BITS:
        raise _bad(path, f"tensor {name!r} has the unknown type {entry.dtype!r}")
    bits = _BITS[entry.dtype] * math.prod(entry.shape)
    if bits % 8:
        raise _bad(path, f"tensor {name!r} does not end on a byte")
    return bits // 8


def _bad(path: str, why: str) -> BadHeader:
    return BadHeader(path=path, format="safetensors", why=why)
