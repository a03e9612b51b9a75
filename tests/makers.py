"""Small weights files and archives, made to measure."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from otium.archive import Archive, Entry, Index, Piece, load_recipe, pack_name
from otium.errors import NotAnArchive
from otium.records import Instant, ModelId
from otium.store import Store
from otium.testing import MemoryStore

NOW = Instant("2026-11-22T00:00:00Z")
SMOL, SUCCESSOR = ModelId("smol-1"), ModelId("smol-2.1")
PROJECT = Path(__file__).parent.parent
F32 = 0


class Weights(NamedTuple):
    """One tensor to write."""

    name: str
    data: bytes
    shape: tuple[int, ...]
    dtype: str | int = "F32"


def floats(name: str, first: int, count: int) -> Weights:
    """Return a tensor of *count* floats that no other *first* gives."""
    return Weights(name, struct.pack(f"<{count}f", *range(first, first + count)), (count,))


def safetensors(tensors: Iterable[Weights]) -> bytes:
    """Return a safetensors file."""
    header, data = {}, b""
    for tensor in tensors:
        end = len(data) + len(tensor.data)
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [len(data), end],
        }
        data += tensor.data
    return safetensors_of(json.dumps(header).encode(), data)


def safetensors_of(header: bytes, data: bytes = b"") -> bytes:
    """Return a safetensors file with just this header, sound or not."""
    return struct.pack("<Q", len(header)) + header + data


def text(value: str | bytes) -> bytes:
    """Return a text as GGUF writes it."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(item: object) -> bytes:
    """Return a metadata value with its type, as GGUF writes it."""
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    if isinstance(item, bool):
        return struct.pack("<I?", 7, item)
    if isinstance(item, int):
        return struct.pack("<II", 4, item)
    if isinstance(item, float):
        return struct.pack("<Id", 12, item)
    assert isinstance(item, list)
    texts = [text(one) for one in item if isinstance(one, str)]
    if texts:
        return struct.pack("<IIQ", 9, 8, len(texts)) + b"".join(texts)
    return struct.pack(f"<IIQ{len(item)}i", 9, 5, len(item), *item)


def info(name: str, shape: Iterable[int], kind: int, offset: int) -> bytes:
    """Return what a GGUF header says about one tensor."""
    dimensions = tuple(shape)
    head = text(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return head + struct.pack("<IQ", kind, offset)


def gguf(
    metadata: Mapping[str, object], tensors: Iterable[Weights], *, align: int = 32, version: int = 3
) -> bytes:
    """Return a GGUF file."""
    infos, data = [], b""
    for tensor in tensors:
        kind = tensor.dtype if isinstance(tensor.dtype, int) else F32
        data += bytes(-len(data) % align)
        infos.append(info(tensor.name, tensor.shape, kind, len(data)))
        data += tensor.data
    pairs = [text(key) + value(item) for key, item in metadata.items()]
    return gguf_of(pairs, infos, data, align=align, version=version)


def gguf_of(
    pairs: list[bytes], infos: list[bytes], data: bytes = b"", *, align: int = 32, version: int = 3
) -> bytes:
    """Return a GGUF file of these parts, sound or not."""
    start = b"GGUF" + struct.pack("<IQQ", version, len(infos), len(pairs))
    header = start + b"".join(pairs) + b"".join(infos)
    return header + bytes(-len(header) % align) + data


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write *files* below *path* and return it."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def archive_in(store: Store) -> Archive:
    """Return a new archive in *store*."""
    return Archive.create(
        store, archive_id="test", created=NOW, origin="example.org/log", keys=["log+1234+key"]
    )


def family(root: Path) -> dict[ModelId, Path]:
    """Write a model and its successor, which shares most tensors with it."""
    layers = [floats(f"layer.{n}", 1000 * n, 500) for n in range(4)]
    template = {"tokenizer.chat_template": "{{ messages }}", "tokenizer.ggml.tokens": ["a", "b"]}
    return {
        SMOL: folder(
            root / "smol",
            {
                "model.gguf": gguf({"general.name": "smol", **template}, layers),
                "config.json": b'{"model_type": "tiny"}',
                "nested/vocab.txt": b"one\ntwo\n",
                "empty.txt": b"",
            },
        ),
        SUCCESSOR: folder(
            root / "successor",
            {
                "model.gguf": gguf({"general.name": "smol", **template}, layers),
                "adapter.safetensors": safetensors([floats("lora", 9000, 50)]),
                "config.json": b'{"model_type": "tiny"}',
            },
        ),
    }


def sha256(data: bytes) -> str:
    """Return the digest of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def kept(store: Store) -> dict[str, Entry]:
    """Return each piece that an index of *store* names, by its SHA-256."""
    found = (Index.decode(store.get(name)) for name in store.list("indexes/"))
    return {piece.sha256: piece for index in found for piece in index.pieces}


def pieces_of(archive: Archive, model: ModelId, path: str) -> list[Piece]:
    """Return the pieces of a deposited file, in order."""
    [file] = [file for file in archive.manifest(model).files if file.path == path]
    recipe = load_recipe(archive.store, file.recipe)
    return [recipe.pieces[number] for number in recipe.order]


def spoil(store: MemoryStore, piece: Piece) -> str:
    """Flip a bit of a piece as it is stored; return the name of the pack."""
    name = pack_name(piece.pack)
    data = bytearray(store.objects[name])
    data[piece.offset] ^= 1
    store.objects[name] = bytes(data)
    return name


def fill(archive: Archive, files: Mapping[ModelId, Path]) -> Archive:
    """Deposit the family and two more records."""
    for model, path in files.items():
        archive.add(
            model,
            path,
            deposited=NOW,
            runtime={"engine": "1"},
            sampling={"temperature": 0.7},
        )
    for name in ("notice.json", "interviews/1.json"):
        archive.put_record(SMOL, name, name.encode(), now=NOW, message=f"File {name}")
    return archive


def work(store: Store, files: dict[ModelId, Path]) -> None:
    """Do what a house does in its first days; may be begun again."""
    try:
        archive = Archive.open(store)
    except NotAnArchive:
        archive = archive_in(store)
    for model, path in files.items():
        archive.add(model, path, deposited=NOW, runtime={"engine": "1"})
        archive.put_record(model, "notice.json", b"{}", now=NOW, message="Notice")


def tree(root: Path) -> dict[str, bytes]:
    """Return each file below *root*, hidden ones too, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
