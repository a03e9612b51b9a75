from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import makers
from custody.copies import append, copy_of, flipped, harm, harms
from dying import Cut, PowerCut
from makers import NOW, SMOL
from otium.archive import Archive
from otium.custody import replicate
from otium.errors import CannotStore, DamagedObject, Diverged, NotAnArchive
from otium.ledger import Entry, Ledger, verify
from otium.notes import Signer
from otium.objects import folder as place
from otium.records import Actor, later
from otium.store import Buffer, LocalStore
from otium.testing import FaultyStore, MemoryStore


def test_every_store_gets_everything_byte_for_byte(logged: MemoryStore) -> None:
    one, two = MemoryStore(), MemoryStore()
    report = replicate(logged, {"one": one, "two": two})
    assert report.ok
    assert one.objects == two.objects == logged.objects
    assert [copied.files for copied in report.stores] == [len(logged.objects)] * 2
    assert report.stores[0].bytes >= sum(map(len, logged.objects.values())) - 9000


def test_a_directory_gets_what_a_store_in_memory_has(logged: MemoryStore, tmp_path: Path) -> None:
    assert replicate(logged, {"disk": LocalStore(tmp_path / "copy")}).ok
    assert makers.tree(tmp_path / "copy") == logged.objects


def test_again_copies_nothing(logged: MemoryStore) -> None:
    target = MemoryStore()
    replicate(logged, {"copy": target})
    counted = FaultyStore(target, CannotStore(path="", why=""), call=0)
    [copied] = replicate(logged, {"copy": counted}).stores
    assert (copied.files, copied.bytes) == (0, 0)
    assert not [call for call in counted.calls if call.startswith(("put", "add", "replace"))]


def test_a_dry_run_names_what_would_be_copied_and_writes_nothing(logged: MemoryStore) -> None:
    target = MemoryStore()
    planned = replicate(logged, {"copy": target}, dry_run=True)
    assert not target.objects
    done = replicate(logged, {"copy": target})
    assert sorted(planned.stores[0].names) == sorted(done.stores[0].names)


def test_only_what_is_new_is_copied(logged: MemoryStore, signer: Signer) -> None:
    target = MemoryStore()
    replicate(logged, {"copy": target})
    Archive.open(logged).put_record(SMOL, "later.json", b"1", now=NOW, message="Later")
    append(logged, signer, 300)
    [copied] = replicate(logged, {"copy": target}).stores
    assert target.objects.keys() >= logged.objects.keys()
    assert {n: target.objects[n] for n in logged.objects} == logged.objects
    assert not [name for name in copied.names if name.startswith(("packs/", "recipes/"))]
    assert verify(target, signer.vkeys).size == 303


def test_whatever_a_cut_leaves_is_whole_and_a_rerun_completes_it(logged: MemoryStore) -> None:
    counting = Cut(-1, done=False)
    replicate(logged, {"copy": counting})
    for done in (False, True):
        for at in range(counting.writes):
            target = Cut(at, done=done)
            with pytest.raises(PowerCut):
                replicate(logged, {"copy": target})
            after = copy_of(target)
            if "archive.json" in after.objects:
                assert Archive.open(after).check(now=NOW).ok, at
            names = [n for n in after.objects if n.startswith(("packs/", "recipes/"))]
            assert all(after.objects[name] == logged.objects[name] for name in names)
            assert replicate(logged, {"copy": after}).ok
            assert after.objects == logged.objects, at


def test_a_cut_while_a_newer_state_is_copied_leaves_the_older_or_the_newer(
    logged: MemoryStore, signer: Signer
) -> None:
    start = MemoryStore()
    replicate(logged, {"copy": start})
    Archive.open(logged).put_record(SMOL, "later.json", b"1", now=NOW, message="Later")
    append(logged, signer, 2)
    counting = Cut(-1, done=False)
    counting.objects = dict(start.objects)
    replicate(logged, {"copy": counting})
    for done in (False, True):
        for at in range(counting.writes):
            target = Cut(at, done=done)
            target.objects = dict(start.objects)
            with pytest.raises(PowerCut):
                replicate(logged, {"copy": target})
            after = copy_of(target)
            assert Archive.open(after).records(SMOL)
            assert replicate(logged, {"copy": after}).ok
            assert {n: after.objects[n] for n in logged.objects} == logged.objects, at


