"""A house to work in: what every room's tests may use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otium.ledger import Signer
from otium.lifecycle import Registry, found, load_policy
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
