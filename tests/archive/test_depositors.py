"""Several depositors of one archive at once, in threads and in processes, over each store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import makers
from archive import llama
from makers import NOW, tree
from otium.archive import Archive
from otium.errors import Exists
from otium.records import Instant, ModelId, later
from otium.store import LocalStore, RemoteStore, Store
from otium.testing import MemoryStore
from store import conftest as stores

BASE = ModelId("base")


class Shared(MemoryStore):
    """A store in memory whose listing holds still while others write."""

    def list(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            names = sorted(self.objects)
        yield from (name for name in names if name.startswith(prefix))


def _in_obstores_memory(_path: Path) -> Store:
    from obstore.store import MemoryStore as Objects

    return RemoteStore(Objects(), "memory")


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _path: Shared(),
    "local": lambda path: LocalStore(path / "store"),
    "obstore": _in_obstores_memory,
}


moto = stores.moto


@pytest.fixture(params=[*STORES, "moto"])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """A store for several, which holds an archive with one model."""
    if request.param == "moto":
        store = stores.bucket_maker(request.getfixturevalue("moto"), monkeypatch)()
    else:
        store = STORES[request.param](tmp_path)
    archive = makers.archive_in(store)
    archive.add(BASE, llama.hub(tmp_path / BASE, llama.made(1)), deposited=NOW)
    return store


def together(jobs: list[Callable[[], object]]) -> list[object]:
    """Run *jobs* from one moment on; return what each returned or raised."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        start.wait()
        try:
            return job()
        except Exception as error:  # noqa: BLE001 - the test judges it
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def adder(store: Store, model: str, path: Path, when: Instant = NOW) -> Callable[[], object]:
    """Return a depositor with an archive of its own."""
    archive = Archive.open(store)
    return lambda: archive.add(ModelId(model), path, deposited=when)


def all_there(store: Store, models: dict[str, Path], out: Path) -> None:
    """See that all that was deposited comes back, and that nothing is wrong."""
    archive = Archive.open(store)
    for model, path in models.items():
        archive.restore(ModelId(model), out / model)
        assert tree(out / model) == tree(path)
    result = archive.check(now=NOW)
    assert result.ok, result.damage


def test_different_models_at_once_are_all_kept(shared: Store, tmp_path: Path) -> None:
    base = llama.made(1)
    models = {f"m-{n}": llama.hub(tmp_path / f"m-{n}", llama.tuned(base, n)) for n in range(4)}
    found = together([adder(shared, model, path) for model, path in models.items()])
    assert not [one for one in found if isinstance(one, Exception)]
    all_there(shared, {BASE: tmp_path / BASE, **models}, tmp_path / "out")


def test_the_same_model_at_once_by_several_is_one_deposit(shared: Store, tmp_path: Path) -> None:
    path = llama.hub(tmp_path / "m", llama.tuned(llama.made(1), 1))
    jobs = [adder(shared, "m", path, later(NOW, days=n)) for n in range(4)]
    found = together(jobs)
    assert not [one for one in found if isinstance(one, Exception)], found
    assert len(set(map(repr, found))) == 1
    all_there(shared, {"m": path}, tmp_path / "out")
    assert len(list(shared.list("packs/"))) == 3  # both models' weights, and a config.json


def test_of_different_bytes_for_one_model_one_deposit_is_kept_and_the_others_are_told(
    shared: Store, tmp_path: Path
) -> None:
    base = llama.made(1)
    paths = [llama.hub(tmp_path / f"v{n}", llama.tuned(base, n)) for n in range(3)]
    found = together([adder(shared, "m", path) for path in paths])
    refused = [n for n, one in enumerate(found) if isinstance(one, Exists)]
    kept = [n for n, one in enumerate(found) if not isinstance(one, Exception)]
    assert len(kept) == 1, found
    assert sorted([*refused, *kept]) == [0, 1, 2]
    all_there(shared, {"m": paths[kept[0]]}, tmp_path / "out")


def test_records_and_deposits_at_once_are_all_kept(shared: Store, tmp_path: Path) -> None:
    path = llama.hub(tmp_path / "m", llama.tuned(llama.made(1), 1))
    archives = [Archive.open(shared) for _ in range(3)]

    def filer(number: int) -> Callable[[], object]:
        def file() -> None:
            for count in range(4):
                name, data = f"notes/{number}-{count}.json", b"%d" % count
                archives[number].put_record(ModelId("m"), name, data, now=NOW, message="")

        return file

    found = together([adder(shared, "m", path), *(filer(number) for number in range(3))])
    assert not [one for one in found if isinstance(one, Exception)], found
    records = Archive.open(shared).records(ModelId("m"))
    assert len([name for name in records if name.startswith("notes/")]) == 12
    all_there(shared, {"m": path}, tmp_path / "out")


def test_pieces_that_two_stored_at_once_do_not_confuse_a_third(
    shared: Store, tmp_path: Path
) -> None:
    tuned = llama.tuned(llama.made(1), 1)
    files = {"a": llama.hub(tmp_path / "a", tuned), "b": llama.hub(tmp_path / "b", tuned, shards=2)}
    # Each knows only what was there before: both store all pieces, in packs of other extents.
    assert not [
        one
        for one in together([adder(shared, model, path) for model, path in files.items()])
        if isinstance(one, Exception)
    ]
    path = llama.hub(tmp_path / "c", llama.tuned(tuned, 2))
    assert not isinstance(adder(shared, "c", path)(), Exception)
    all_there(shared, {**files, "c": path}, tmp_path / "out")


PROCESS = """
import os
import sys
from pathlib import Path
from makers import NOW
from otium.archive import Archive
from otium.records import ModelId
from otium.store import LocalStore
os.fsync = lambda handle: None
root = Path(sys.argv[1])
archive = Archive.open(LocalStore(root / "store"))
for model in sys.argv[2:]:
    archive.add(ModelId(model), root / model, deposited=NOW)
"""


def test_processes_that_deposit_into_one_directory_lose_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    makers.archive_in(store)
    model = llama.made(1)
    models = {f"m-{n}": llama.hub(tmp_path / f"m-{n}", llama.tuned(model, n)) for n in range(3)}
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    running = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), *names], env=env)
        for names in (["m-0", "m-1"], ["m-0", "m-2"], ["m-1", "m-2", "m-0"])
    ]
    assert [process.wait() for process in running] == [0] * 3
    all_there(store, models, tmp_path / "out")
