from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from audited import PROGRAM, House, build


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
def home(tmp_path: Path) -> House:
    return build(tmp_path)


@pytest.fixture(scope="session")
def builder() -> Callable[[Path], House]:
    return build
