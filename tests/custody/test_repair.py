from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.copies import copy_of, flipped, harm, harms
from dying import Cut, PowerCut
from makers import NOW, SMOL
from otium.archive import Archive
from otium.custody import carry_out_repair, opened, plan_repair, protect, repair, replicate
from otium.errors import CannotStore, DamagedObject
from otium.objects import folder as place
from otium.store import Buffer, LocalStore, Span
from otium.testing import MemoryStore


def test_a_whole_archive_is_left_alone(archive: Archive, store: MemoryStore) -> None:
    before = dict(store.objects)
    assert repair(archive, {"copy": copy_of(store)}).mended == ()
    assert store.objects == before


def test_every_damage_to_every_file_is_mended_bit_for_bit(
    archive: Archive, store: MemoryStore
) -> None:
    good = copy_of(store)
    for name in good.objects:
        for how, data in harms(good, name):
            harm(store, name, data)
            done = repair(archive, {"copy": good})
            assert done.ok, (name, how, done)
            assert [one.name for one in done.mended] == [name]
            assert store.objects == good.objects, (name, how)


def test_the_file_that_says_what_the_archive_is_is_mended_first(store: MemoryStore) -> None:
    good = copy_of(store)
    for name in ("archive.json", "archive.json.sha256"):
        for how, data in harms(good, name):
            harm(store, name, data)
            archive = opened(store, {"copy": good})
            assert archive.id == "test", how
            assert store.objects == good.objects, (name, how)
    store.objects["archive.json"] = b"?"
    with pytest.raises(DamagedObject):
        opened(store, {"liar": store})


def test_everything_but_the_root_is_mended_at_once(archive: Archive, store: MemoryStore) -> None:
    good = copy_of(store)
    for name in store.objects:
        store.objects[name] = b"damaged"
    assert repair(archive, {"copy": good}).ok
    assert store.objects == good.objects


def test_each_copy_gives_what_it_has(archive: Archive, store: MemoryStore) -> None:
    good, copies = copy_of(store), [copy_of(store) for _ in range(3)]
    for at, name in enumerate(good.objects):
        store.objects[name] = b"damaged"
        for number, copy in enumerate(copies):
            if number != at % 3 and "inventory" not in name:
                copy.objects[name] = flipped(copy.objects[name], 0)
    done = repair(archive, {str(number): copy for number, copy in enumerate(copies)})
    assert done.ok
    assert {one.source for one in done.mended} >= {"0", "1", "2"}
    assert store.objects == good.objects


def test_what_no_copy_has_is_named_and_left_as_it_is(archive: Archive, store: MemoryStore) -> None:
    copy = copy_of(store)
    name = next(name for name in store.objects if name.startswith("packs/"))
    store.objects[name] = here = flipped(store.objects[name], 3)
    copy.objects[name] = flipped(copy.objects[name], 4)
    done = repair(archive, {"copy": copy})
    assert [damage.name for damage in done.left] == [name]
    assert done.left[0].models
    assert store.objects[name] == here


def test_a_plan_writes_nothing_and_names_the_copy(archive: Archive, store: MemoryStore) -> None:
    good, bad = copy_of(store), copy_of(store)
    name = next(name for name in store.objects if name.startswith("packs/"))
    store.objects[name] = bad.objects[name] = b"damaged"
    before = dict(store.objects)
    plan = plan_repair(archive, {"bad": bad, "good": good})
    assert [(one.name, one.source) for one in plan.remedies] == [(name, "good")]
    assert store.objects == before


def test_what_became_whole_after_the_plan_is_not_written(
    archive: Archive, store: MemoryStore
) -> None:
    good = copy_of(store)
    name = next(name for name in store.objects if name.startswith("packs/"))
    store.objects[name] = b"damaged"
    plan = plan_repair(archive, {"copy": good})
    store.objects[name] = good.objects[name]
    good.objects[name] = b"damaged now"
    assert carry_out_repair(archive, {"copy": good}, plan).mended == ()
    assert store.objects[name] != b"damaged now"


