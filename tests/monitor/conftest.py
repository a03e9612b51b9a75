from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from audited import PROGRAM, House, build, copied


@pytest.fixture(scope="session")
def monitor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("monitor", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["monitor"] = module
    spec.loader.exec_module(module)
    return module


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
