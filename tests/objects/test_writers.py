"""Several writers of one object at once: nothing acknowledged is lost, nothing is mixed."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocfl.validator import Validator

import makers
from makers import NOW, SMOL
from otium import objects
from otium.errors import BadInput, DamagedObject, Exists
from otium.records import ModelId
from otium.store import Buffer, LocalStore, Span, Store
from otium.testing import MemoryStore

PLACE = objects.folder(SMOL)


class Shared(MemoryStore):
    """A store in memory whose listing holds still while others write."""

    def list(self, prefix: str = "") -> Iterator[str]:
        with self._lock:
            names = sorted(self.objects)
        yield from (name for name in names if name.startswith(prefix))


class Stepped(Shared):
    """A store whose callers each wait for their turn before each call: *turns* says whose it is.

    When the turns are used up, everyone may go on.
    """

    def __init__(self, turns: list[int]) -> None:
        super().__init__()
        self.turns, self.done = turns, set[int]()
        self.change = threading.Condition()
        self.me = threading.local()

    def run(self, jobs: list[Callable[[], object]]) -> list[BaseException | None]:
        """Run *jobs* at once, their calls in the order of the turns; return how each ended."""
        ends: list[BaseException | None] = [None] * len(jobs)

        def work(number: int) -> None:
            self.me.number = number
            try:
                jobs[number]()
            except Exception as error:  # noqa: BLE001 - the test judges it
                ends[number] = error
            finally:
                with self.change:
                    self.done.add(number)
                    self.change.notify_all()

        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(work, range(len(jobs))))
        return ends

    def step(self) -> None:
        number = getattr(self.me, "number", None)
        if number is None:
            return
        with self.change:
            self.change.wait_for(lambda: self._is_mine(number), timeout=60)
            if self.turns:
                self.turns.pop(0)
            self.change.notify_all()

    def _is_mine(self, number: int) -> bool:
        while self.turns and self.turns[0] in self.done:
            self.turns.pop(0)
        return not self.turns or self.turns[0] == number

    def put(self, name: str, data: Buffer) -> None:
        self.step()
        super().put(name, data)

    def replace(self, name: str, data: Buffer) -> None:
        self.step()
        super().replace(name, data)

    def get(self, name: str, span: Span | None = None) -> bytes:
        self.step()
        return super().get(name, span)

    def list(self, prefix: str = "") -> Iterator[str]:
        self.step()
        yield from super().list(prefix)


def put(store: Store, path: str, data: bytes) -> None:
    objects.commit(store, SMOL, {path: data}, now=NOW, message=path)


def sound(store: Store) -> set[str]:
    """Return the names of an object's files, all of which must be as its inventory says."""
    inventory = objects.verified(store, PLACE)
    assert inventory is not None
    expected = objects.files(PLACE, inventory)
    for name, sha256 in expected.items():
        assert makers.sha256(store.get(name)) == sha256, name
    return set(store.list(f"{PLACE}/")) - expected.keys()


def valid(store: Store, root: Path) -> bool:
    """Whether somebody else's validator finds the object sound."""
    logging.getLogger().setLevel(logging.ERROR)
    disk = makers.folder(root, {name: store.get(name) for name in store.list(f"{PLACE}/")})
    validator = Validator()
    return bool(validator.validate_object(str(disk / PLACE))) or pytest.fail(validator.status_str())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=90), st.booleans())
def test_in_whatever_order_writers_take_their_steps_no_record_is_lost(
    turns: list[int], begun: bool
) -> None:
    store = Stepped([])
    if begun:
        put(store, "first.json", b"0")
    store.turns = list(turns)
    wanted = [{"a.json": b"a"}, {"b.json": b"b", "c.json": b"c"}, {"d/e.json": b"d"}]
    ends = store.run(
        [
            lambda new=new: objects.commit(store, SMOL, new, now=NOW, message="")  # type: ignore[misc]
            for new in wanted
        ]
    )
    assert ends == [None] * 3
    for new in wanted:
        for path, data in new.items():
            assert objects.read(store, SMOL, path) == data
    assert len(objects.digests(store, SMOL)) == 4 + begun
    assert sound(store) == set()
    newest = objects.verified(store, PLACE)
    assert newest is not None
    assert store.objects[f"{PLACE}/inventory.json"] == newest.encode()
    put(store, "last.json", b"z")
    assert sound(store) == set()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=60), st.booleans())
def test_of_writers_of_one_path_with_other_bytes_just_one_is_told_that_it_wrote(
    turns: list[int], begun: bool
) -> None:
    store = Stepped([])
    if begun:
        put(store, "first.json", b"0")
    store.turns = list(turns)
    ends = store.run([lambda: put(store, "a.json", b"one"), lambda: put(store, "a.json", b"two")])
    refused = [number for number, end in enumerate(ends) if isinstance(end, Exists)]
    assert [end for end in ends if end is None] == [None]
    assert len(refused) == 1
    assert objects.read(store, SMOL, "a.json") == (b"one", b"two")[1 - refused[0]]
    assert sound(store) == set()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 1), max_size=60))
