from collections.abc import Iterator
from pathlib import Path

import pytest

from otium.engine import Endpoint, LlamaCpp, packaged_weights
from otium.errors import NoDemoWeights
from otium.records import Digest, ModelId

MODEL = ModelId("smol-1")
WEIGHTS = Digest("sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")


@pytest.fixture(scope="session")
def smol() -> Path:
    try:
        return packaged_weights()
    except NoDemoWeights as missing:
        pytest.skip(f"REAL WEIGHTS MISSING, engine not tested: {missing} {missing.advice()}")


@pytest.fixture(scope="session")
def successor(smol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with the base and an adapter, as the demo deposits it."""
    folder = tmp_path_factory.mktemp("successor")
    (folder / "base.gguf").symlink_to(smol)
    adapter = Path(__file__).parents[2] / "src/otium/data/models/successor-lora.gguf"
    (folder / "adapter.gguf").symlink_to(adapter)
    return folder


@pytest.fixture(scope="session")
def real(smol: Path) -> Iterator[Endpoint]:
    with LlamaCpp(context=1024).run(smol, model=MODEL, weights=WEIGHTS) as endpoint:
        yield endpoint
