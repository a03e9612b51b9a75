"""A writer that dies at any moment: what is there is whole, and a rerun completes it once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from ocfl.validator import Validator

import makers
from archive import llama
from dying import Cut, PowerCut
from makers import NOW, SMOL, SUCCESSOR, archive_in, folder, work
from otium import objects
from otium.archive import Archive, Index, deposit, pack_name
from otium.errors import Exists
from otium.records import ModelId, later
from otium.testing import MemoryStore

LATER = later(NOW, days=1)


def powered(store: MemoryStore) -> MemoryStore:
    """Return the store as the next process finds it."""
    after = MemoryStore()
    after.objects = dict(store.objects)
    return after


def writes(files: dict[ModelId, Path]) -> int:
    store = Cut(-1, done=False)
    work(store, files)
    return store.writes


@pytest.mark.parametrize("done", [False, True], ids=["before a write", "after a write"])
def test_a_rerun_after_a_cut_at_any_write_ends_as_if_there_had_been_none(
    files: dict[ModelId, Path], done: bool
) -> None:
    whole = MemoryStore()
    work(whole, files)
    for at in range(writes(files)):
        store = Cut(at, done=done)
        with pytest.raises(PowerCut):
            work(store, files)
        after = powered(store)
        work(after, files)
        assert after.objects == whole.objects, at
        assert Archive.open(after).check(now=NOW).ok


@pytest.mark.parametrize("done", [False, True], ids=["before a write", "after a write"])
def test_after_a_cut_at_any_write_whatever_is_named_is_there(
    files: dict[ModelId, Path], tmp_path: Path, done: bool
) -> None:
    for at in range(writes(files)):
        store = Cut(at, done=done)
        with pytest.raises(PowerCut):
            work(store, files)
        if "archive.json" not in store.objects:
            continue
        archive = Archive.open(powered(store))
        for model in archive.models():
            if "manifest.json" in archive.records(model):
                archive.restore(model, tmp_path / f"{at}-{done}-{model}")
            for path in archive.records(model):
                archive.record(model, path)


def test_a_cut_record_is_taken_over_whole_or_not_at_all_by_the_next_one(
    files: dict[ModelId, Path], tmp_path: Path
) -> None:
    start = MemoryStore()
    work(start, files)
    for at in range(6):
        for done in (False, True):
            store = Cut(at, done=done)
            store.objects = dict(start.objects)
            with suppress(PowerCut):
                Archive.open(store).put_record(SMOL, "a.json", b"a", now=NOW, message="a")
            archive = Archive.open(powered(store))
            archive.put_record(SMOL, "b.json", b"b", now=LATER, message="b")
            assert archive.record(SMOL, "b.json") == b"b"
            if "a.json" in archive.records(SMOL):
                assert archive.record(SMOL, "a.json") == b"a"
            assert archive.check(now=NOW).ok
            disk = {name: archive.store.get(name) for name in archive.store.list("models/")}
            root = folder(tmp_path / f"{at}{done}", disk)
            assert Validator().validate_object(str(root / objects.folder(SMOL)))


def test_a_cut_record_may_be_written_again_with_other_bytes_until_it_is_committed(
    files: dict[ModelId, Path],
) -> None:
    start = MemoryStore()
    work(start, files)
    outcomes = set()
    for at in range(6):
        store = Cut(at, done=True)
        store.objects = dict(start.objects)
        with suppress(PowerCut):
            Archive.open(store).put_record(SMOL, "a.json", b"old", now=NOW, message="")
        archive = Archive.open(powered(store))
        try:
            archive.put_record(SMOL, "a.json", b"new", now=NOW, message="")
        except Exists:
            assert archive.record(SMOL, "a.json") == b"old"
            outcomes.add("old")
        else:
            assert archive.record(SMOL, "a.json") == b"new"
            outcomes.add("new")
        assert archive.check(now=NOW).ok
    assert outcomes == {"old", "new"}


@pytest.mark.parametrize("done", [False, True], ids=["before a write", "after a write"])
def test_a_relative_whose_deposit_was_cut_ends_coded_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    monkeypatch.setattr(deposit, "LARGEST_PACK", 30_000)
    model, tuned = llama.made(1, layers=1), ModelId("tuned")
    base = MemoryStore()
    archive_in(base).add(SMOL, llama.hub(tmp_path / "base", model), deposited=NOW)
    path = llama.hub(tmp_path / "tuned", llama.tuned(model, 2))
    whole = Cut(-1, done=False)
    whole.objects = dict(base.objects)
    Archive.open(whole).add(tuned, path, deposited=NOW)
    assert whole.writes > 9
    for at in range(whole.writes):
        store = Cut(at, done=done)
        store.objects = dict(base.objects)
        with pytest.raises(PowerCut):
            Archive.open(store).add(tuned, path, deposited=NOW)
        again = Archive.open(powered(store))
        again.add(tuned, path, deposited=NOW)
        assert everything(again) == whole.objects, at


def everything(archive: Archive) -> dict[str, bytes]:
    """Return all that is stored."""
    return {name: archive.store.get(name) for name in archive.store.list()}


def test_a_rerun_at_a_later_time_doubles_nothing(files: dict[ModelId, Path]) -> None:
    whole = MemoryStore()
    archive_in(whole).add(SMOL, files[SMOL], deposited=NOW)
    for at in range(12):
        store = Cut(at + len(archive_files()), done=True)
        archive = archive_in(store)
        with suppress(PowerCut):
            archive.add(SMOL, files[SMOL], deposited=NOW)
        again = Archive.open(powered(store))
        manifest = again.add(SMOL, files[SMOL], deposited=LATER)
        assert manifest.deposited in {NOW, LATER}
        assert stored(again, "packs/") == stored(Archive.open(whole), "packs/")
        assert stored(again, "recipes/") == stored(Archive.open(whole), "recipes/")
        assert again.check(now=NOW).ok


def test_a_deposit_that_failed_may_be_made_again_by_the_same_process(
    files: dict[ModelId, Path],
) -> None:
    whole = MemoryStore()
    archive_in(whole).add(SMOL, files[SMOL], deposited=NOW)
    every = makers.kept(whole)
    for at in range(12):
        store = Cut(at + len(archive_files()), done=True)
        archive = archive_in(store)
        with suppress(PowerCut):
            archive.add(SMOL, files[SMOL], deposited=NOW)
        store.at = -1
        held = makers.kept(store)
        left = sum(piece.size for sha256, piece in every.items() if sha256 not in held)
        assert archive.plan(files[SMOL]).new_bytes == left, at
        archive.add(SMOL, files[SMOL], deposited=NOW)
        assert store.objects == whole.objects


@pytest.mark.parametrize("done", [False, True], ids=["before a write", "after a write"])
def test_a_rerun_stores_no_pack_again_that_an_index_names(
    files: dict[ModelId, Path], monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    monkeypatch.setattr(deposit, "LARGEST_PACK", 1500)
    whole = Cut(-1, done=False)
    work(whole, files)
    assert len(list(whole.list("packs/"))) > 4
    saved = 0
    for at in range(whole.writes):
        store = Cut(at, done=done)
        with pytest.raises(PowerCut):
            work(store, files)
        after = Cut(-1, done=False)
        after.objects = dict(store.objects)
        held = makers.kept(after)
        work(after, files)
        packs = {pack_name(one) for one, kind in after.added if kind == "packs"}
        again = [
            piece.sha256
            for index in (Index.decode(after.get(name)) for name in after.list("indexes/"))
            for piece in index.pieces
            if pack_name(index.pack) in packs and piece.sha256 in held
        ]
        assert not again, at
        saved += len(held)
        assert after.objects == whole.objects, at
    assert saved


def test_a_cut_deposit_may_be_mended_and_made_with_other_files(
    files: dict[ModelId, Path],
) -> None:
    for at in range(12):
        store = Cut(at + len(archive_files()), done=True)
        archive = archive_in(store)
        with suppress(PowerCut):
            archive.add(SMOL, files[SMOL], deposited=NOW)
        again = Archive.open(powered(store))
        try:
            manifest = again.add(SMOL, files[SUCCESSOR], deposited=LATER)
        except Exists:
            manifest = again.add(SMOL, files[SMOL], deposited=LATER)
        assert again.manifest(SMOL) == manifest
        assert again.check(now=NOW).ok


def archive_files() -> dict[str, bytes]:
    """Return what creating an archive writes."""
    store = MemoryStore()
    archive_in(store)
    return store.objects


def stored(archive: Archive, prefix: str) -> list[str]:
    return list(archive.store.list(prefix))


PROCESS = """
import os
import sys
from pathlib import Path
from makers import SMOL, SUCCESSOR, work
from otium.store import LocalStore, hold
root = Path(sys.argv[1])
os.fsync = lambda handle: None  # a killed process loses nothing that the kernel has
print("ready", flush=True)
with hold(root):
    store = LocalStore(root / "archive")
    store.sweep()
    work(store, {SMOL: root / "in" / "smol", SUCCESSOR: root / "in" / "successor"})
"""


def start(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_process_killed_at_random_moments_is_completed_by_the_next(tmp_path: Path) -> None:
    files = makers.family(tmp_path / "in")
    whole = MemoryStore()
    work(whole, files)
    began = time.monotonic()
    with start(tmp_path) as process:
        assert process.wait() == 0
    took = time.monotonic() - began
    killed = 0
    for n in range(8):
        root = tmp_path / str(n)
        makers.family(root / "in")
        with start(root) as process:
            time.sleep(took * n / 8)
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        with start(root) as process:
            assert process.wait() == 0
        found = {
            name: data
            for name, data in makers.tree(root / "archive").items()
            if not name.startswith(".tmp/")
        }
        assert found == whole.objects
    assert killed
