"""A small archive with relatives, a ledger and several copies."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

import makers
from custody.copies import BASE, CHILD, append
from makers import NOW, Weights
from otium.archive import Archive
from otium.ledger import Ledger
from otium.notes import Signer
from otium.testing import MemoryStore


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not wait for the disk: tests/store shows that it is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """An archive with the family of two models and two more records."""
    found = MemoryStore()
    makers.work(found, makers.family(tmp_path / "family"))
    return found


@pytest.fixture
def archive(store: MemoryStore) -> Archive:
    return Archive.open(store)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer.generate("example.org/log")


@pytest.fixture
def logged(signer: Signer, tmp_path: Path) -> MemoryStore:
    """An archive with a ledger of three entries."""
    store = MemoryStore()
    Archive.create(store, archive_id="test", created=NOW, origin=signer.name, keys=signer.vkeys)
    makers.work(store, makers.family(tmp_path / "logged"))
    Ledger.create(store, signer, origin=signer.name)
    append(store, signer, 3)
    return store


@pytest.fixture
def relatives(tmp_path: Path) -> Archive:
    """An archive in which one model is coded against another."""
    archive = makers.archive_in(MemoryStore())
    for model, step in ((BASE, 0.0), (CHILD, 1e-6)):
        values = [((n * 7919) % 65521 - 32760) / 32768 * (1 + step) for n in range(64 * 64)]
        data = struct.pack(f"<{len(values)}f", *values)
        weights = Weights("model.layers.0.mlp.up_proj.weight", data, (64, 64))
        files = makers.folder(
            tmp_path / model, {"model.safetensors": makers.safetensors([weights])}
        )
        parents = [BASE] if model == CHILD else []
        archive.add(model, files, deposited=NOW, parents=parents)
    return archive
