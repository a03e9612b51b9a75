"""Records as OCFL objects, read by somebody else's validator."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import ocfl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocfl.validator import Validator

import makers
from makers import NOW, SMOL, archive_in
from otium.archive import Archive
from otium.errors import BadInput, DamagedObject, Exists, UnknownModel, UnknownRecord
from otium.objects import folder
from otium.records import ModelId, digest, later
from otium.store import LocalStore
from otium.testing import MemoryStore

LATER = later(NOW, days=1)
ALLOWED = {"W005", "W007b"}
"""The id is not a URI; versions name no user, since roles stand in the ledger."""


def on_disk(archive: Archive, root: Path) -> Path:
    store = archive.store
    return makers.folder(root / "disk", {name: store.get(name) for name in store.list()})


def put(archive: Archive, path: str, data: bytes, model: ModelId = SMOL) -> None:
    archive.put_record(model, path, data, now=LATER, message="Test")


def test_the_storage_root_is_valid_ocfl(full: Archive, tmp_path: Path) -> None:
    root = ocfl.StorageRoot(root=str(on_disk(full, tmp_path) / "models"))
    assert root.validate(log_warnings=True)
    assert (root.spec_version, root.num_objects, root.good_objects) == ("1.1", 2, 2)


def test_each_object_is_valid_ocfl(full: Archive, tmp_path: Path) -> None:
    disk = on_disk(full, tmp_path)
    for model in full.models():
        validator = Validator(log_warnings=True)
        assert validator.validate_object(str(disk / folder(model))), validator.status_str()
        assert set(validator.log.codes) == ALLOWED, validator.status_str()


@pytest.mark.parametrize("model", ["a", "smol-1", "smol_2.1-x", "a." * 49 + "b", "9" * 100])
def test_any_model_id_has_the_place_that_the_layout_gives_it(model: str) -> None:
    layout = ocfl.layout_registry.get_layout("0003-hash-and-id-n-tuple-storage-layout")
    assert folder(ModelId(model)) == f"models/{layout.identifier_to_path(model)}"


def test_a_record_is_read_as_it_was_put(full: Archive) -> None:
    assert full.record(SMOL, "interviews/1.json") == b"interviews/1.json"
    assert full.records(SMOL)["interviews/1.json"] == digest(b"interviews/1.json")


def test_records_may_come_before_the_weights(archive: Archive, files: dict[ModelId, Path]) -> None:
    put(archive, "assessments/pre-deployment.json", b"{}")
    assert archive.models() == [SMOL]
    with pytest.raises(UnknownRecord):
        archive.manifest(SMOL)
    archive.add(SMOL, files[SMOL], deposited=LATER)
    assert archive.record(SMOL, "assessments/pre-deployment.json") == b"{}"
    assert archive.manifest(SMOL).model == SMOL


def test_putting_the_same_bytes_again_writes_nothing(full: Archive, store: MemoryStore) -> None:
    before = dict(store.objects)
    put(full, "notice.json", b"notice.json")
    assert store.objects == before


def test_a_record_is_never_changed(full: Archive, store: MemoryStore) -> None:
    before = dict(store.objects)
    with pytest.raises(Exists):
        put(full, "notice.json", b"other")
    assert store.objects == before


def test_two_records_may_have_the_same_bytes(full: Archive) -> None:
    put(full, "copy.json", b"notice.json")
    assert full.record(SMOL, "copy.json") == full.record(SMOL, "notice.json")
    assert full.check(now=NOW).ok


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a//b", "a/../b", ".hidden", "", "Notice.json", "notice.json/x", "interviews"],
)
def test_a_path_that_some_system_cannot_hold_is_refused(
    full: Archive, store: MemoryStore, path: str
) -> None:
    before = dict(store.objects)
    with pytest.raises(BadInput):
        put(full, path, b"x")
    assert store.objects == before


def test_what_is_not_there_is_named(full: Archive) -> None:
    with pytest.raises(UnknownRecord, match=r"no record 'nothing\.json'"):
        full.record(SMOL, "nothing.json")
    for ask in (full.manifest, full.records, lambda model: full.record(model, "x")):
        with pytest.raises(UnknownModel):
            ask(ModelId("nobody"))


def test_a_record_that_changed_on_disk_is_not_given_out(full: Archive, store: MemoryStore) -> None:
    name = next(name for name in store.objects if name.endswith("content/notice.json"))
    store.objects[name] = b"notice.jsoN"
    with pytest.raises(DamagedObject, match=r"notice\.json"):
        full.record(SMOL, "notice.json")


def test_an_inventory_that_changed_on_disk_is_not_believed(
    full: Archive, store: MemoryStore
) -> None:
    name = f"{folder(SMOL)}/inventory.json"
    store.objects[name] = store.objects[name].replace(b"notice", b"nitoce")
    with pytest.raises(DamagedObject, match=r"inventory\.json"):
        full.records(SMOL)


def test_an_object_copied_to_another_models_place_is_not_believed(
    full: Archive, store: MemoryStore
) -> None:
    other = ModelId("impostor")
    for name in list(store.objects):
        if name.startswith(folder(SMOL)):
            store.objects[name.replace(folder(SMOL), folder(other))] = store.objects[name]
    with pytest.raises(DamagedObject):
        full.record(other, "notice.json")


def test_an_older_inventory_can_be_computed_from_the_newest(full: Archive) -> None:
    for number in range(4, 12):  # past v9, where the order of keys is not that of numbers
        put(full, f"works/{number}.md", b"%d" % number)
    assert full.check(now=NOW).ok


def test_records_survive_in_a_directory_too(tmp_path: Path) -> None:
    archive = archive_in(LocalStore(tmp_path))
    put(archive, "a.json", b"1")
    put(archive, "b/c.json", b"2")
    again = Archive.open(LocalStore(tmp_path))
    assert again.records(SMOL) == {"a.json": digest(b"1"), "b/c.json": digest(b"2")}
    sidecar = (tmp_path / folder(SMOL) / "inventory.json.sha512").read_text()
    data = (tmp_path / folder(SMOL) / "inventory.json").read_bytes()
    assert sidecar == f"{hashlib.sha512(data).hexdigest()}  inventory.json\n"


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3}\.json)?", fullmatch=True),
        st.binary(max_size=20),
        max_size=6,
    )
)
def test_whatever_was_put_is_there_and_sound(records: dict[str, bytes]) -> None:
    archive, kept = archive_in(MemoryStore()), dict[str, bytes]()
    for path, data in records.items():
        try:
            put(archive, path, data)
        except BadInput:
            continue
        kept[path] = data
    for path, data in kept.items():
        assert archive.record(SMOL, path) == data
    assert archive.check(now=NOW).ok


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger().setLevel(logging.ERROR)
