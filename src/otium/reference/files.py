"""The files of a model, read as if each were an attack: safetensors and GGUF.

safetensors: eight bytes with the length of a JSON header, the header (name: dtype, shape and
where the bytes lie), the bytes. https://github.com/huggingface/safetensors, README, "Format".
GGUF, version 2 or 3: magic, version, counts, metadata, what tensors there are, padding, their
bytes. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. All numbers are little-endian.

A length or count is believed only if that many bytes are still in the file.
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .blocks import GGML, SAFETENSORS, Kind, Refused, Stored

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
            10: "<Q", 11: "<q", 12: "<d"}  # fmt: skip
_TEXT, _ARRAY = 8, 9
_LONGEST_HEADER = 100 << 20
_LARGEST_JSON = 256 << 20
_MOST_DIMENSIONS = 4


@dataclass
class Files:
    """What the files of one model say: its tensors, and the text around them."""

    tensors: dict[str, Stored]
    gguf: dict[str, Any] = field(default_factory=dict)
    """The metadata of a GGUF file; empty for safetensors."""
    config: dict[str, Any] = field(default_factory=dict)
    """``config.json``, with ``eos_token_id`` from ``generation_config.json`` if that names it."""
    tokenizer: dict[str, Any] = field(default_factory=dict)
    """``tokenizer.json``."""
    template: str | None = None
    """The chat template's text."""


def read(path: Path) -> Files:
    """Read the model at or under *path*; raise Refused if there is not exactly one."""
    paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    ggufs = {p: read_gguf(p) for p in paths if p.suffix == ".gguf"}
    bases = [p for p, found in ggufs.items() if found.gguf.get("general.type") != "adapter"]
    if len(bases) == 1:
        return ggufs[bases[0]]
    shards = [p for p in paths if p.suffix == ".safetensors"]
    if bases or not shards:
        raise Refused(f"{path} holds {len(bases)} GGUF models and {len(shards)} safetensors files")
    return read_folder(shards)


def adapter_in(path: Path) -> Path | None:
    """Return the one adapter in a model's folder, or None; raise Refused if there are several."""
    paths = [] if path.is_file() else sorted(path.rglob("*.gguf"))
    found = [p for p in paths if read_gguf(p).gguf.get("general.type") == "adapter"]
    if len(found) > 1:
        raise Refused(f"{path} holds {len(found)} adapters")
    return found[0] if found else None


def read_folder(shards: list[Path]) -> Files:
    """Read safetensors files, and the JSON files beside the first of them."""
    folder = shards[0].parent
    tensors: dict[str, Stored] = {}
    for shard in shards:
        for name, stored in read_safetensors(shard).items():
            if name in tensors:
                raise Refused(f"{shard.name}: {name} is there twice")
            tensors[name] = stored
    index = _json(folder / "model.safetensors.index.json").get("weight_map", {})
    if missing := sorted(set(index) - set(tensors)):
        raise Refused(f"{folder.name}: {missing[0]} is in the index and in no file")
    config = _json(folder / "config.json")
    ends = _json(folder / "generation_config.json").get("eos_token_id")
    if ends is not None:
        config["eos_token_id"] = ends
    template = folder / "chat_template.jinja"
    text = _text(template) if template.is_file() else None
    said = text or _json(folder / "tokenizer_config.json").get("chat_template")
    return Files(
        tensors,
        config=config,
        tokenizer=_json(folder / "tokenizer.json"),
        template=said if isinstance(said, str) else None,
    )


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST_JSON:
        raise Refused(f"{path.name} is too large")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path.name} is not UTF-8") from error


def _json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty if there is no such file."""
    return _object(_text(path), path.name) if path.is_file() else {}


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is not JSON") from error
    if not isinstance(found, dict):
        raise Refused(f"{name} is not a JSON object")
    return found


class Reader:
    """A file in memory (mapped, not read) and how far it was read."""

    def __init__(self, path: Path) -> None:
        """Map the file at *path*."""
        self.name, self.at = path.name, 0
        try:
            with path.open("rb") as file:
                self.data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (ValueError, OSError) as error:  # mmap calls an empty file a ValueError
            raise Refused(f"{path.name} cannot be read: {error}") from error

    def take(self, length: int) -> memoryview:
        """Return the next *length* bytes."""
        if not 0 <= length <= len(self.data) - self.at:
            raise Refused(f"{self.name} ends within what it announces")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, form: str) -> Any:
        """Return the next number, of a ``struct`` form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        """Return the next text of a GGUF file. What is not UTF-8 in it is kept by escapes."""
        return str(self.take(self.number("<Q")), "utf-8", "surrogateescape")

    def value(self, kind: int, *, inside: bool = False) -> Any:
        """Return the next value of a GGUF file's metadata. Arrays of arrays are refused."""
        if kind == _TEXT:
            return self.text()
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind != _ARRAY or inside:
            raise Refused(f"{self.name}: metadata of type {kind}")
        kind, count = self.number("<I"), self.number("<Q")
        if kind in _SCALARS:
            form = np.dtype(_SCALARS[kind])
            return np.frombuffer(self.take(count * form.itemsize), form).tolist()
        if count * 8 > len(self.data) - self.at:
            raise Refused(f"{self.name} ends within what it announces")
        return [self.value(kind, inside=True) for _ in range(count)]


