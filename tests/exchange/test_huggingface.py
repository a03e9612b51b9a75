"""Caches of Hugging Face are read as its own library writes them, and the other way round."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

from exchange.layouts import MODEL, Take, contents
from makers import folder
from otium.errors import BadDeposit, BadLayout, SeveralModels
from otium.exchange import Origin, export_huggingface, unpacked

COMMIT, OTHER = "0" * 39 + "1", "0" * 39 + "2"


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


def cache(root: Path, repository: str, commit: str, files: dict[str, bytes]) -> Path:
    """Write a snapshot as the hub's library did before it kept listings."""
    place = root / f"models--{repository.replace('/', '--')}"
    for path, data in files.items():
        large = path.endswith(".safetensors")
        blob = place / "blobs" / (hashlib.sha256(data).hexdigest() if large else git_sha1(data))
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link = place / "snapshots" / commit / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (place / "refs").mkdir(exist_ok=True)
    return place


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A cache with one repository and one snapshot."""
    place = cache(tmp_path / "hub", "lab/smol", COMMIT, MODEL)
    (place / "refs" / "main").write_text(COMMIT)
    return tmp_path / "hub"


@pytest.fixture
def library() -> ModuleType:
    """Hugging Face's own library, which otium does not need."""
    if importlib.util.find_spec("huggingface_hub") is None:
        pytest.skip("HUGGINGFACE_HUB IS MISSING: uv pip install huggingface_hub")
    return importlib.import_module("huggingface_hub")


def test_their_library_opens_an_export(files: Path, tmp_path: Path, library: ModuleType) -> None:
    export_huggingface(files, tmp_path / "hub", repository="lab/smol", revision=COMMIT)
    for revision in (None, COMMIT):
        found = library.snapshot_download(
            "lab/smol", revision=revision, cache_dir=tmp_path / "hub", local_files_only=True
        )
        assert contents(Path(found)) == MODEL
    scan = library.scan_cache_dir(tmp_path / "hub")
    assert not scan.warnings
    assert [repo.repo_id for repo in scan.repos] == ["lab/smol"]


def test_their_library_finds_an_exported_listing_complete(
    files: Path, tmp_path: Path, library: ModuleType
) -> None:
    export_huggingface(files, tmp_path / "hub", repository="lab/smol", revision=COMMIT)
    tree = importlib.import_module("huggingface_hub._tree_cache")
    listed = tree.read_tree_cache(str(tmp_path / "hub" / "models--lab--smol"), COMMIT)
    assert sorted(listed) == sorted(MODEL)
    weights = MODEL["model.safetensors"]
    assert listed["model.safetensors"].lfs_sha256 == hashlib.sha256(weights).hexdigest()
    assert listed["config.json"].blob_id == git_sha1(MODEL["config.json"])
    assert library is not None


def test_a_snapshot_is_given_where_it_lies(hub: Path, tmp_path: Path) -> None:
    with unpacked(hub, tmp_path / "scratch") as found:
        assert found.files == hub / "models--lab--smol" / "snapshots" / COMMIT
        assert contents(found.files) == MODEL
        assert found.origin.names == ("lab/smol", "main")
        assert found.origin.revision == COMMIT
        stated = {file.path: file.stated for file in found.origin.files}
    assert stated["config.json"] == (f"git-sha1:{git_sha1(MODEL['config.json'])}",)


def test_every_flipped_byte_of_a_blob_is_found(hub: Path, taken: Take) -> None:
    for blob in (hub / "models--lab--smol" / "blobs").iterdir():
        data = blob.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 5)):
            blob.write_bytes(bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]]))
            with pytest.raises(BadLayout, match="is stated"):
                taken(hub)
        blob.write_bytes(data + b"\0")
        with pytest.raises(BadLayout, match="is stated"):
            taken(hub)
        blob.write_bytes(data)
    assert taken(hub)[0] == MODEL


def test_a_name_and_a_revision_say_which_snapshot_is_meant(hub: Path, taken: Take) -> None:
    place = cache(hub, "lab/other", COMMIT, {"a.safetensors": b"one"})
    cache(hub, "lab/other", OTHER, {"a.safetensors": b"two"})
    (place / "refs" / "pr").mkdir()
    (place / "refs" / "pr" / "1").write_text(OTHER)
    with pytest.raises(SeveralModels, match="lab/other, lab/smol"):
        taken(hub)
    with pytest.raises(SeveralModels, match=COMMIT):
        taken(hub, name="lab/other")
    assert taken(hub, name="lab/smol")[0] == MODEL
    assert taken(hub, name="lab/other", revision=COMMIT)[0] == {"a.safetensors": b"one"}
    assert taken(place, revision="pr/1")[1].names == ("lab/other", "pr/1")
    for name, revision in (("lab/none", None), ("lab/smol", OTHER), ("lab/smol", "v1")):
        with pytest.raises(BadLayout, match="it holds no"):
            taken(hub, name=name, revision=revision)
    with pytest.raises(BadLayout, match="not lab/smol"):
        taken(place, name="lab/smol", revision=OTHER)
    with pytest.raises(BadDeposit):
        taken(place, revision="../blobs")


