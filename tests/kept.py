"""An archive in memory with a family of two models, and the files they came from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import makers
from otium.archive import Archive
from otium.records import ModelId
from otium.testing import MemoryStore


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not wait for the disk: tests/store shows that it is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def archive(store: MemoryStore) -> Archive:
    return makers.archive_in(store)


@pytest.fixture
def files(tmp_path: Path) -> dict[ModelId, Path]:
    return makers.family(tmp_path)


@pytest.fixture
def full(archive: Archive, files: dict[ModelId, Path]) -> Archive:
    """An archive that holds the family and two more records."""
    return makers.fill(archive, files)
