"""A house to work in: what every room's tests may use."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.said import Say, command_line
from databases import fresh_database, postgresql
from otium.commitments import load_policy
from otium.engine import Endpoint, LlamaCpp, packaged_weights
from otium.errors import NotFound
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.records import Digest, ModelId
from otium.testing import FixedClock, MemoryStore


@pytest.fixture
def clock() -> FixedClock:
    """The time of the house: 2026-01-01T00:00:00Z until a test moves it."""
    return FixedClock("2026-01-01T00:00:00Z")


@pytest.fixture
def signer() -> Signer:
    """The key of the house's ledger."""
    return Signer.generate("example.org/otium")


@pytest.fixture
def house(signer: Signer, clock: FixedClock) -> Registry:
    """A founded registry over a store in memory, with the default policy adopted."""
    return found(MemoryStore(), signer, archive_id="test-house", clock=clock, policy=load_policy())


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command line in a home below tmp_path."""
    return command_line(tmp_path / "lab", capsys)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A directory with a sound, tiny safetensors file and a config, ready to deposit."""
    folder = tmp_path / "weights"
    folder.mkdir()
    header = {"layer": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    encoded = json.dumps(header).encode()
    data = len(encoded).to_bytes(8, "little") + encoded + bytes(range(16))
    (folder / "model.safetensors").write_bytes(data)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    return folder


@pytest.fixture(scope="session")
def demo_weights() -> Path:
    """The demo's real weights; a test that needs them skips loudly without them."""
    try:
        return packaged_weights()
    except NotFound as error:
        pytest.skip(f"REAL WEIGHTS ARE MISSING: {error} ({error.advice()})")


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path) -> Path:
    """A home in which the real demo was played on the real weights, in its fast form."""
    assert demo_weights.exists()
    home = tmp_path_factory.mktemp("lived") / "home"
    command = [sys.executable, "-m", "otium", "demo", "--out", str(home), "--fast"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (home / "said.txt").write_text(done.stdout)
    return home


@pytest.fixture(scope="session")
def successor(demo_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with the base and an adapter, as the demo deposits it."""
    folder = tmp_path_factory.mktemp("successor")
    (folder / "base.gguf").symlink_to(demo_weights)
    adapter = Path(__file__).parents[1] / "src/otium/data/models/successor-lora.gguf"
    (folder / "adapter.gguf").symlink_to(adapter)
    return folder


@pytest.fixture(scope="session")
def real(demo_weights: Path) -> Iterator[Endpoint]:
    """The demo's weights, running as smol-1."""
    digest = Digest("sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
    with LlamaCpp(context=1024).run(
        demo_weights, model=ModelId("smol-1"), weights=digest
    ) as endpoint:
        yield endpoint


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server; a test that needs it skips loudly without one."""
    with postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, SQLite's and then PostgreSQL's."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.sqlite'}"
        return
    server: str = request.getfixturevalue("postgres")
    with fresh_database(server, f"fresh{next(_NUMBERS)}") as url:
        yield url
