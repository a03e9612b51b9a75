import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otium.archive import Archive
from otium.errors import DamagedObject, NotMaterialised
from otium.records import ModelId
from otium.revival import Cache, Stages, materialise
from otium.store import LocalStore, Span, Store
from revival.family import BASE, NOW, TUNED, archived, there

MATERIALISE = """
import sys
from pathlib import Path
from otium.archive import Archive
from otium.revival import materialise
from otium.store import LocalStore
archive = Archive.open(LocalStore(Path(sys.argv[1])))
print(materialise(archive, sys.argv[2], Path(sys.argv[3])), flush=True)
"""
SMALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
from pathlib import Path
from otium.archive import Archive
from otium.errors import CannotStore
from otium.revival import materialise
from otium.store import LocalStore
archive = Archive.open(LocalStore(Path(sys.argv[1])))
try:
    materialise(archive, "base", Path(sys.argv[2]))
except CannotStore as error:
    print(error)
"""


class Watched:
    """A store that notes what is read of packs, and may be slow or wrong about it."""

    def __init__(self, inner: Store, *, seconds: float = 0.0, wrong: int | None = None) -> None:
        self.inner, self.seconds, self.wrong = inner, seconds, wrong
        self.read = 0
        self.at_once = self.most = 0
        self._lock = threading.Lock()

    def get(self, name: str, span: Span | None = None) -> bytes:
        if not name.startswith("packs/"):
            return self.inner.get(name, span)
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(self.seconds)
        data = self.inner.get(name, span)
        with self._lock:
            self.read += len(data)
            self.at_once -= 1
        if self.wrong is None:
            return data
        return (
            data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        )

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def watched(archive: Archive, **how: float) -> tuple[Archive, Watched]:
    store = Watched(archive.store, **how)  # type: ignore[arg-type]
    return Archive(store, archive.info), store  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    archived(folder)
    return folder


@pytest.fixture
def archive(root: Path) -> Archive:
    return Archive.open(LocalStore(root / "archive"))


def test_a_fine_tune_comes_out_as_it_was(archive: Archive, root: Path, tmp_path: Path) -> None:
    assert there(materialise(archive, TUNED, tmp_path)) == there(root / "tuned")


def test_several_stretches_are_read_at_once(archive: Archive, tmp_path: Path) -> None:
    slow, store = watched(archive, seconds=0.02)
    materialise(slow, TUNED, tmp_path)
    assert store.most > 1


def test_with_its_base_here_only_the_change_is_read(archive: Archive, tmp_path: Path) -> None:
    cold, all_of_it = watched(archive)
    materialise(cold, TUNED, tmp_path / "cold")
    materialise(archive, BASE, tmp_path / "warm")
    warm, change = watched(archive)
    materialise(warm, TUNED, tmp_path / "warm")
    assert change.read < 0.6 * all_of_it.read


def test_what_two_models_share_is_there_once(archive: Archive, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapted"
    folder.mkdir()
    shutil.copy(root / "base" / "model.safetensors", folder / "base.safetensors")
    (folder / "adapter.json").write_bytes(b"{}")
    adapted = ModelId("adapted")
    archive.add(adapted, folder, deposited=NOW)
    one = materialise(archive, BASE, tmp_path / "cache")
    again, store = watched(archive)
    other = materialise(again, adapted, tmp_path / "cache")
    assert (one / "model.safetensors").samefile(other / "base.safetensors")
    assert store.read < 100


def test_a_base_here_that_was_changed_unseen_spoils_nothing(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    path = materialise(archive, BASE, tmp_path) / "model.safetensors"
    seen = path.stat()
    with path.open("r+b") as file:
        file.seek(1 << 20)
        file.write(b"\xff" * (1 << 20))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert there(materialise(archive, TUNED, tmp_path)) == there(root / "tuned")
    assert there(materialise(archive, BASE, tmp_path)) == there(root / "base")


def test_one_wrong_bit_from_the_store_and_nothing_is_served(
    archive: Archive, tmp_path: Path
) -> None:
    wrong, _ = watched(archive, wrong=1)
    with pytest.raises(DamagedObject, match="packs/"):
        materialise(wrong, TUNED, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".files"}
    assert {path.suffix for path in (tmp_path / ".files").iterdir()} == {".lock"}


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_a_model_goes_where_it_is_told_to(
    archive: Archive, root: Path, tmp_path: Path, where: str
) -> None:
    size = sum(file.size for file in archive.manifest(BASE).files)
    memory = tmp_path / "memory"
    cache = Cache(
        disk=tmp_path / "disk", memory=memory, most_in_memory=size if where == "memory" else 100
    )
    found = materialise(archive, BASE, cache)
    assert found.is_relative_to(tmp_path / where)
    assert there(found) == there(root / "base")


def test_memory_is_filled_from_the_raw_tier_and_makes_room(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    size = sum(file.size for file in archive.manifest(BASE).files)
    cache = Cache(disk=tmp_path / "disk", memory=tmp_path / "memory", most_in_memory=size)
    for model in (BASE, TUNED):
        materialise(archive, model, cache.disk)
    raw, store = watched(archive)
    first = materialise(raw, BASE, cache)
    assert there(first) == there(root / "base")
    assert there(materialise(raw, TUNED, cache)) == there(root / "tuned")
    assert store.read == 0
    assert not first.exists()


def test_a_raw_copy_with_a_wrong_byte_is_left_for_the_archive(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    path = materialise(archive, BASE, tmp_path / "disk") / "model.safetensors"
    with path.open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"\x00\x01")
    cache = Cache(disk=tmp_path / "disk", memory=tmp_path / "memory", most_in_memory=1 << 30)
    assert there(materialise(archive, BASE, cache)) == there(root / "base")


def test_it_is_told_how_far_it_is(archive: Archive, tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []
    size = sum(file.size for file in archive.manifest(BASE).files)
    stages = Stages()

    def tell(what: str, done: int, total: int) -> None:
        assert total == size
        heard.append((what, done))
        stages(what, done, total)

    materialise(archive, BASE, tmp_path, tell)
    assert {what for what, _ in heard} == {"restore"}
    assert [done for _, done in heard] == sorted(done for _, done in heard)
    assert heard[-1][1] == size
    assert stages.now().text() == "stage=restore 100% eta=0s"


def test_a_time_limit_is_kept_and_says_how_far_it_came(archive: Archive, tmp_path: Path) -> None:
    slow, _ = watched(archive, seconds=0.05)
    with pytest.raises(NotMaterialised, match=r"base could not .* after 0\.01 s"):
        materialise(slow, BASE, Cache(disk=tmp_path, limit=0.01))
    assert {path.suffix for path in (tmp_path / ".files").iterdir()} <= {".lock", ".json", ""}
    assert not [path for path in tmp_path.iterdir() if path.name != ".files"]


def test_a_disk_that_is_full_is_said_to_be_and_nothing_stays(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SMALL, str(root / "archive"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "bytes are wanted" in done.stdout
    assert {path.suffix for path in (tmp_path / ".files").iterdir()} <= {".lock", ".json", ""}


def test_killed_at_any_moment_it_leaves_nothing_that_is_served_wrongly(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", MATERIALISE, str(root / "archive"), TUNED, str(tmp_path)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as whole:
        whole.communicate()
    took, seed = time.monotonic() - began, random.Random(7)
    for _ in range(4):
        for path in (tmp_path / ".files").glob("*"):
            path.unlink()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as one:
            try:
                one.wait(took * seed.uniform(0.5, 1.0))
            except subprocess.TimeoutExpired:
                one.send_signal(signal.SIGKILL)
        assert there(materialise(archive, TUNED, tmp_path)) == there(root / "tuned")
        assert not [*(tmp_path / ".files").glob("*.part")]


def test_several_processes_and_threads_get_the_same_files(
    archive: Archive, root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", MATERIALISE, str(root / "archive"), TUNED, str(tmp_path)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    with ThreadPoolExecutor(3) as pool:
        found = {*pool.map(lambda _: materialise(archive, TUNED, tmp_path), range(3))}
    for one in others:
        assert one.communicate()[0].strip() == str(min(found))
    assert len(found) == 1
    assert there(found.pop()) == there(root / "tuned")
