"""Coders of one tensor: otium's and its peers', behind one seam.

A peer is at its best here: in C where it is published in C, on one core, with its own default
settings. What is not installed is named with the command that installs it.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from otium.bench.data import Tensor, Words, cut

Bytes = NDArray[np.uint8]
Buffer = bytes | bytearray | memoryview
PIECE = 1 << 23
"""Weights in one piece of the archive's."""
_CHUNK = 1 << 20


class Piece(NamedTuple):
    """How otium coded a piece: codec, stored bytes, size, and what it is decoded with."""

    codec: str
    stored: bytes
    size: int
    based: bool = False
    factors: tuple[Piece, ...] = ()
    """Pieces of a low-rank update that was found, kept beside it."""

    def parts(self) -> list[bytes]:
        """Return all stored bytes."""
        return [self.stored, *(factor.stored for factor in self.factors)]


class Coded(NamedTuple):
    """What one tensor became."""

    parts: Sequence[bytes]
    pieces: Sequence[Piece] = ()
    """The same by pieces, for otium."""

    @property
    def size(self) -> int:
        """Return the stored bytes."""
        return sum(map(len, self.parts))


class Peer:
    """Something that may not be installed."""

    name: str
    modules: tuple[str, ...] = ()
    """What must be importable."""
    package: str = ""
    """What installs it."""
    slow: bool = False
    """Measured once, and left out of quick runs."""

    def missing(self) -> str | None:
        """Return what would install it, or None if it can run."""
        found = all(importlib.util.find_spec(module) for module in self.modules)
        return None if found else f"pip install {self.package}"

    def library(self, module: str = "") -> ModuleType:
        """Return a module of what is installed, the first that it needs unless named."""
        return import_module(module or self.modules[0])


class Coder(Peer, ABC):
    """A way to code one tensor, given another or on its own."""

    @abstractmethod
    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Return the coded tensor."""

    @abstractmethod
    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:
        """Return the bytes again; of *like* only type and shape are used."""


class Otium(Coder):
    """The codecs of this package: each piece takes the smallest."""

    name = "otium"

    def __init__(self, *, alone: bool = False) -> None:
        """Code against the base, or without it if *alone*."""
        self.alone = alone
        if alone:
            self.name = "otium, no base"

    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Cut into pieces as the archive does, and code each."""
        cuts = list(cut(tensor, PIECE))
        beside = self._beside(cuts, base)
        pieces = [self._encode(one, bases) for one, bases in zip(cuts, beside, strict=True)]
        return Coded([part for piece in pieces for part in piece.parts()], pieces)

    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:
        """Decode piece by piece."""
        from otium.codec import decode

        whole = []
        beside = self._beside(list(cut(like, PIECE)), base)
        for piece, bases in zip(coded.pieces, beside, strict=True):
            buffers: list[Buffer] = [b.data for b in bases] if piece.based else []
            buffers += [decode(f.codec, f.stored, f.size) for f in piece.factors]
            whole.append(decode(piece.codec, piece.stored, piece.size, buffers))
        return whole[0] if len(whole) == 1 else b"".join(whole)

    @staticmethod
    def _encode(piece: Tensor, bases: Sequence[Tensor]) -> Piece:
        from otium.codec import Base, encode

        one = encode(piece.data, piece.dtype, piece.row, [Base(b.data, b.dtype) for b in bases])
        factors: list[Piece] = []
        if one.factors is not None:
            thin = ((one.factors.down, piece.row), (one.factors.up, one.factors.rank))
            for data, row in thin:
                factor = encode(data, "BF16", row)
                factors.append(Piece(factor.codec, bytes(factor.stored), len(data)))
        based = one.base is not None
        return Piece(one.codec, bytes(one.stored), len(piece.data), based, tuple(factors))

    def _beside(self, cuts: Sequence[Tensor], base: Tensor | None) -> list[Sequence[Tensor]]:
        known = list(cut(base, PIECE)) if base and not self.alone else []
        return [known[index : index + 1] for index in range(len(cuts))]


class BitX(Coder):
    """XOR with the base, two planes, zstd -3 on chunks of 1 MiB; alone zstd -3.

    Re-implemented from Wang et al., ZipLLM (NSDI 2026, arXiv:2505.06252). fp32 goes into four
    byte planes. The transform is compiled at first use if there is a C compiler.
    """

    name = "BitX"
    modules = ("zstandard",)
    package = "zstandard==0.25.0"

    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Return the chunks, each plane's after the other's."""
        compress = _compress(3)
        words = tensor.words()
        return Coded(
            [
                compress(plane)
                for span in _spans(words.size)
                for plane in self._apart(words[span], base.words()[span] if base else None)
            ]
        )

    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:
        """Undo the planes and the XOR, chunk by chunk."""
        decompress, parts = _decompress(), iter(coded.parts)
        out = np.empty(like.weights, like.words().dtype)
        for span in _spans(like.weights):
            if base is None:
                out[span] = np.frombuffer(decompress(next(parts)), out.dtype)
                continue
            other = base.words()[span]
            count = out.itemsize
            apart = [np.frombuffer(decompress(next(parts)), np.uint8) for _ in range(count)]
            if count == 2:  # noqa: PLR2004
                planes().join(apart[0], apart[1], other, out[span])
            else:
                out[span] = np.stack(apart, 1).reshape(-1).view(out.dtype) ^ other
        return out.data.cast("B")

    @staticmethod
    def _apart(words: Words, other: Words | None) -> Sequence[Bytes | Words]:
        if other is None:
            return [words]
        if words.itemsize == 2:  # noqa: PLR2004
            return planes().split(words, other)
        return list((words ^ other).view(np.uint8).reshape(-1, words.itemsize).T.copy())


class Zstd(Coder):
    """Zstandard at one level; with a base on the XOR with it."""

    modules = ("zstandard",)
    package = "zstandard==0.25.0"

    def __init__(self, level: int) -> None:
        """Use *level*."""
        self.level, self.slow = level, level > 3  # noqa: PLR2004
        self.name = f"zstd -{level}"

    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Compress a tensor, or its XOR with the base, in one frame."""
        data = _apart(tensor, base)
        return Coded([_compress(self.level)(data)])

    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:
        """Decompress, and undo the XOR."""
        return _back(_decompress()(coded.parts[0]), like, base)


