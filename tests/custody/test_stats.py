from __future__ import annotations

import pytest

from custody.copies import BASE, CHILD
from makers import SMOL, SUCCESSOR
from otium.archive import Archive
from otium.custody import protect, stats, what_if
from otium.errors import BadInput, NotFound
from otium.testing import MemoryStore


def test_what_is_counted_is_what_is_stored(archive: Archive, store: MemoryStore) -> None:
    found = stats(archive)
    packs = {name: len(data) for name, data in store.objects.items() if name.startswith("packs/")}
    deposited = [file for m in archive.models() for file in archive.manifest(m).files]
    assert (found.models, found.files) == (2, len(deposited))
    assert found.bytes == sum(file.size for file in deposited)
    assert found.stored == sum(packs.values()) == sum(use.stored for use in found.codecs)
    assert found.ratio == pytest.approx(found.stored / found.bytes, abs=1e-6)
    assert found.indexes == len(packs)
    assert {use.name: use.bytes for use in found.packs} == packs
    assert sum(found.depths) == sum(use.pieces for use in found.codecs)
    assert (found.orphans, found.parity) == ((), 0)


def test_the_pack_on_which_most_models_rest_comes_first(archive: Archive) -> None:
    found = stats(archive, top=2)
    assert [len(use.models) for use in found.packs] == [2, 2]
    assert found.packs[0].models == (SMOL, SUCCESSOR)
    assert found.fan_in == (1, 2)


def test_a_pack_that_nothing_rests_on_is_an_orphan(archive: Archive, store: MemoryStore) -> None:
    sha256 = store.add("packs", [b"left by a writer that died"], ".pack")
    assert stats(archive).orphans == (f"packs/{sha256[:2]}/{sha256}.pack",)


def test_parity_is_counted(archive: Archive, store: MemoryStore) -> None:
    [made] = protect(archive, 0.1)
    assert stats(archive).parity == len(store.objects[made.name])


def test_a_model_coded_against_another_rests_on_its_packs(relatives: Archive) -> None:
    found = stats(relatives)
    assert len(found.depths) == 2
    assert found.depths[1] > 0
    assert found.packs[0].models == (BASE, CHILD)


def test_with_a_base_all_that_is_coded_against_it_is_lost(relatives: Archive) -> None:
    [pack] = [use for use in stats(relatives).packs if use.models == (BASE, CHILD)]
    lost = what_if(relatives, pack.name)
    assert lost.models == (BASE, CHILD)
    tensor = "model.safetensors: model.layers.0.mlp.up_proj.weight"
    assert all(tensor in file.parts for file in lost.files)
    assert what_if(relatives, pack.name.rpartition("/")[2].removesuffix(".pack")) == lost


def test_without_what_if_names_exactly_what_cannot_be_restored(
    archive: Archive, store: MemoryStore
) -> None:
    for use in stats(archive).packs:
        lost = what_if(archive, use.name)
        good = store.objects.pop(use.name)
        broken = set()
        for model in archive.models():
            for file in archive.manifest(model).files:
                try:
                    archive.open_file(model, file.path).read(0, file.size)
                except Exception:  # noqa: BLE001  (whatever the reason)
                    broken.add((model, file.path))
        store.objects[use.name] = good
        assert {(file.model, file.path) for file in lost.files} == broken


def test_a_pack_that_is_gone_already_can_still_be_asked_about(
    archive: Archive, store: MemoryStore
) -> None:
    name = stats(archive).packs[0].name
    before = what_if(archive, name)
    del store.objects[name]
    assert what_if(archive, name) == before


def test_an_unknown_pack_is_refused(archive: Archive) -> None:
    with pytest.raises(NotFound):
        what_if(archive, "ab" * 32)
    with pytest.raises(BadInput):
        what_if(archive, "the big one")