def test_a_copy_that_is_damaged_after_the_plan_is_not_used(
    archive: Archive, store: MemoryStore
) -> None:
    one, two = copy_of(store), copy_of(store)
    name = next(name for name in store.objects if name.startswith("packs/"))
    good = store.objects[name]
    store.objects[name] = b"damaged"
    plan = plan_repair(archive, {"one": one, "two": two})
    assert plan.remedies[0].source == "one"
    one.objects[name] = flipped(good, 1)
    done = carry_out_repair(archive, {"one": one, "two": two}, plan)
    assert [remedy.source for remedy in done.mended] == ["two"]
    assert store.objects[name] == good


def test_an_index_follows_from_the_recipes(archive: Archive, store: MemoryStore) -> None:
    good = dict(store.objects)
    for name in good:
        if name.startswith("indexes/"):
            del store.objects[name]
    done = repair(archive, {})
    assert {one.source for one in done.mended} == {"other files"}
    assert store.objects == good


def test_an_inventory_is_repeated_in_its_version(archive: Archive, store: MemoryStore) -> None:
    good = dict(store.objects)
    store.objects[f"{place(SMOL)}/inventory.json"] = b"?"
    assert repair(archive, {}).ok
    assert store.objects == good


def test_an_object_that_is_lost_here_is_taken_only_if_all_copies_agree(
    archive: Archive, store: MemoryStore
) -> None:
    good, other = copy_of(store), copy_of(store)
    Archive.open(other).put_record(SMOL, "forged.json", b"1", now=NOW, message="Forged")
    third = copy_of(store)
    Archive.open(third).put_record(SMOL, "true.json", b"1", now=NOW, message="True")
    for name in store.objects:
        if name.startswith(f"{place(SMOL)}/"):
            store.objects[name] = b"?"
    assert not repair(archive, {"other": other, "third": third}).ok
    assert repair(archive, {"good": good}).ok
    assert store.objects == good.objects


def test_stray_files_are_named_and_stay(archive: Archive, store: MemoryStore) -> None:
    store.objects["notes.txt"] = b"stray"
    done = repair(archive, {"copy": copy_of(store)})
    assert [damage.name for damage in done.left] == ["notes.txt"]
    assert store.objects["notes.txt"] == b"stray"


def test_a_directory_is_repaired_in_place(archive: Archive, tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "copy")
    replicate(archive.store, {"copy": local})
    for path in sorted((tmp_path / "copy" / "packs").rglob("*.pack")):
        path.write_bytes(b"damaged")
    (tmp_path / "copy" / "README.txt").unlink()
    assert repair(Archive.open(local), {"first": archive.store}).ok
    assert Archive.open(local).check(now=NOW).ok
    assert not list((tmp_path / "copy" / ".tmp").iterdir())


class Liar(MemoryStore):
    """A custodian who gives wrong bytes, too few, nothing or an error, now and then."""

    def __init__(self, store: MemoryStore, seed: int, honesty: float) -> None:
        super().__init__()
        self.objects = dict(store.objects)
        self.random, self.honesty = random.Random(seed), honesty

    def get(self, name: str, span: Span | None = None) -> bytes:
        data = super().get(name, span)
        if self.random.random() < self.honesty:
            return data
        lies: list[Callable[[], bytes]] = [
            lambda: bytes(len(data)),
            lambda: data[:-1],
            lambda: flipped(data, self.random.randrange(len(data))) if data else b"?",
            lambda: _raise(CannotStore(path="liar", why="it does not answer")),
            lambda: _raise(OSError(5, "Input/output error")),
        ]
        return self.random.choice(lies)()