class ZipNN(Coder):
    """ZipNN (Hershcovitch et al., arXiv:2411.05239) on one thread; with a base on the XOR."""

    name = "ZipNN"
    modules = ("zipnn",)
    package = "zipnn==0.5.4"
    _types = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}

    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Compress a copy, since ZipNN overwrites what it is given."""
        data = _apart(tensor, base)
        return Coded([bytes(self._zipnn(tensor.dtype).compress(bytearray(data)))])

    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:
        """Decompress, and undo the XOR."""
        plain = self._zipnn(like.dtype).decompress(bytearray(coded.parts[0]))
        return _back(bytes(plain), like, base)

    @cache  # noqa: B019 - a handful of types
    def _zipnn(self, dtype: str) -> _ByteCoder:
        kind = self._types[dtype]
        coder: _ByteCoder = self.library().ZipNN(
            input_format="byte", bytearray_dtype=kind, threads=1
        )
        return coder


class Z4ai(Coder):
    """z4ai, with its delta mode if there is a base."""

    name = "z4ai"
    modules = ("z4ai",)
    package = "z4ai==0.2.0"
    slow = True
    _types = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}

    def encode(self, tensor: Tensor, base: Tensor | None) -> Coded:
        """Compress on one thread."""
        z4ai = self.library()
        dtype = self._types[tensor.dtype]
        if base is None:
            return Coded([z4ai.compress(tensor.data, dtype=dtype, threads=1)])
        return Coded([z4ai.compress_delta(tensor.data, base.data, dtype=dtype, threads=1)])

    def decode(self, coded: Coded, like: Tensor, base: Tensor | None) -> Buffer:  # noqa: ARG002
        """Decompress."""
        z4ai = self.library()
        if base is None:
            return bytes(z4ai.decompress(coded.parts[0]))
        return bytes(z4ai.decompress_delta(coded.parts[0], base.data))


class _ByteCoder(ABC):
    """What of ZipNN is used."""

    @abstractmethod
    def compress(self, data: bytearray) -> bytes:
        """Compress, overwriting *data*."""

    @abstractmethod
    def decompress(self, data: bytearray) -> bytes:
        """Decompress."""


class Planes(NamedTuple):
    """BitX's transform, forth and back."""

    split: Callable[[Words, Words], list[Bytes]]
    join: Callable[[Bytes, Bytes, Words, Words], None]
    """From two planes and the base into the array given last."""
    compiled: bool


@cache
def planes() -> Planes:
    """Return the transform, compiled if this machine can."""
    import ctypes

    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return Planes(_split, _join, compiled=False)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "planes.so"
        source = Path(__file__).with_name("planes.c")
        flags = ("-O3", "-march=native", "-shared", "-fPIC", "-o", str(target))
        built = subprocess.run([compiler, *flags, str(source)], check=False, capture_output=True)
        if built.returncode:
            return Planes(_split, _join, compiled=False)
        library = ctypes.CDLL(str(target))
    return _compiled(library.split, library.join)


def _compiled(split: Callable[..., object], join: Callable[..., object]) -> Planes:
    import ctypes

    def at(array: NDArray[Any]) -> ctypes.c_void_p:
        return ctypes.c_void_p(array.ctypes.data)

    def apart(a: Words, b: Words) -> list[Bytes]:
        high, low = np.empty(a.size, np.uint8), np.empty(a.size, np.uint8)
        split(at(a), at(b), ctypes.c_size_t(a.size), at(high), at(low))
        return [high, low]

    def together(high: Bytes, low: Bytes, b: Words, out: Words) -> None:
        join(at(high), at(low), at(b), ctypes.c_size_t(b.size), at(out))

    return Planes(apart, together, compiled=True)


def _split(a: Words, b: Words) -> list[Bytes]:
    x = a ^ b
    return [(x >> 7).astype(np.uint8), (x >> 8 & 0x80 | x & 0x7F).astype(np.uint8)]


def _join(high: Bytes, low: Bytes, b: Words, out: Words) -> None:
    wide = low.astype(b.dtype)
    out[:] = b ^ (high.astype(b.dtype) << 7 | (wide & 0x80) << 8 | wide & 0x7F)


def _spans(size: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, size, _CHUNK)]


@cache
def _compress(level: int) -> Callable[[Words | Bytes | bytes], bytes]:
    coder = import_module("zstandard").ZstdCompressor(level=level)
    compress: Callable[[Words | Bytes | bytes], bytes] = coder.compress
    return compress


@cache
def _decompress() -> Callable[[bytes], bytes]:
    decompress: Callable[[bytes], bytes] = import_module("zstandard").ZstdDecompressor().decompress
    return decompress


def _apart(tensor: Tensor, base: Tensor | None) -> bytes:
    if base is None or base.dtype != tensor.dtype:
        return tensor.data
    return (tensor.words() ^ base.words()).tobytes()


def _back(plain: bytes, like: Tensor, base: Tensor | None) -> Buffer:
    if base is None or base.dtype != like.dtype:
        return plain
    return (np.frombuffer(plain, like.words().dtype) ^ base.words()).data.cast("B")
