"""A house to work in: what every room's tests may use."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from cli.said import Say, command_line
from databases import fresh_database, postgresql
from otium.commitments import load_policy
from otium.engine import Endpoint, LlamaCpp, packaged_weights
from otium.errors import NotFound
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.records import Digest, ModelId
from otium.testing import FixedClock, MemoryStore

settings.register_profile("otium", deadline=None)  # how long a thing takes, its own tests say
settings.load_profile("otium")

TOGETHER = {
    "tests/store/test_contract.py": "rgw",
    "tests/store/test_remote.py": "rgw",
}
"""Files that share what a session takes long to make, and its name: one worker makes it."""
QUEUE, MACHINE = Path(__file__).parent, Path(__file__)
"""Locked by who waits for the machine, and by who has it, alone or with others."""


class Scheduler(LoadFileScheduling):  # type: ignore[misc] # the base has no types
    """Gives a worker all tests of a file, or of the files that share something.

    Marks of groups (``--dist loadgroup``) do nothing: pytest-xdist 3.8 writes them into names
    that pytest 9.2 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return TOGETHER.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler | None:
    """Distribute by files in our way."""
    return Scheduler(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several workers run the tests, begin with the files that take long."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    files = {item: item.nodeid.partition("::")[0] for item in items}
    slow = {files[item] for item in items if "slow" in item.keywords} | TOGETHER.keys()
    items.sort(key=lambda item: files[item] not in slow)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # whoever waits is not timed
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that is marked so while the other workers run none."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with ExitStack() as held:
        with locked(QUEUE, fcntl.LOCK_EX):  # or others, who overlap, would never let one alone
            held.enter_context(locked(MACHINE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        return (yield)


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock that ends with this process, and that no child keeps."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


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
