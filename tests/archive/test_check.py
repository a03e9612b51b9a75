"""A full read finds every damage, names the file, and says whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import makers
from makers import NOW, SMOL, SUCCESSOR, folder
from otium.archive import Archive, CheckResult, pack_name
from otium.errors import UnknownModel
from otium.objects import folder as place
from otium.records import ModelId, digest, hexadecimal
from otium.testing import MemoryStore

KINDS = {
    "namaste": r"0=otium_archive_1",
    "readme": r"README\.txt",
    "spec": r"SPEC\.md",
    "recover": r"recover\.py",
    "monitor": r"monitor\.py",
    "reference engine": r"reference/.*",
    "archive.json": r"archive\.json",
    "its digest": r"archive\.json\.sha256",
    "ocfl root": r"models/0=ocfl_1\.1",
    "ocfl layout": r"models/ocfl_layout\.json",
    "ocfl layout's parameters": r"models/extensions/.*",
    "ocfl object": r"models/.*/0=ocfl_object_1\.1",
    "newest inventory": r"models/.*/smol-1/inventory\.json",
    "its digest, OCFL's": r"models/.*/smol-1/inventory\.json\.sha512",
    "last version's inventory": r"models/.*/smol-1/v3/inventory\.json",
    "last version's digest": r"models/.*/smol-1/v3/inventory\.json\.sha512",
    "older inventory": r"models/.*/smol-1/v1/inventory\.json",
    "older digest": r"models/.*/smol-1/v1/inventory\.json\.sha512",
    "manifest": r"models/.*/smol-1/.*/manifest\.json",
    "template": r"models/.*/smol-1/.*/chat_template\.jinja",
    "record": r"models/.*/smol-1/.*/interviews/1\.json",
    "recipe": r"recipes/.*",
    "pack": r"packs/.*",
    "index": r"indexes/.*",
}


def names(store: MemoryStore, kind: str) -> list[str]:
    found = [name for name in store.objects if re.fullmatch(KINDS[kind], name)]
    assert found, kind
    return found


def damaged(result: CheckResult) -> set[str]:
    return {damage.name for damage in result.damage}


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_whole_archive_is_whole_and_all_of_it_was_read(full: Archive, store: MemoryStore) -> None:
    result = full.check(now=NOW)
    assert result.ok, result.damage
    assert result.objects == len(store.objects)
    assert result.bytes == sum(map(len, store.objects.values()))
    assert result.checked == NOW


def test_every_file_of_an_archive_is_of_a_kind_tested_here(
    full: Archive, store: MemoryStore
) -> None:
    del full
    of_successor = [name for name in store.objects if name.startswith(place(SUCCESSOR))]
    known = {name for kind in KINDS for name in names(store, kind)} | set(of_successor)
    rest = {re.sub(r"/v\d+/", "/vN/", name).rpartition("/vN/")[2] for name in store.objects}
    left = {name for name in set(store.objects) - known if "/v2/" not in name}
    assert {name.rpartition("/")[2] for name in left} <= {"runtime.json", "notice.json"}, rest


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_is_found_wherever_it_is(
    full: Archive, store: MemoryStore, kind: str
) -> None:
    for name in names(store, kind):
        good = store.objects[name]
        for at in {0, len(good) // 3, len(good) // 2, len(good) - 1} if good else set():
            store.objects[name] = flipped(good, at)
            result = full.check(now=NOW)
            assert damaged(result) == {name}, (name, at, result.damage)
        store.objects[name] = good
    assert full.check(now=NOW).ok


@pytest.mark.parametrize("kind", ["record", "pack", "index", "recipe", "archive.json", "manifest"])
def test_every_byte_counts(full: Archive, store: MemoryStore, kind: str) -> None:
    name = min(names(store, kind), key=lambda name: len(store.objects[name]))
    good = store.objects[name]
    for at in range(0, len(good), max(1, len(good) // 60)):
        store.objects[name] = flipped(good, at)
        assert damaged(full.check(now=NOW)) == {name}


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_is_found(full: Archive, store: MemoryStore, kind: str) -> None:
    name = names(store, kind)[0]
    del store.objects[name]
    found = {damage.name: damage for damage in full.check(now=NOW).damage}
    assert found[name].found == "no file"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_or_grown_is_found(full: Archive, store: MemoryStore, kind: str) -> None:
    name = names(store, kind)[0]
    good = store.objects[name]
    for bad in (good[:-1], good + b"\x00", b""):
        store.objects[name] = bad
        if bad != good:
            assert name in damaged(full.check(now=NOW))


def test_a_pack_that_is_too_short_is_named_with_both_sizes(
    full: Archive, store: MemoryStore
) -> None:
    name = max(names(store, "pack"), key=lambda name: len(store.objects[name]))
    size = len(store.objects[name])
    store.objects[name] = store.objects[name][: size - 9]
    [damage] = full.check(now=NOW).damage
    assert damage.found == f"{size - 9} bytes"
    assert damage.expected == f"{size} bytes or more"


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "packs/ab/stray.pack",
        "packs/ab/" + "cd" * 32 + ".pack",
        "recipes/loose.json",
        "models/notes.txt",
        place(SMOL) + "/notes.txt",
        place(SMOL) + "/v1/content/extra.json",
        place(SMOL) + "/v4/content/extra.json",
        place(ModelId("other")) + "/v1/content/x.json",
    ],
)
def test_a_file_that_does_not_belong_is_found(full: Archive, store: MemoryStore, name: str) -> None:
    store.objects[name] = b"stray"
    [damage] = full.check(now=NOW).damage
    assert (damage.name, damage.expected) == (name, "no file")
    assert damage.models == ((SMOL,) if name.startswith(place(SMOL)) else ())


def test_the_ledger_is_left_to_the_ledger(full: Archive, store: MemoryStore) -> None:
    store.objects["log/checkpoint"] = b"anything"
    assert full.check(now=NOW).ok


def test_whole_packs_and_recipes_that_nothing_names_are_no_damage(
    full: Archive, store: MemoryStore
) -> None:
    store.add("packs", [b"left by a writer that died"], ".pack")
    assert full.check(now=NOW).ok


def test_a_recipe_with_the_right_digest_that_cannot_be_read_is_found(
    full: Archive, store: MemoryStore
) -> None:
    sha256 = store.add("recipes", [b'{"schema":"otium.recipe/9"}'], ".json")
    [damage] = full.check(now=NOW).damage
    assert damage.name == f"recipes/{sha256[:2]}/{sha256}.json"
    assert damage.expected == "a recipe"


def test_a_recipe_that_makes_another_file_is_found(full: Archive) -> None:
    manifest = full.manifest(SMOL)
    first, *others = manifest.files
    wrong = msgspec.structs.replace(first, recipe=others[1].recipe)
    forged = msgspec.structs.replace(manifest, model=ModelId("forged"), files=(wrong, *others))
    full.put_record(forged.model, "manifest.json", forged.encode(), now=NOW, message="")
    [damage] = full.check(now=NOW).damage
    assert damage.models == ("forged",)
    assert damage.expected == first.sha256


def test_a_manifest_that_is_none_is_found(full: Archive) -> None:
    full.put_record(ModelId("odd"), "manifest.json", b"{}", now=NOW, message="")
    [damage] = full.check(now=NOW).damage
    assert damage.models == ("odd",)


BOTH = (SMOL, SUCCESSOR)


def pack_of(archive: Archive, model: ModelId, path: str) -> str:
    return pack_name(makers.pieces_of(archive, model, path)[0].pack)


@pytest.mark.parametrize(
    ("part", "concerned", "lost"),
    [
        (0, (SMOL,), "nested/vocab.txt"),
        (0, BOTH, "model.gguf"),
        (1, BOTH, "model.gguf: layer.0"),
        (-1, BOTH, "model.gguf: layer.3"),
        (0, BOTH, "config.json"),
        (0, (SUCCESSOR,), "adapter.safetensors"),
        (1, (SUCCESSOR,), "adapter.safetensors: lora"),
    ],
)
def test_damage_to_a_pack_concerns_the_models_and_tensors_whose_bytes_it_touches(
    full: Archive, store: MemoryStore, part: int, concerned: tuple[ModelId, ...], lost: str
) -> None:
    path = lost.partition(":")[0]
    name = makers.spoil(store, makers.pieces_of(full, concerned[-1], path)[part])
    [damage] = full.check(now=NOW).damage
    assert (damage.name, damage.models, damage.tensors) == (name, concerned, (lost,))


def test_a_lost_pack_concerns_every_model_that_rests_on_it(
    full: Archive, store: MemoryStore
) -> None:
    name = pack_of(full, SMOL, "model.gguf")
    del store.objects[name]
    [damage] = full.check(now=NOW).damage
    assert (damage.name, damage.models) == (name, BOTH)
    assert damage.tensors == ("model.gguf", *(f"model.gguf: layer.{n}" for n in range(4)))


def test_damage_to_a_record_concerns_its_model(full: Archive, store: MemoryStore) -> None:
    name = names(store, "record")[0]
    store.objects[name] = b"x"
    [damage] = full.check(now=NOW).damage
    assert damage.models == (SMOL,)
    assert damage.expected == f"sha256:{hexadecimal(digest(b'interviews/1.json'))}"
    assert damage.found == digest(b"x")


def test_one_model_is_checked_without_the_others(full: Archive, store: MemoryStore) -> None:
    store.objects[pack_of(full, SUCCESSOR, "adapter.safetensors")] = b""
    store.objects[place(SUCCESSOR) + "/v1/content/manifest.json"] = b""
    store.objects["notes.txt"] = b"stray"
    result = full.check(SMOL, now=NOW)
    assert result.ok, result.damage
    assert 0 < result.objects < len(store.objects)
    assert not full.check(SUCCESSOR, now=NOW).ok


def test_an_unknown_model_is_not_checked(full: Archive) -> None:
    with pytest.raises(UnknownModel):
        full.check(ModelId("nobody"), now=NOW)


def _drop(store: MemoryStore) -> None:
    del store.objects[place(SMOL) + "/inventory.json"]


def _spoil(store: MemoryStore) -> None:
    store.objects[place(SMOL) + "/inventory.json"] = b"{}"


@pytest.mark.parametrize("harm", [_drop, _spoil])
def test_weights_are_checked_even_if_their_newest_inventory_is_lost(
    full: Archive, store: MemoryStore, harm: Callable[[MemoryStore], None]
) -> None:
    pack = pack_of(full, SMOL, "nested/vocab.txt")
    harm(store)
    store.objects[pack] = b""
    found = {damage.name: damage.models for damage in full.check(now=NOW).damage}
    assert found == {pack: (SMOL, SUCCESSOR), place(SMOL) + "/inventory.json": (SMOL,)}


def test_an_object_without_a_sound_inventory_is_named(full: Archive, store: MemoryStore) -> None:
    for name in list(store.objects):
        if name.startswith(place(SMOL)) and "inventory" in name:
            store.objects[name] = b"?"
    assert place(SMOL) + "/inventory.json" in damaged(full.check(now=NOW))


def test_progress_reaches_its_total(full: Archive) -> None:
    told = []
    full.check(now=NOW, progress=lambda what, done, total: told.append((what, done, total)))
    assert told[-1][0] == "checking"
    assert told[-1][1] == told[-1][2]


def test_damage_is_told_in_order_of_name(full: Archive, store: MemoryStore) -> None:
    for name in ("z.txt", "a.txt", "SPEC.md"):
        store.objects[name] = b"x"
    assert [damage.name for damage in full.check(now=NOW).damage] == ["SPEC.md", "a.txt", "z.txt"]


def test_a_check_of_a_directory_reads_what_is_there_now(tmp_path: Path, full: Archive) -> None:
    from otium.store import LocalStore

    store = full.store
    folder(tmp_path / "copy", {name: store.get(name) for name in store.list()})
    copy = Archive.open(LocalStore(tmp_path / "copy"))
    assert copy.check(now=NOW).ok
    (tmp_path / "copy" / "README.txt").write_bytes(b"other")
    assert damaged(copy.check(now=NOW)) == {"README.txt"}
