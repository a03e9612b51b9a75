"""Files that were brought out: whose they are, who uses them, and who makes room."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3

from otium.archive import File, Manifest, Runnable, weights_digest
from otium.errors import CannotStore, DamagedObject
from otium.records import Instant, ModelId, digest, hexadecimal
from otium.revival import cache as module
from otium.revival.cache import Shelf
from otium.revival.ours import Busy, at_once, locked

NOW = Instant("2026-11-22T00:00:00Z")
SIZE = 100_000


def file(letter: str, path: str = "model.gguf") -> File:
    data = letter.encode() * SIZE
    return File(
        path=path,
        size=SIZE,
        sha256=hexadecimal(digest(data)),
        blake3=blake3(data).hexdigest(),
        format="gguf",
        recipe="0" * 64,
    )


def model(*files: File) -> Manifest:
    return Manifest(
        model=ModelId("tiny"),
        deposited=NOW,
        weights=weights_digest((one.path, one.sha256) for one in files),
        files=files,
        runnable=Runnable(),
    )


A, B = model(file("a")), model(file("b"))
BOTH = model(file("a"), file("c", "adapter.gguf"))


def fill(shelf: Shelf, one: File, letter: str) -> None:
    with shelf.taking(one), shelf.fresh(one, ()) as out:
        os.write(out, letter.encode() * SIZE)


def lay(shelf: Shelf, manifest: Manifest, letters: str) -> Path:
    for one, letter in zip(manifest.files, letters, strict=True):
        if not shelf.holds(one):
            fill(shelf, one, letter)
    return shelf.gather(manifest)


def names(shelf: Shelf) -> set[str]:
    return {one.name for one in shelf.files.iterdir() if not one.suffix}


@pytest.fixture
def memory(tmp_path: Path) -> Shelf:
    """A shelf with room for two files."""
    shelf = Shelf(tmp_path / "memory", 2 * SIZE)
    shelf.files.mkdir()
    return shelf


def test_who_was_asked_for_longest_ago_makes_room(memory: Shelf) -> None:
    old, new = lay(memory, A, "a"), lay(memory, B, "b")
    os.utime(new, (1, 1))
    fill(memory, file("c"), "c")
    assert (old.exists(), new.exists()) == (True, False)
    assert memory.used() == 2 * SIZE


def test_a_model_that_is_used_makes_no_room(memory: Shelf) -> None:
    old, new = lay(memory, A, "a"), lay(memory, B, "b")
    os.utime(old, (1, 1))
    with memory.used_by_us(A):
        fill(memory, file("c"), "c")
        assert (old.exists(), new.exists()) == (True, False)
        with pytest.raises(CannotStore, match="100,000 bytes are wanted, 0 free"):
            fill(memory, file("d"), "d")
    assert memory.used() == 2 * SIZE


def test_what_is_just_being_filled_takes_room_too(memory: Shelf) -> None:
    one, two, three = file("a"), file("b"), file("c")
    with memory.fresh(one, ()), memory.fresh(two, ()):
        assert memory.used() == 2 * SIZE
        with pytest.raises(CannotStore), memory.fresh(three, ()):
            pytest.fail("there was no room")


def test_dropping_a_model_leaves_what_another_has_and_what_is_not_laid_yet(memory: Shelf) -> None:
    lay(memory, A, "a")
    folder = lay(memory, BOTH, "ac")
    memory.most = 3 * SIZE
    fill(memory, B.files[0], "b")
    memory.drop(folder)
    assert names(memory) == {A.files[0].sha256, B.files[0].sha256}
    assert memory.ready(A)


def test_one_file_that_vanishes_does_not_make_a_shelf_look_empty(
    memory: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(memory, A, "a")
    listed = [memory.root / "gone", memory.place(A.files[0])]
    monkeypatch.setattr(memory, "_files", lambda: iter(listed))
    assert memory.used() == SIZE


def test_leftovers_are_swept_when_nobody_brings_anything(memory: Shelf) -> None:
    fill(memory, A.files[0], "a")
    fill(memory, B.files[0], "b")
    (memory.files / "dead.part").write_bytes(bytes(10))
    with memory.bringing(A):
        assert names(memory) == {A.files[0].sha256}  # what was whole serves the next try
        assert not [*memory.files.glob("*.part")]
        fill(memory, B.files[0], "b")
        with memory.bringing(A):
            assert B.files[0].sha256 in names(memory)


def test_a_disk_keeps_what_was_whole(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    fill(shelf, B.files[0], "b")
    with shelf.bringing(A):
        assert names(shelf) == {B.files[0].sha256}


def test_a_file_that_went_before_it_was_laid_is_missed_by_its_name(memory: Shelf) -> None:
    fill(memory, A.files[0], "a")
    memory.discard(A.files[0])
    with pytest.raises(FileNotFoundError):
        memory.gather(A)
    assert memory.models() == []


def test_another_file_in_its_place_is_seen_whatever_its_times(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    place = lay(shelf, A, "a") / "model.gguf"
    seen, other = place.stat(), tmp_path / "other"
    other.write_bytes(b"x" * SIZE)
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert shelf.holds(A.files[0])
    other.rename(shelf.place(A.files[0]))
    assert not shelf.holds(A.files[0])


def test_a_file_is_trusted_only_for_the_digest_that_was_verified(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    lay(shelf, A, "a")
    lying = msgspec.structs.replace(A.files[0], blake3=blake3(b"x" * SIZE).hexdigest())
    assert not shelf.holds(lying)


def test_where_nothing_names_the_boot_all_is_verified_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BOOT", tmp_path / "none")
    shelf, heard = Shelf(tmp_path / "shelf"), list[int]()
    lay(shelf, A, "a")
    assert not shelf.holds(A.files[0])
    assert shelf.settle(A.files[0], heard.append)
    assert sum(heard) == SIZE


def test_what_is_settled_remembers_its_packs(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with shelf.taking(A.files[0]), shelf.fresh(A.files[0], ("p",)) as out:
        os.write(out, b"a" * SIZE)
    assert shelf.settle(A.files[0], lambda _: None)
    assert shelf.packs(A.files[0]) == ("p",)
    assert [(path, seen.packs) for path, seen in shelf.verified()] == [
        (shelf.place(A.files[0]), ("p",))
    ]


def test_a_wrong_file_from_another_boot_is_removed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    fill(shelf, A.files[0], "x")
    assert not shelf.settle(A.files[0], lambda _: None)
    assert names(shelf) == set()


def test_unsafe_paths_of_a_manifest_are_no_files(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    fill(shelf, A.files[0], "a")
    bad = msgspec.structs.replace(A, files=(msgspec.structs.replace(A.files[0], path="../x"),))
    with pytest.raises(DamagedObject, match="manifest"):
        shelf.gather(bad)


def test_a_lock_that_is_wanted_at_once_waits_for_nobody_and_sharers_let_each_other_in(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    with (
        locked(path, shared=True),
        locked(path, shared=True),
        pytest.raises(Busy),
        locked(path, wait=at_once),
    ):
        pytest.fail("it was held")
    held = threading.Event()

    def hold() -> None:
        with locked(path):
            held.set()

    with locked(path):
        other = threading.Thread(target=hold)
        other.start()
        assert not held.wait(0.1)
    other.join(10)
    assert held.is_set()
