"""The models that are measured: read, cast, quantised, disturbed, written.

Floats are handled as their bits. Values of bf16 and fp16 are widened exactly; narrowing
rounds to nearest, ties to even, as IEEE 754 says.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otium.errors import BadData
from otium.formats import read_safetensors

BASE = "base"
Words = NDArray[np.unsignedinteger]
Floats = NDArray[np.float32]


class Layout(NamedTuple):
    """Where sign, exponent and mantissa lie in a float."""

    bytes: int
    exponent: int
    mantissa: int

    @property
    def bias(self) -> int:
        """Return what is subtracted from the stored exponent."""
        return (1 << (self.exponent - 1)) - 1


FLOATS = {"BF16": Layout(2, 8, 7), "F16": Layout(2, 5, 10), "F32": Layout(4, 8, 23)}
QUANTS = {"Q8_0": 8, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "Q3_K": 11, "Q4_0": 2}
"""The types of llama.cpp that are measured, by their number."""
BLOCKS = {"Q8_0": (32, 34), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
          "Q3_K": (256, 110), "Q4_0": (32, 18)}  # fmt: skip
"""Weights and bytes of one block."""


class Tensor(NamedTuple):
    """One tensor: its bytes, and what they mean."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def weights(self) -> int:
        """Return how many weights it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def row(self) -> int:
        """Return how many weights share a scale: the last dimension, or all of a vector."""
        return self.shape[-1] if len(self.shape) > 1 else max(self.weights, 1)

    def words(self) -> Words:
        """Return the bits of each weight as an unsigned integer, without copying."""
        return np.frombuffer(self.data, f"<u{FLOATS[self.dtype].bytes}")

    def values(self) -> Floats:
        """Return the weights in fp32, exactly."""
        words = self.words()
        if self.dtype == "BF16":
            return (words.astype("<u4") << 16).view("<f4")
        return words.view("<f2" if self.dtype == "F16" else "<f4").astype("<f4", copy=False)


Model = Mapping[str, Tensor]


@dataclass(frozen=True)
class Family:
    """A base and what was made from it."""

    name: str
    files: Mapping[str, Path]
    parents: Mapping[str, str]
    """What each fine-tune was tuned from; the base for those that are not named."""

    def model(self, name: str) -> Model:
        """Read one member."""
        return read_model(self.files[name])

    def parent(self, name: str) -> str:
        """Return what a fine-tune was tuned from."""
        return self.parents.get(name, BASE)

    @property
    def tuned(self) -> list[str]:
        """Return the members that were tuned from another."""
        return [name for name in self.files if name != BASE]


def read_family(directory: Path) -> Family:
    """Return the family in *directory*: ``base.safetensors`` and its fine-tunes.

    Files whose types differ from the base's (its fp32 original, adapters) are not of it.
    ``parents.json`` may say what was tuned from what. Raises BadData without a base.
    """
    files = {path.stem: path for path in sorted(directory.glob("*.safetensors"))}
    if BASE not in files:
        raise BadData(path=directory, why=f"it holds no {BASE}.safetensors")
    like = _kinds(files[BASE])
    files = {name: path for name, path in files.items() if _kinds(path) == like}
    listed = directory / "parents.json"
    parents = json.loads(listed.read_text()) if listed.is_file() else {}
    return Family(directory.name, {BASE: files.pop(BASE), **files}, parents)


def _kinds(path: Path) -> list[tuple[str, str, tuple[int, ...]]]:
    with path.open("rb") as file:
        extents = read_safetensors(file, path.stat().st_size, path.name)
    return [(extent.name, extent.dtype, extent.shape) for extent in extents if extent.name]


def read_model(path: Path) -> Model:
    """Read the floating-point tensors of a safetensors file; raise BadHeader."""
    size = path.stat().st_size
    found = {}
    with path.open("rb") as file:
        for extent in read_safetensors(file, size, path.name):
            if extent.dtype in FLOATS:
                file.seek(extent.offset)
                data = file.read(extent.length)
                found[extent.name] = Tensor(extent.name, extent.dtype, extent.shape, data)
    return found


def write_model(path: Path, model: Model) -> None:
    """Write a safetensors file, its header padded to 8 bytes."""
    header: dict[str, object] = {}
    at = 0
    for name, tensor in model.items():
        end = at + len(tensor.data)
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, end],
        }
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(tensor.data for tensor in model.values())


def narrow(values: Floats, dtype: str) -> bytes:
    """Return fp32 values in *dtype*, rounded to nearest, ties to even."""
    if dtype == "F32":
        return values.astype("<f4", copy=False).tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2")
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype("<u2").tobytes()


def cast(model: Model, dtype: str) -> Model:
    """Return *model* in another floating-point type."""
    return {
        name: tensor._replace(dtype=dtype, data=narrow(tensor.values(), dtype))
        for name, tensor in model.items()
    }


def disturbed(model: Model, ratio: float) -> Model:
    """Return a synthetic fine-tune: each tensor plus gaussian noise.

    The noise has the standard deviation *ratio* times the tensor's own. The seed is the
    tensor's name, so that everybody measures the same bytes.
    """
    return {name: _disturbed(tensor, ratio) for name, tensor in model.items()}


def _disturbed(tensor: Tensor, ratio: float) -> Tensor:
    values = tensor.values()
    seed = hashlib.sha256(f"{tensor.name} {ratio}".encode()).digest()[:8]
    noise = np.random.default_rng(int.from_bytes(seed, "little")).standard_normal(
        values.size, np.float32
    )
    noise *= np.float32(ratio) * values.std()
    return tensor._replace(data=narrow(values + noise, tensor.dtype))


def change(model: Model, base: Model) -> float:
    """Return how far *model* is from *base*: the deviation of the change over the weights' own.

    Each tensor counts by its weights; tensors that *base* lacks do not count.
    """
    whole, share = 0, 0.0
    for tensor in model.values():
        other = partner(tensor, [base])
        deviation = float(tensor.values().std()) if tensor.weights else 0.0
        if other is None or not deviation:
            continue
        moved = float((tensor.values() - other.values()).std())
        whole += tensor.weights
        share += tensor.weights * moved / deviation
    return share / whole if whole else 0.0


def quantised(model: Model, kind: str) -> Model:
    """Return the matrices whose rows are whole blocks, quantised as llama.cpp does it.

    The quantisers are those of the library inside xllamacpp. Raises KeyError for a kind that
    is not in `QUANTS`.
    """
    block = BLOCKS[kind][0]
    fit = [t for t in model.values() if len(t.shape) == 2 and t.shape[1] % block == 0]  # noqa: PLR2004
    return {t.name: t._replace(dtype=kind, data=_quantise(t, kind)) for t in fit}


def _quantise(tensor: Tensor, kind: str) -> bytes:
    import ctypes

    import xllamacpp.xllamacpp as engine

    weights, size = BLOCKS[kind]
    rows, row = tensor.shape
    values = np.ascontiguousarray(tensor.values(), np.float32)
    out = ctypes.create_string_buffer(rows * row // weights * size)
    run = ctypes.CDLL(engine.__file__).ggml_quantize_chunk
    run.restype = ctypes.c_size_t
    run.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        *[ctypes.c_int64] * 3,
        ctypes.c_void_p,
    ]
    run(QUANTS[kind], values.ctypes.data, ctypes.addressof(out), 0, rows, row, None)
    return out.raw


def cut(tensor: Tensor, most: int) -> Iterator[Tensor]:
    """Yield *tensor* in parts of whole rows with at most *most* weights each (or one row)."""
    rows = tensor.weights // tensor.row if tensor.weights else 0
    step = max(most // tensor.row, 1)
    if rows <= step:
        yield tensor
        return
    width = len(tensor.data) // rows
    for first in range(0, rows, step):
        count = min(step, rows - first)
        part = tensor.data[first * width : (first + count) * width]
        yield tensor._replace(shape=(count, tensor.row), data=part)


def partner(tensor: Tensor, models: Sequence[Model]) -> Tensor | None:
    """Return the tensor of the same name and shape in the first model that has it."""
    for model in models:
        other = model.get(tensor.name)
        if other is not None and other.shape == tensor.shape:
            return other
    return None
