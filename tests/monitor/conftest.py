from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from audited import PROGRAM, House, build, copied
from otium.notes import Cosigner, RoleKey
from published import Published

Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def monitor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitor", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["monitor"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def look(monitor: ModuleType, capfdbinary: pytest.CaptureFixture[bytes]) -> Look:
    """Run the monitor in this process and return its JSON."""

    def run(source: object, *options: str) -> dict[str, Any]:
        code = monitor.main([str(source), "--json", *options])
        found: dict[str, Any] = json.loads(capfdbinary.readouterr().out)
        assert found["exit_code"] == code
        return found

    return run


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An archive that tests change and change back."""
    return build(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Another archive of the same words with another key."""
    return build(tmp_path_factory.mktemp("other"))


@pytest.fixture
def home(shared: House, tmp_path: Path) -> House:
    return copied(shared, tmp_path)


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """A log of no entries in a folder of its own."""
    return Published(tmp_path / "published")


@pytest.fixture(scope="session")
def keys() -> dict[str, RoleKey]:
    names = ("root", "steward", "second", "archivist", "decider", "stranger")
    return {name: RoleKey.generate(f"{name}-1") for name in names}


@pytest.fixture(scope="session")
def witnesses() -> list[Cosigner]:
    return [Cosigner.generate(f"witness.example/{name}") for name in "abc"]