def test_a_record_that_was_acknowledged_is_read_at_every_moment_after(turns: list[int]) -> None:
    store = Stepped([])
    store.turns = list(turns)

    def reads_its_own() -> None:
        for number in range(3):
            put(store, f"{number}.json", b"%d" % number)
            for earlier in range(number + 1):
                assert objects.read(store, SMOL, f"{earlier}.json") == b"%d" % earlier

    def meddles() -> None:
        put(store, "x.json", b"x")
        put(store, "y.json", b"y")

    assert store.run([reads_its_own, meddles]) == [None, None]


def test_the_object_is_valid_ocfl_after_any_race(tmp_path: Path) -> None:
    for number, seed in enumerate(itertools.product([0, 1], repeat=5)):
        store = Stepped([*seed] * 8)
        store.run([lambda s=store: put(s, "a.json", b"1"), lambda s=store: put(s, "b.json", b"2")])  # type: ignore[misc]
        assert valid(store, tmp_path / str(number))


def test_what_a_writer_left_is_named_and_is_no_record(tmp_path: Path) -> None:
    store = MemoryStore()
    put(store, "a.json", b"a")
    for left in ("v1/content/late.json", "v2/content/b.json", "v2/content/deep/c.json"):
        store.put(f"{PLACE}/{left}", b"left")
    put(store, "b.json", b"b")
    put(store, "c.json", b"left")
    assert set(objects.digests(store, SMOL)) == {"a.json", "b.json", "c.json"}
    assert objects.read(store, SMOL, "b.json") == b"b"
    inventory = objects.verified(store, PLACE)
    assert inventory is not None
    state = {path for paths in inventory.versions["v3"].state.values() for path in paths}
    assert {path for path in state if path.startswith(objects.UNFINISHED)} == {
        "unfinished/v1/content/late.json",
        "unfinished/v2/content/b.json",
        "unfinished/v2/content/deep/c.json",
    }
    assert sound(store) == set()
    assert valid(store, tmp_path)


@pytest.mark.parametrize("left", ["a", "a/b/c", "A/b", "A/B"])
def test_a_path_that_clashes_with_what_a_writer_left_can_be_written(
    tmp_path: Path, left: str
) -> None:
    store = LocalStore(tmp_path / "store")
    store.put(f"{PLACE}/v1/content/{left}", b"left")
    put(store, "a/b", b"mine")
    assert objects.read(store, SMOL, "a/b") == b"mine"
    assert sound(store) == set()
    assert valid(store, tmp_path / "out")


@pytest.mark.parametrize("path", ["unfinished/v1/content/a", "Unfinished/x", "unfinished"])
def test_no_record_may_pass_for_unfinished(path: str) -> None:
    with pytest.raises(BadInput, match="not for records"):
        put(MemoryStore(), path, b"")


def test_a_root_that_a_slow_writer_set_back_hides_nothing() -> None:
    store = MemoryStore()
    put(store, "a.json", b"a")
    old = {name: store.objects[name] for name in store.list(f"{PLACE}/inventory")}
    put(store, "b.json", b"b")
    for kept in ([], ["inventory.json"], ["inventory.json.sha512"]):
        new = dict(store.objects)
        store.objects |= {n: d for n, d in old.items() if n.removeprefix(f"{PLACE}/") not in kept}
        assert objects.read(store, SMOL, "b.json") == b"b"
        put(store, "a.json", b"a")
        assert store.objects == new


def test_a_next_version_that_is_not_whole_is_not_believed() -> None:
    store = MemoryStore()
    put(store, "a.json", b"a")
    before = dict(store.objects)
    put(store, "b.json", b"b")
    new = store.objects
    store.objects = before
    store.objects[f"{PLACE}/v2/inventory.json"] = new[f"{PLACE}/v2/inventory.json"][:-2]
    store.objects[f"{PLACE}/v2/inventory.json.sha512"] = new[f"{PLACE}/v2/inventory.json.sha512"]
    assert list(objects.digests(store, SMOL)) == ["a.json"]
    with pytest.raises(DamagedObject):
        put(store, "c.json", b"c")


PROCESS = """
import sys
from pathlib import Path
from makers import NOW
from otium import objects
from otium.records import ModelId
from otium.store import LocalStore
store, number = LocalStore(Path(sys.argv[1])), sys.argv[2]
for count in range(6):
    new = {f"{number}/{count}.json": number.encode(), "same.json": b"same"}
    objects.commit(store, ModelId(f"m-{count % 2}"), new, now=NOW, message="")
"""


def test_processes_that_write_to_one_directory_lose_nothing(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(number)], env=env)
        for number in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    store = LocalStore(tmp_path)
    for model in ("m-0", "m-1"):
        found = objects.digests(store, ModelId(model))
        assert len(found) == 4 * 3 + 1
        for path in found:
            objects.read(store, ModelId(model), path)