def _raise(error: Exception) -> bytes:
    raise error


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), honesty=st.sampled_from([0.0, 0.3, 0.7, 0.9]))
def test_copies_that_lie_and_fail_and_rot_never_make_anything_worse(
    store: MemoryStore, seed: int, honesty: float
) -> None:
    chance = random.Random(seed)
    here = copy_of(store)
    archive = Archive.open(here)
    copies = {"a": Liar(store, seed, honesty), "b": Liar(store, seed + 1, honesty)}
    for target in (here, *copies.values()):
        for name in chance.sample(sorted(target.objects), 12):
            if not name.startswith("archive.json"):
                target.objects[name] = flipped(target.objects[name] or b"?", 0)

    def rot(what: str, done: int, total: int) -> None:
        assert what
        assert done <= total
        name = chance.choice(sorted(copies["a"].objects))
        copies["a"].objects[name] = flipped(copies["a"].objects[name] or b"?", 0)

    bad = {name for name in store.objects if here.objects.get(name) != store.objects[name]}
    done = repair(archive, copies, progress=rot)
    after = {name for name in store.objects if here.objects.get(name) != store.objects[name]}
    assert after <= bad
    assert {one.name for one in done.mended} == bad - after
    assert after <= {damage.name for damage in done.left}
    assert repair(archive, {"good": copy_of(store)}).ok
    assert here.objects == store.objects


@pytest.mark.parametrize("done", [False, True], ids=["before a write", "after a write"])
def test_a_repair_cut_at_any_write_is_completed_by_the_next(store: MemoryStore, done: bool) -> None:
    names = [name for name in sorted(store.objects) if not name.startswith("archive.json")]
    for at in range(len(names)):
        cut = Cut(at, done=done)
        cut.objects = {**store.objects, **dict.fromkeys(names, b"damaged")}
        with pytest.raises(PowerCut):
            repair(Archive.open(cut), {"copy": store})
        after = copy_of(cut)
        for name in names:
            assert after.objects[name] in {b"damaged", store.objects[name]}
        assert repair(Archive.open(after), {"copy": store}).ok
        assert after.objects == store.objects


class Forgetful(MemoryStore):
    """A store that keeps other bytes than it was given."""

    def replace(self, name: str, data: Buffer) -> None:
        super().replace(name, bytes(len(data)))


def test_a_store_that_keeps_other_bytes_is_found_out(store: MemoryStore) -> None:
    bad = Forgetful()
    bad.objects = dict(store.objects)
    name = next(name for name in store.objects if name.startswith("packs/"))
    bad.objects[name] = b"damaged"
    done = repair(Archive.open(bad), {"copy": store})
    assert not done.mended
    assert name in {damage.name for damage in done.left}


def test_parity_mends_where_no_copy_can(archive: Archive, store: MemoryStore) -> None:
    protect(archive, 0.2)
    good = dict(store.objects)
    for name, data in good.items():
        if name.startswith("packs/"):
            store.objects[name] = flipped(data, len(data) // 2)
    done = repair(archive, {})
    assert {one.source for one in done.mended} == {"parity"}
    assert store.objects == good


def test_damaged_parity_is_summed_again(archive: Archive, store: MemoryStore) -> None:
    [made] = protect(archive, 0.2)
    good = store.objects[made.name]
    for at in (0, 120, len(good) // 2, len(good) - 1):
        store.objects[made.name] = flipped(good, at)
        done = repair(archive, {})
        assert {one.source for one in done.mended} == {"other files"}
        assert store.objects[made.name] == good


def test_copies_that_are_all_damaged_and_parity_together_mend_a_pack(
    archive: Archive, store: MemoryStore
) -> None:
    protect(archive, 0.05)
    good, other = dict(store.objects), copy_of(store)
    name = max((n for n in good if n.startswith("packs/")), key=lambda n: len(good[n]))
    size = len(good[name])
    # Neither is whole, and either lacks more than the parity could mend.
    store.objects[name] = bytes(size // 2) + good[name][size // 2 :]
    other.objects[name] = good[name][: size // 2] + bytes(size - size // 2)
    done = repair(archive, {"other": other})
    assert {one.source for one in done.mended} == {"parity"}
    assert store.objects == good
