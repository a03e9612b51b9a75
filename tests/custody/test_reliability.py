"""Every byte flipped, every file cut, emptied, removed or swapped: each is found and named."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

import makers
from custody.copies import flipped, harm, harms
from makers import NOW, SMOL, floats, safetensors
from otium.archive import Archive, Audit
from otium.custody import scrub
from otium.testing import MemoryStore


@pytest.fixture
def small(tmp_path: Path) -> MemoryStore:
    """An archive of one tiny model, so that every byte can have its turn."""
    store = MemoryStore()
    files = makers.folder(
        tmp_path / "tiny",
        {"model.safetensors": safetensors([floats("layer", 0, 40)]), "config.json": b'{"a":1}'},
    )
    makers.archive_in(store).add(SMOL, files, deposited=NOW)
    return store


def test_every_byte_of_every_file_flipped_is_found_by_a_read_of_that_file(
    small: MemoryStore,
) -> None:
    archive = Archive.open(small)
    audit = Audit(small, archive.info)
    missed, seen = [], 0
    for name, good in list(small.objects.items()):
        for at in range(len(good)):
            small.objects[name] = flipped(good, at)
            audit.damage.clear()
            audit.examine(name, lambda _length: None)
            missed += [(name, at)] * ([damage.name for damage in audit.damage] != [name])
            seen += 1
        small.objects[name] = good
    assert not missed
    assert seen == sum(map(len, small.objects.values()))


def test_every_byte_of_records_recipes_indexes_and_packs_flipped_is_found_by_a_check(
    small: MemoryStore,
) -> None:
    """What must be there is learned anew each time, from the very file that is damaged."""
    archive = Archive.open(small)
    started, seen = time.process_time(), 0
    for name, good in list(small.objects.items()):
        if "/" not in name:
            continue
        for at in range(len(good)):
            small.objects[name] = flipped(good, at)
            damage = archive.check(now=NOW).damage
            assert name in {one.name for one in damage}, (name, at, damage)
            seen += 1
        small.objects[name] = good
    assert seen > 3000
    assert time.process_time() - started < 200


def test_every_file_harmed_in_every_way_is_found_by_check_scrub_and_drill(
    store: MemoryStore, tmp_path: Path
) -> None:
    archive = Archive.open(store)
    for name in list(store.objects):
        good = store.objects[name]
        for how, data in harms(store, name):
            harm(store, name, data)
            assert name in {one.name for one in archive.check(now=NOW).damage}, (name, how)
            # Bytes after the last piece harm no file: only a full read sees them.
            if name.startswith("packs/") and how != "grown":
                cursor = tmp_path / "cursor.json"
                found = scrub(archive, cursor, now=NOW, level="drill").damage
                assert {one.name for one in found} == {name}, (name, how)
                assert all(one.tensors and one.models for one in found)
            store.objects[name] = good
    assert archive.check(now=NOW).ok


def test_every_two_files_swapped_are_both_found(store: MemoryStore) -> None:
    archive = Archive.open(store)
    names = sorted(store.objects)
    for one, two in [*pairwise(names), *zip(names, names[7:], strict=False)]:
        if store.objects[one] == store.objects[two]:
            continue
        store.objects[one], store.objects[two] = store.objects[two], store.objects[one]
        found = {damage.name for damage in archive.check(now=NOW).damage}
        assert {one, two} <= found, (one, two)
        store.objects[one], store.objects[two] = store.objects[two], store.objects[one]


def test_an_older_state_of_any_file_is_found(store: MemoryStore) -> None:
    archive = Archive.open(store)
    before = dict(store.objects)
    archive.put_record(SMOL, "later.json", b"1", now=NOW, message="Later")
    after = dict(store.objects)
    for name, data in before.items():
        if data != after[name]:
            store.objects[name] = data
            assert not archive.check(now=NOW).ok, name
            store.objects[name] = after[name]
