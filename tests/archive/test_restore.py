"""Getting files out: byte for byte, into a fresh directory, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import makers
from makers import NOW, SMOL, SUCCESSOR, archive_in, folder, safetensors, tree
from makers import Weights as Tensor
from otium.archive import Archive
from otium.errors import DamagedObject, RestoreTargetNotEmpty, UnknownModel, UnknownRecord
from otium.records import ModelId
from otium.testing import MemoryStore


@pytest.mark.parametrize("model", [SMOL, SUCCESSOR])
def test_what_comes_out_is_what_went_in(
    full: Archive, files: dict[ModelId, Path], tmp_path: Path, model: ModelId
) -> None:
    manifest = full.restore(model, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(files[model])
    assert manifest == full.manifest(model)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,2}\.(txt|bin|py)", fullmatch=True), st.binary(min_size=1)
    ),
)
def test_any_deposit_comes_back(
    tmp_path_factory: pytest.TempPathFactory, tensors: list[bytes], others: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("any")
    weights = [Tensor(f"t{n}", data, (len(data),), "U8") for n, data in enumerate(tensors)]
    path = folder(root / "in", {"model.safetensors": safetensors(weights), **others})
    archive = archive_in(MemoryStore())
    archive.add(SMOL, path, deposited=NOW)
    archive.restore(SMOL, root / "out")
    assert tree(root / "out") == tree(path)
    assert archive.check(now=NOW).ok


def test_an_empty_directory_is_a_fresh_one(full: Archive, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    full.restore(SMOL, tmp_path / "out")
    assert (tmp_path / "out" / "model.gguf").is_file()


def test_missing_parents_are_made(full: Archive, tmp_path: Path) -> None:
    full.restore(SMOL, tmp_path / "a" / "b" / "out")
    assert (tmp_path / "a" / "b" / "out" / "nested" / "vocab.txt").is_file()


def test_others_may_read_what_was_restored(full: Archive, tmp_path: Path) -> None:
    full.restore(SMOL, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out" / "model.gguf").stat().st_mode) == 0o644


def test_a_target_that_holds_anything_is_refused(full: Archive, tmp_path: Path) -> None:
    out = folder(tmp_path / "out", {".hidden": b"mine"})
    with pytest.raises(RestoreTargetNotEmpty):
        full.restore(SMOL, out)
    assert tree(out) == {".hidden": b"mine"}


def test_a_target_that_is_a_file_or_a_link_is_refused(full: Archive, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "gone").symlink_to("nowhere")
    for name in ("file", "link", "gone"):
        with pytest.raises(RestoreTargetNotEmpty):
            full.restore(SMOL, tmp_path / name)
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("at", range(6))
def test_damage_is_found_while_writing_and_leaves_nothing(
    full: Archive, store: MemoryStore, tmp_path: Path, at: int
) -> None:
    piece = makers.pieces_of(full, SMOL, "model.gguf")[at]
    name = makers.spoil(store, piece)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DamagedObject, match=f"{name} at {piece.offset}.*{piece.sha256}"):
        full.restore(SMOL, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("folder_of", ["packs/", "recipes/"])
@pytest.mark.parametrize("harm", ["lose", "cut", "spoil"])
def test_what_is_lost_or_spoiled_is_named(
    full: Archive, store: MemoryStore, tmp_path: Path, folder_of: str, harm: str
) -> None:
    for name in [name for name in store.objects if name.startswith(folder_of)]:
        if harm == "lose":
            del store.objects[name]
        else:
            store.objects[name] = store.objects[name][:-1] if harm == "cut" else b"{}"
    with pytest.raises(DamagedObject, match=folder_of):
        full.restore(SMOL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_writer_that_fails_midway_leaves_nothing(
    full: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(tmp_path.iterdir())

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        full.restore(SMOL, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "a/../../escaped", "a\\b", "NUL"])
def test_a_forged_manifest_cannot_write_outside(full: Archive, tmp_path: Path, path: str) -> None:
    manifest = full.manifest(SMOL)
    file = msgspec.structs.replace(manifest.files[0], path=path)
    forged = msgspec.structs.replace(manifest, model=ModelId("forged"), files=(file,))
    full.put_record(forged.model, "manifest.json", forged.encode(), now=NOW, message="")
    with pytest.raises(DamagedObject, match=r"manifest\.json"):
        full.restore(forged.model, tmp_path / "deep" / "out")
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "deep" / "escaped").exists()
    assert not (tmp_path / "deep" / "out").exists()


def test_a_manifest_that_names_one_path_twice_writes_nothing(full: Archive, tmp_path: Path) -> None:
    manifest = full.manifest(SMOL)
    forged = msgspec.structs.replace(
        manifest, model=ModelId("forged"), files=(manifest.files[0],) * 2
    )
    full.put_record(forged.model, "manifest.json", forged.encode(), now=NOW, message="")
    with pytest.raises(DamagedObject):
        full.restore(forged.model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_makes_another_file_is_not_given_out(full: Archive, tmp_path: Path) -> None:
    manifest = full.manifest(SMOL)
    first, *others = manifest.files
    wrong = msgspec.structs.replace(first, recipe=others[1].recipe)
    forged = msgspec.structs.replace(manifest, model=ModelId("forged"), files=(wrong, *others))
    full.put_record(forged.model, "manifest.json", forged.encode(), now=NOW, message="")
    with pytest.raises(DamagedObject, match="recipes/"):
        full.restore(forged.model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nobody_is_restored_from_nothing(full: Archive, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        full.restore(ModelId("nobody"), tmp_path / "out")
    full.put_record(ModelId("only-records"), "a.json", b"{}", now=NOW, message="")
    with pytest.raises(UnknownRecord):
        full.restore(ModelId("only-records"), tmp_path / "out")


def test_progress_counts_every_byte(full: Archive, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    manifest = full.restore(
        SMOL, tmp_path / "out", progress=lambda what, done, total: told.append((what, done, total))
    )
    size = sum(file.size for file in manifest.files)
    assert told[-1] == ("restoring", size, size)
