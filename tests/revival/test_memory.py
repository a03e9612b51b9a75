"""The tier in memory, limits of time, and what is read of the archive and believed of it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from otium.archive import Archive, Manifest, weights_digest
from otium.errors import CannotStore, DamagedObject, NotMaterialised
from otium.records import ModelId
from otium.revival import Cache, cache, materialise, materialised, reading
from otium.store import LocalStore, Span, Store
from revival.family import BASE, NOW, TUNED, archived, there

INSIDE = import_module("otium.revival.materialise")


class Counted:
    """A store that notes the names that are read."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.names: list[str] = []

    def get(self, name: str, span: Span | None = None) -> bytes:
        self.names.append(name)
        return self.inner.get(name, span)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    @property
    def recipes(self) -> set[str]:
        return {Path(name).stem for name in self.names if name.startswith("recipes/")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    archived(folder)
    return folder


@pytest.fixture
def archive(root: Path) -> Archive:
    return Archive.open(LocalStore(root / "archive"))


def size(archive: Archive, model: ModelId = BASE) -> int:
    return sum(file.size for file in archive.manifest(model).files)


def both(archive: Archive, tmp_path: Path, **how: float) -> Cache:
    """Return a cache with room for one model in memory."""
    some = {"most_in_memory": size(archive)} | how
    return Cache(disk=tmp_path / "disk", memory=tmp_path / "memory", **some)  # type: ignore[arg-type]


def counted(archive: Archive) -> tuple[Archive, Counted]:
    store = Counted(archive.store)
    return Archive(store, archive.info), store  # type: ignore[arg-type]


def test_a_model_in_memory_is_found_again_when_memory_is_short(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = both(archive, tmp_path)
    first = materialise(archive, BASE, some)
    assert first.is_relative_to(tmp_path / "memory")
    monkeypatch.setattr(INSIDE, "_available", lambda: 0)
    assert materialise(archive, BASE, some) == first
    assert materialise(archive, TUNED, some).is_relative_to(tmp_path / "disk")


def test_a_model_that_is_held_is_not_dropped_and_the_next_goes_to_the_disk(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    some = both(archive, tmp_path)
    with materialised(archive, BASE, some) as base, materialised(archive, TUNED, some) as tuned:
        assert base.is_relative_to(tmp_path / "memory")
        assert tuned.is_relative_to(tmp_path / "disk")
        assert there(base) == there(root / "base")
        assert there(tuned) == there(root / "tuned")
    with materialised(archive, TUNED, some) as tuned:
        assert tuned.is_relative_to(tmp_path / "memory")
    assert not base.exists()


def test_a_file_that_is_dropped_before_its_model_is_laid_is_brought_again(
    archive: Archive, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather, left = cache.Shelf.gather, [2]

    def robbed(shelf: cache.Shelf, manifest: Manifest) -> Path:
        if left[0]:
            left[0] -= 1
            shelf.discard(manifest.files[0])
        return gather(shelf, manifest)

    monkeypatch.setattr(cache.Shelf, "gather", robbed)
    assert there(materialise(archive, BASE, tmp_path / "one")) == there(root / "base")
    left[0] = 100
    with pytest.raises(CannotStore, match="as fast as"):
        materialise(archive, BASE, tmp_path / "two")


@pytest.mark.parametrize("tier", ["read", "check"])
def test_the_limit_holds_for_files_that_lie_here_too(
    archive: Archive, tmp_path: Path, tier: str
) -> None:
    materialise(archive, BASE, tmp_path / "disk")
    if tier == "check":
        for mark in (tmp_path / "disk" / ".files").glob("*.json"):
            mark.unlink()
    how = {} if tier == "read" else {"most_in_memory": 0}
    with pytest.raises(NotMaterialised, match=r"base could not .* bytes were there after"):
        materialise(archive, BASE, both(archive, tmp_path, limit=1e-9, **how))
    assert not [*tmp_path.rglob("*.part")]


def test_the_limit_holds_while_another_brings_the_same_file(
    archive: Archive, tmp_path: Path
) -> None:
    files = tmp_path / ".files"
    files.mkdir()
    (first, *_) = archive.manifest(BASE).files
    with (files / f"{first.sha256}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(NotMaterialised):
            materialise(archive, BASE, Cache(disk=tmp_path, limit=0.2))
    assert 0.2 <= time.monotonic() - began < 5


@pytest.mark.parametrize("why", [errno.EIO, errno.EMFILE])
def test_a_raw_copy_that_cannot_be_read_is_left_for_the_archive(
    archive: Archive, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    raw = materialise(archive, BASE, tmp_path / "disk") / "model.safetensors"
    fill = reading._fill

    def breaks(handle: int, into: memoryview, at: int, length: int) -> None:
        if length == raw.stat().st_size:
            raise OSError(why, "not read")
        fill(handle, into, at, length)

    monkeypatch.setattr(reading, "_fill", breaks)
    found = materialise(archive, BASE, both(archive, tmp_path))
    assert found.is_relative_to(tmp_path / "memory")
    assert there(found) == there(root / "base")
    (weights,) = (one for one in archive.manifest(BASE).files if one.format == "safetensors")
    kept = (tmp_path / "disk" / ".files" / weights.sha256).exists()
    assert kept == (why != errno.EIO)  # the fault is not the file's


def test_recipes_are_read_of_relatives_only(archive: Archive, tmp_path: Path) -> None:
    """A cache with many other models costs the archive nothing."""
    for number in range(3):
        folder = tmp_path / f"in-{number}"
        folder.mkdir()
        (folder / "weights.bin").write_bytes(os.urandom(2 << 20))
        archive.add(ModelId(f"other-{number}"), folder, deposited=NOW)
        for place in ("far", "near"):
            materialise(archive, ModelId(f"other-{number}"), tmp_path / place)
    far, alone = counted(archive)
    materialise(far, TUNED, tmp_path / "far")
    tuned = {file.recipe for file in archive.manifest(TUNED).files}
    assert alone.recipes == tuned
    materialise(archive, BASE, tmp_path / "near")
    near, related = counted(archive)
    materialise(near, TUNED, tmp_path / "near")
    base = {file.recipe for file in archive.manifest(BASE).files}
    assert related.recipes == tuned ^ base  # they share their config.json


def test_files_that_are_not_those_of_the_weights_digest_are_none_of_the_models(
    archive: Archive, tmp_path: Path
) -> None:
    """Whoever can write to the store may put another model's files under genuine weights."""
    base, tuned = archive.manifest(BASE), archive.manifest(TUNED)
    assert weights_digest((one.path, one.sha256) for one in base.files) == base.weights
    forged = msgspec.structs.replace(base, files=tuned.files)
    with pytest.raises(DamagedObject, match=r"manifest.json of base is damaged"):
        materialise(archive, BASE, tmp_path, manifest=forged)
    assert not [*tmp_path.rglob("*.safetensors")]
