"""The compiled loops, if they could be built where otium was installed."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otium.errors import Unsupported

LEVELS = ("portable", "avx2", "avx512")
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]
Array = npt.NDArray[np.generic]


class Stream(ctypes.Structure):
    """What a decoder reads (`stream` in kernel.c)."""

    _fields_ = (
        ("table", ctypes.c_void_p),
        ("clusters", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("size", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("lanes", ctypes.c_uint32),
        ("split", ctypes.c_uint32),
    )


class Kernel(NamedTuple):
    """The library, and the instruction set that it shall use."""

    library: ctypes.CDLL
    level: int

    def call(self, name: str, *arguments: object) -> int:
        """Call a function that takes the level first; arrays go as pointers."""
        function = getattr(self.library, f"otium_{name}")
        return int(function(self.level, *map(_argument, arguments)))


_forced: list[str] = []


def kernel() -> Kernel | None:
    """Return the kernel, or None where numpy must do its work.

    ``OTIUM_KERNEL`` (numpy, portable, avx2, avx512) asks for less than the best.
    """
    return _kernel(_forced[-1] if _forced else os.environ.get("OTIUM_KERNEL", ""))


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Use another kernel until the block ends: ``numpy``, or one of LEVELS."""
    _forced.append(name)
    try:
        yield
    finally:
        _forced.remove(name)


def kernel_names() -> list[str]:
    """Return what this machine can run, the slowest first."""
    library = _library()
    best = library.otium_level() if library else -1
    return ["numpy", *LEVELS[: best + 1]]


@functools.cache
def _kernel(name: str) -> Kernel | None:
    library = _library()
    names = kernel_names()
    if name and name not in names:
        raise Unsupported(what=f"the kernel {name!r}", why=f"this machine has {', '.join(names)}")
    chosen = name or names[-1]
    return None if library is None or chosen == "numpy" else Kernel(library, LEVELS.index(chosen))


@functools.cache
def _library() -> ctypes.CDLL | None:
    spec = importlib.util.find_spec("otium.entropy._kernel")
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    library = ctypes.CDLL(spec.origin)
    for name in ("encode", "delta_symbols", "raw_buckets", "raw_split"):
        getattr(library, f"otium_{name}").restype = ctypes.c_uint64
    return library


def _argument(value: object) -> object:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if isinstance(value, int):
        return ctypes.c_int64(value)
    return value
