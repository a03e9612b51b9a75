"""A directory as a store: what a power cut, a second writer and a crash find."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadInput, Exists, Held, NotFound
from otium.store import LocalStore, Span, SystemDisk, content_name, hold
from otium.testing import SimulatedDisk, watched

LASTING = {"sync", "link", "rename", "sync_all"}


class Acts:
    """The acts of the disk that matter for durability, in order, with the kind of their object."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        if name == "sync":
            handle = Path(f"/proc/self/fd/{arguments[0]}")
            self.seen.append("sync folder" if handle.is_dir() else "sync file")
        elif name in LASTING:
            self.seen.append(name)
        return act(*arguments)


@pytest.fixture
def acts() -> Acts:
    return Acts()


@pytest.fixture
def store(tmp_path: Path, acts: Acts) -> LocalStore:
    store = LocalStore(tmp_path / "store", watched(SystemDisk(), acts))
    store.put("folder/first", b"")
    acts.seen.clear()
    return store


def test_put_settles_the_bytes_then_the_name_then_the_folder(store: LocalStore, acts: Acts) -> None:
    store.put("folder/second", b"bytes")
    assert acts.seen == ["sync file", "link", "sync folder"]


def test_add_settles_the_bytes_then_the_name_then_the_folder(store: LocalStore, acts: Acts) -> None:
    store.add("packs", [b"bytes"], ".pack")
    assert acts.seen == ["sync folder", "sync folder", "sync file", "link", "sync folder"]


def test_replace_settles_the_bytes_then_the_name_then_the_folder(
    store: LocalStore, acts: Acts
) -> None:
    store.replace("folder/first", b"bytes")
    assert acts.seen == ["sync file", "link", "rename", "sync folder"]


def test_a_new_folder_is_settled_in_its_parent_before_it_is_used(
    store: LocalStore, acts: Acts
) -> None:
    store.put("new/deep/name", b"bytes")
    folders = ["sync folder", "sync folder"]
    assert acts.seen == [*folders, "sync file", "link", "sync folder"]


def test_a_folder_that_another_made_is_settled_before_it_is_used(
    store: LocalStore, acts: Acts
) -> None:
    (store.root / "made").mkdir()
    store.put("made/name", b"bytes")
    assert acts.seen == ["sync folder", "sync file", "link", "sync folder"]


def test_a_name_that_is_there_is_settled_before_anyone_relies_on_it(
    store: LocalStore, acts: Acts
) -> None:
    with pytest.raises(Exists):
        store.put("folder/first", b"bytes")
    assert acts.seen == ["sync folder"]


def test_the_bytes_of_a_large_object_are_synced_once_and_sent_out_all_along(
    store: LocalStore, acts: Acts
) -> None:
    chunk = Random(1).randbytes(3 << 20)
    sha256 = store.add("packs", (chunk for _ in range(30)), ".pack")
    assert acts.seen.count("sync file") == 1
    assert sha256 == hashlib.sha256(chunk * 30).hexdigest()
    assert store.get(content_name("packs", sha256, ".pack")) == chunk * 30


@settings(deadline=None, max_examples=15)
@given(sizes=st.lists(st.sampled_from([0, 1, 999, 1 << 20, (1 << 20) - 1, 33 << 20]), max_size=4))
def test_chunks_of_any_size_end_up_in_order(sizes: list[int]) -> None:
    chunks = [bytes([n + 1]) * size for n, size in enumerate(sizes)]
    store = LocalStore(Path("/srv/archive"), SimulatedDisk())
    sha256 = store.add("packs", iter(chunks), ".pack")
    assert sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert store.get(content_name("packs", sha256, ".pack")) == b"".join(chunks)


def test_memory_of_any_shape_is_stored_as_its_bytes(store: LocalStore) -> None:
    grid = memoryview(bytes(range(24))).cast("B", (2, 3, 4))
    store.put("grid", grid)
    assert store.get("grid") == bytes(range(24))


@pytest.mark.parametrize(
    "span", [Span(0, 11), Span(11, 0), Span(-1, 2), Span(2, -1), Span(0, 2**70)]
)
def test_a_span_that_is_not_within_the_object_is_refused(store: LocalStore, span: Span) -> None:
    store.put("ten", b"0123456789")
    with pytest.raises(BadInput):
        store.get("ten", span)


def test_what_is_not_a_file_is_not_found(store: LocalStore) -> None:
    os.mkfifo(store.root / "pipe")  # opening it would wait for a writer
    for name in ("pipe", "folder"):
        with pytest.raises(NotFound):
            store.get(name)
        with pytest.raises(NotFound):
            store.size(name)


def test_what_a_dead_writer_left_is_hidden_and_swept(store: LocalStore, acts: Acts) -> None:
    rest = store.root / ".tmp" / "rest"
    rest.write_bytes(b"half")
    assert list(store.list()) == ["folder/first"]
    store.sweep()
    assert not rest.exists()
    assert acts.seen == ["sync_all"], "what the dead had named is settled before that is forgotten"


def test_a_sweep_that_finds_nothing_waits_for_nothing(store: LocalStore, acts: Acts) -> None:
    store.sweep()
    assert acts.seen == []


def test_what_a_living_writer_is_writing_is_never_swept(store: LocalStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(2 << 20)
        LocalStore(store.root).sweep()
        yield b"the end"

    sha256 = store.add("packs", chunks(), ".pack")
    assert store.size(content_name("packs", sha256, ".pack")) == (2 << 20) + 7


WRITER = """
import sys
from pathlib import Path
from otium.store import LocalStore

def chunks():
    yield bytes(2 << 20)
    print("half", flush=True)
    sys.stdin.readline()
    yield b"the end"

LocalStore(Path(sys.argv[1])).add("packs", chunks(), ".pack")
"""


@pytest.mark.parametrize("dies", [False, True])
def test_of_other_processes_only_the_dead_are_swept(tmp_path: Path, dies: bool) -> None:
    store = LocalStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "half\n"
        if dies:
            other.kill()
            other.wait()
        store.sweep()
        assert len(list((tmp_path / ".tmp").iterdir())) == (not dies)
        other.communicate("go on\n" if not dies else None)
    assert len(list(store.list())) == (not dies)
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_writers_that_add_the_same_bytes_at_once_all_succeed(tmp_path: Path) -> None:
    gate, names = threading.Barrier(8), list[str]()

    def race() -> None:
        store = LocalStore(tmp_path)
        gate.wait()
        names.extend(store.add("packs", [b"%d" % n, b"!"], ".pack") for n in range(20))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 160
    assert len(set(names)) == len(list(LocalStore(tmp_path).list())) == 20
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_a_stored_file_is_readable_by_others(store: LocalStore) -> None:
    assert (store.root / "folder/first").stat().st_mode & 0o777 == 0o644


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom otium.store import hold\n"
        "with hold(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Held) as caught, hold(tmp_path):
            pass
        assert str(other.pid) in str(caught.value)
        other.kill()
        other.communicate()
    with hold(tmp_path):  # the kernel freed it with its holder
        pass


def test_who_is_patient_waits_until_the_directory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with ExitStack() as first:
        first.enter_context(hold(tmp_path))

        def release(seconds: float) -> None:
            waited.append(seconds)
            first.close()

        monkeypatch.setattr("otium.store.lock.time.sleep", release)
        with hold(tmp_path, patience=60):
            assert len(waited) == 1


def test_a_hold_ends_with_its_block(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_nothing_is_put_below_a_file(store: LocalStore) -> None:
    with pytest.raises(BadInput, match="it is a file"):
        store.put("folder/first/below", b"")