def test_every_single_failure_is_told_and_mended_by_a_rerun(logged: MemoryStore) -> None:
    counted = FaultyStore(MemoryStore(), CannotStore(path="", why=""), call=0)
    replicate(logged, {"copy": counted})
    for error in (CannotStore(path="copy", why="no space"), OSError(28, "No space left")):
        for after in (False, True):
            for call in range(1, len(counted.calls) + 1, 3):
                inside = MemoryStore()
                report = replicate(
                    logged, {"copy": FaultyStore(inside, error, call=call, after=after)}
                )
                # A call that was to fail after its effect may have said "not found" before.
                assert report.stores[0].trouble or (after and inside.objects == logged.objects)
                assert replicate(logged, {"copy": inside}).ok
                assert inside.objects == logged.objects, call


def test_a_store_that_fails_does_not_hold_up_the_others(logged: MemoryStore) -> None:
    broken = FaultyStore(MemoryStore(), CannotStore(path="x", why="gone"), call=1, times=9999)
    other = MemoryStore()
    first, second = replicate(logged, {"broken": broken, "other": other}).stores
    assert "gone" in first.trouble
    assert not second.trouble
    assert other.objects == logged.objects


def test_damage_is_never_copied_and_is_named(logged: MemoryStore) -> None:
    for name in list(logged.objects):
        if name in {"archive.json", "archive.json.sha256"}:
            continue
        good = logged.objects[name]
        for how, data in harms(logged, name):
            harm(logged, name, data)
            target = MemoryStore()
            report = replicate(logged, {"copy": target})
            logged.objects[name] = good
            for copied, found in target.objects.items():
                older = f"{place(SMOL)}/v1/{copied.rpartition('/')[2]}"
                stands = [copied, older.replace(place(SMOL), copied.rpartition("/")[0])]
                assert found in [logged.objects.get(one) for one in stands], (name, how, copied)
            told = {damage.name for damage in report.damage}
            # A partial tile that a fuller one replaced is no longer part of the ledger.
            lacking = logged.objects.keys() - target.objects.keys()
            lacking -= {one for one in lacking if one.endswith((".p/1", ".p/2"))}
            assert told or not lacking, (name, how, lacking)
            if name.startswith("log/"):
                assert told == ({"log/checkpoint"} if lacking else told), (name, how)
            elif lacking:
                assert name in told or name.rpartition("/")[0] in told, (name, how, told)


def test_a_source_that_does_not_know_what_it_is_is_not_copied(logged: MemoryStore) -> None:
    info = logged.objects["archive.json"]
    at = info.index(b"test")
    for name, data in (
        ("archive.json", flipped(info, at)),
        ("archive.json.sha256", b"?"),
        ("archive.json", b"{}"),
    ):
        source, target = copy_of(logged), MemoryStore()
        source.objects[name] = data
        with pytest.raises(DamagedObject):
            replicate(source, {"copy": target})
        assert not target.objects
    with pytest.raises(NotAnArchive):
        replicate(MemoryStore(), {"copy": MemoryStore()})


def test_what_is_there_is_never_overwritten(logged: MemoryStore) -> None:
    whole = MemoryStore()
    replicate(logged, {"copy": whole})
    name = next(name for name in logged.objects if name.startswith("packs/"))
    logged.objects[name] = b"damaged after it was copied"
    assert replicate(logged, {"copy": whole}).ok
    assert whole.objects[name] != logged.objects[name]
    assert Archive.open(whole).check(now=NOW).ok


def test_another_archive_is_not_touched(logged: MemoryStore) -> None:
    other = MemoryStore()
    Archive.create(other, archive_id="other", created=NOW, origin="o.example/log", keys=[])
    before = dict(other.objects)
    with pytest.raises(Diverged) as caught:
        replicate(logged, {"other": other})
    assert other.objects == before
    assert "archive.json" in str(caught.value)


def test_an_older_inventory_never_replaces_a_newer_one(logged: MemoryStore) -> None:
    newer = MemoryStore()
    replicate(logged, {"copy": newer})
    Archive.open(newer).put_record(SMOL, "later.json", b"1", now=NOW, message="Later")
    before = dict(newer.objects)
    report = replicate(logged, {"copy": newer})
    assert report.ok
    assert report.stores[0].ahead == (place(SMOL),)
    assert newer.objects == before