def _stored(reader: Reader, shape: tuple[int, ...], kind: Kind, start: int, end: int) -> Stored:
    """Return a tensor at *start* that must end at *end*, or nowhere in particular (-1)."""
    if len(shape) > _MOST_DIMENSIONS:
        raise Refused(f"{reader.name}: a tensor has {len(shape)} dimensions")
    row = shape[-1] if shape else 1
    count = math.prod(shape)
    size = count // kind.weights * kind.size
    if not start <= start + size <= len(reader.data) or end not in {-1, start + size}:
        raise Refused(f"{reader.name}: a tensor lies outside the file")
    if count == 0 or row % kind.weights:
        raise Refused(f"{reader.name}: a tensor of shape {shape} cannot be {kind.name}")
    return Stored(shape, kind, np.frombuffer(reader.data[start : start + size], np.uint8))


def read_safetensors(path: Path) -> dict[str, Stored]:
    """Return the tensors of one file; raise Refused."""
    reader = Reader(path)
    length = reader.number("<Q")
    if length > _LONGEST_HEADER:
        raise Refused(f"{path.name} announces a header of {length} bytes")
    try:
        header = _object(str(reader.take(length), "utf-8"), path.name)
        header.pop("__metadata__", None)
        return dict(_listed(reader, header))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, Refused):
            raise
        raise Refused(f"{path.name}: its header is not one of safetensors") from error


def _listed(reader: Reader, header: dict[str, Any]) -> Iterator[tuple[str, Stored]]:
    """Yield the tensors of a header in the order of their bytes, which may not overlap."""
    begin, at = reader.at, 0
    for name, said in sorted(header.items(), key=lambda item: tuple(item[1]["data_offsets"])):
        start, end = said["data_offsets"]
        shape = tuple(said["shape"])
        if not all(isinstance(n, int) and n >= 0 for n in (*shape, start, end)) or start < at:
            raise Refused(f"{reader.name}: {name} lies over another tensor, or nowhere")
        at = end
        if said["dtype"] in SAFETENSORS:  # others are masks and counters; a weight is missed later
            kind = SAFETENSORS[said["dtype"]]
            yield name, _stored(reader, shape, kind, begin + start, begin + end)


def read_gguf(path: Path) -> Files:
    """Return the tensors and the metadata of one file; raise Refused."""
    reader = Reader(path)
    if bytes(reader.take(4)) != b"GGUF":
        raise Refused(f"{path.name} is not a GGUF file")
    if (version := reader.number("<I")) not in {2, 3}:
        raise Refused(f"{path.name} is GGUF version {version}; this reads 2 and 3")
    tensors, keys = reader.number("<Q"), reader.number("<Q")
    metadata: dict[str, Any] = {}
    for _ in range(keys):
        key = reader.text()
        metadata[key] = reader.value(reader.number("<I"))
    if metadata.get("split.count", 1) not in (0, 1):
        raise Refused(f"{path.name} is one part of several; join them first (llama-gguf-split)")
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise Refused(f"{path.name}: its alignment is {alignment}")
    infos = [_info(reader) for _ in range(tensors)]
    begin = reader.at + -reader.at % alignment
    found: dict[str, Stored] = {}
    for name, shape, kind, offset in infos:
        if name in found:
            raise Refused(f"{path.name}: {name} is there twice")
        found[name] = _stored(reader, shape, kind, begin + offset, -1)
    template = metadata.get("tokenizer.chat_template")
    return Files(found, gguf=metadata, template=template if isinstance(template, str) else None)


def _info(reader: Reader) -> tuple[str, tuple[int, ...], Kind, int]:
    """Return name, shape, kind and offset of the next tensor. ggml names the row first."""
    name, dimensions = reader.text(), reader.number("<I")
    if dimensions > _MOST_DIMENSIONS:
        raise Refused(f"{reader.name}: {name} has {dimensions} dimensions")
    shape = tuple(reader.number("<Q") for _ in range(dimensions))[::-1]
    number, offset = reader.number("<I"), reader.number("<Q")
    if number not in GGML:
        raise Refused(f"{reader.name}: {name} is of ggml type {number}, which is not known here")
    return name, shape, GGML[number], offset