def test_a_cut_listing_of_a_commit_is_noticed(hub: Path, taken: Take) -> None:
    listing = hub / "models--lab--smol" / "trees" / f"{COMMIT}.json"
    listing.parent.mkdir()
    entry = {"size": 22, "blob_id": git_sha1(MODEL["config.json"])}
    missing = {"more.bin": {"size": 1, "blob_id": "0" * 40}}
    listing.write_text(json.dumps({"format_version": 1, "files": {"config.json": entry} | missing}))
    with pytest.raises(BadLayout, match=r"missing: more\.bin"):
        taken(hub)
    found, origin = taken(hub, partial=True)
    assert found == MODEL
    assert origin.metadata == {"missing": "more.bin"}
    for change in ({"size": 23}, {"blob_id": "0" * 40}):
        files = {"format_version": 1, "files": {"config.json": entry | change}}
        listing.write_text(json.dumps(files))
        with pytest.raises(BadLayout, match="stated"):
            taken(hub)


def test_a_missing_shard_is_noticed(tmp_path: Path, taken: Take) -> None:
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    files = {
        "x/model.safetensors.index.json": json.dumps(index).encode(),
        "x/one.safetensors": b"1",
    }
    cache(tmp_path / "hub", "lab/smol", COMMIT, files)
    with pytest.raises(BadLayout, match=r"missing: x/two\.safetensors"):
        taken(tmp_path / "hub")
    assert taken(tmp_path / "hub", partial=True)[0] == files


@pytest.mark.parametrize("target", ["/etc/hostname", "../../refs/main", "../../blobs/../refs/main"])
def test_a_link_may_lead_to_a_blob_only(hub: Path, taken: Take, target: str) -> None:
    link = hub / "models--lab--smol" / "snapshots" / COMMIT / "config.json"
    link.unlink()
    link.symlink_to(target)
    with pytest.raises(BadLayout, match="leads out"):
        taken(hub)


def test_a_blob_that_no_digest_names_is_refused(hub: Path, taken: Take) -> None:
    link = hub / "models--lab--smol" / "snapshots" / COMMIT / "config.json"
    link.unlink()
    link.symlink_to("../../blobs/mine")
    (hub / "models--lab--smol" / "blobs" / "mine").write_bytes(b"")
    with pytest.raises(BadLayout, match="not a digest"):
        taken(hub)


def test_a_snapshot_or_blobs_elsewhere_are_refused(hub: Path, tmp_path: Path, taken: Take) -> None:
    place = hub / "models--lab--smol"
    (place / "blobs").rename(tmp_path / "blobs")
    (place / "blobs").symlink_to(tmp_path / "blobs")
    with pytest.raises(BadLayout, match="leads out"):
        taken(hub)
    (place / "snapshots" / COMMIT).rename(tmp_path / "snapshot")
    (place / "snapshots" / COMMIT).symlink_to(tmp_path / "snapshot")
    with pytest.raises(BadLayout, match="no snapshot"):
        taken(hub)


def test_blobs_in_the_store_that_repositories_share_are_gathered(hub: Path, tmp_path: Path) -> None:
    blob = hub / "models--lab--smol" / "blobs" / git_sha1(MODEL["config.json"])
    shared = hub / "blobs" / "ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(f"../../blobs/ab/{shared.name}")
    with unpacked(hub, tmp_path / "scratch") as found:
        assert contents(found.files) == MODEL
        assert not any(path.is_symlink() for path in found.files.rglob("*"))
        assert shared.stat().st_nlink == 2
    assert shared.stat().st_nlink == 1


def test_a_folder_to_which_a_repository_was_downloaded_is_read(files: Path, taken: Take) -> None:
    notes = files / ".cache" / "huggingface" / "download"
    for path, data in MODEL.items():
        large = path.endswith(".safetensors")
        name = hashlib.sha256(data).hexdigest() if large else git_sha1(data)
        (notes / path).parent.mkdir(parents=True, exist_ok=True)
        (notes / f"{path}.metadata").write_text(f"{COMMIT}\n{name}\n1700000000.0\n")
    folder(files, {"notes.txt": b"mine"})
    found, origin = taken(files)
    assert found == {**MODEL, "notes.txt": b"mine"}
    assert origin.layout == "huggingface"
    assert origin.revision == COMMIT
    (files / "config.json").write_bytes(b"{}")
    with pytest.raises(BadLayout, match=r"config\.json is git-sha1"):
        taken(files)


def test_without_a_revision_one_is_made_of_the_files(files: Path, tmp_path: Path) -> None:
    def made(name: str) -> Origin:
        return export_huggingface(files, tmp_path / name, repository="smol")

    one, two = made("one"), made("two")
    assert one.revision == two.revision
    (files / "config.json").write_bytes(b"{}")
    assert made("three").revision != one.revision