def test_objects_that_differ_are_left_and_named_and_all_else_is_copied(
    logged: MemoryStore, signer: Signer
) -> None:
    target = MemoryStore()
    replicate(logged, {"copy": target})
    Archive.open(target).put_record(SMOL, "a.json", b"there", now=NOW, message="There")
    Archive.open(logged).put_record(SMOL, "a.json", b"here", now=later(NOW, days=1), message="Here")
    append(logged, signer, 1)
    before = {n: d for n, d in target.objects.items() if n.startswith(place(SMOL))}
    with pytest.raises(Diverged) as caught:
        replicate(logged, {"copy": target})
    assert place(SMOL) in str(caught.value)
    assert {n: target.objects[n] for n in target.objects if n.startswith(place(SMOL))} == before
    assert target.objects["log/checkpoint"] == logged.objects["log/checkpoint"]


def test_an_older_ledger_never_replaces_a_newer_one(logged: MemoryStore, signer: Signer) -> None:
    newer = MemoryStore()
    replicate(logged, {"copy": newer})
    append(newer, signer, 2)
    before = dict(newer.objects)
    report = replicate(logged, {"copy": newer})
    assert report.stores[0].ahead == ("log/checkpoint",)
    assert newer.objects == before


def test_a_ledger_that_was_forked_is_left_and_named(logged: MemoryStore, signer: Signer) -> None:
    other = copy_of(logged)
    append(logged, signer, 2)
    fork = copy_of(other)
    ledger = Ledger.open(fork, vkeys=signer.vkeys, signer=signer)
    for count in (1, 4):
        for number in range(count):
            said = Entry(type="heartbeat", time=NOW, actor=Actor("forger"), subject=f"{number}")
            ledger.append(said)
        before = dict(fork.objects)
        with pytest.raises(Diverged):
            replicate(logged, {"fork": fork})
        assert fork.objects == before


def test_what_lies_beyond_the_checkpoint_does_not_stop_the_copy(
    logged: MemoryStore, signer: Signer
) -> None:
    target = MemoryStore()
    replicate(logged, {"copy": target})
    append(logged, signer, 2)
    stray = next(n for n in logged.objects if n.startswith("log/") and n not in target.objects)
    target.objects[stray] = b"left by a writer that died"
    assert replicate(logged, {"copy": target}).ok
    assert verify(target, signer.vkeys).size == 5


class Slow(MemoryStore):
    """A store whose writers all wait for one another before each write."""

    def __init__(self, writers: int) -> None:
        super().__init__()
        self.barrier = threading.Barrier(writers)

    def wait(self) -> None:
        try:
            self.barrier.wait(0.05)
        except threading.BrokenBarrierError:
            self.barrier.reset()

    def put(self, name: str, data: Buffer) -> None:
        self.wait()
        super().put(name, data)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        self.wait()
        return super().add(folder, chunks, suffix)


def test_replicators_at_once_end_with_one_whole_copy(logged: MemoryStore) -> None:
    target = Slow(3)
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(replicate, logged, {"copy": target}) for _ in range(3)]
    assert all(one.result().ok for one in running)
    assert target.objects == logged.objects


def test_replicators_of_an_older_and_a_newer_copy_end_with_the_newer_objects(
    logged: MemoryStore,
) -> None:
    older = copy_of(logged)
    for number in range(3):
        name = f"later-{number}.json"
        Archive.open(logged).put_record(SMOL, name, b"1", now=NOW, message="Later")
    for _ in range(3):
        target = Slow(2)
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(replicate, one, {"copy": target}) for one in (older, logged)]:
                done.result()
        assert target.objects == logged.objects


def test_a_damaged_ledger_is_made_whole_by_a_copy_of_the_same(
    logged: MemoryStore, signer: Signer
) -> None:
    for name in [name for name in logged.objects if name.startswith("log/")]:
        for how, data in harms(logged, name):
            here = copy_of(logged)
            harm(here, name, data)
            assert replicate(logged, {"here": here}).ok, (name, how)
            assert here.objects == logged.objects, (name, how)
            assert verify(here, signer.vkeys).size == 3


def test_a_damaged_checkpoint_is_not_replaced_by_one_of_a_shorter_ledger(
    logged: MemoryStore, signer: Signer
) -> None:
    longer = copy_of(logged)
    append(longer, signer, 2)
    for data in (None, b"?"):
        here = copy_of(longer)
        harm(here, "log/checkpoint", data)
        with pytest.raises(Diverged):
            replicate(logged, {"here": here})
        assert here.objects.get("log/checkpoint") == data
        assert replicate(longer, {"here": here}).ok
        assert here.objects == longer.objects
