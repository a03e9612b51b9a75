"""A disk that fails at any one act: nothing falsely acknowledged, damaged or left over."""

from __future__ import annotations

import errno
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from otium.cli import main
from otium.errors import CannotStore, OtiumError
from otium.store import Disk, LocalStore, SystemDisk
from otium.testing import SimulatedDisk, Watch, watched

ROOT = Path("/srv/archive")
OLD, NEW = b"what was there before", b"new bytes" * 300
Verb = Callable[[LocalStore], object]
VERBS: dict[str, Verb] = {
    "put": lambda store: store.put("new/deep/name", NEW),
    "add": lambda store: store.add("packs", [NEW[:5], NEW[5:]], ".pack"),
    "replace": lambda store: store.replace("pointer", NEW),
}
CODES = [errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EINTR, errno.EDQUOT, errno.EROFS]


class Fault:
    """Lets the act number *at* fail, once; counts what was asked for."""

    def __init__(self, at: int, code: int = errno.EIO) -> None:
        self.at, self.code, self.seen = at, code, Counter[str]()
        self.broke = ""

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        self.seen[name] += 1
        if self.seen.total() == self.at + 1:
            self.broke = name
            raise OSError(self.code, os.strerror(self.code))
        return act(*arguments)


class FailingSync(Fault):
    """Loses what the sync number *at* was to make last."""

    def __init__(self, at: int, disk: SimulatedDisk) -> None:
        super().__init__(at)
        self.disk = disk

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        if name != "sync":
            return act(*arguments)
        self.seen[name] += 1
        if self.seen.total() == self.at + 1:
            self.broke = name
            handle = arguments[0]
            assert isinstance(handle, int)
            self.disk.fail_sync(handle)
        return act(*arguments)


def begun(disk: Disk, root: Path) -> None:
    store = LocalStore(root, disk)
    store.put("folder/first", OLD)
    store.replace("pointer", OLD)


def contents(store: LocalStore) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.list()}


def expected(verb: str) -> dict[str, bytes]:
    disk = SimulatedDisk()
    begun(disk, ROOT)
    VERBS[verb](LocalStore(ROOT, disk))
    return contents(LocalStore(ROOT, disk))


def before() -> dict[str, bytes]:
    return {"folder/first": OLD, "pointer": OLD}


def attempted(verb: str, disk: Disk, root: Path, watch: Watch) -> bool:
    """Try to write while the disk fails; return whether that was acknowledged."""
    try:
        VERBS[verb](LocalStore(root, watched(disk, watch)))
    except (OSError, OtiumError):
        return False
    return True


@pytest.mark.parametrize("code", CODES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("verb", VERBS)
def test_after_a_fault_at_any_act_nothing_is_lost_and_a_rerun_completes(
    verb: str, code: int
) -> None:
    whole = expected(verb)
    for at in range(1000):
        disk, fault = SimulatedDisk(), Fault(at, code)
        begun(disk, ROOT)
        acknowledged = attempted(verb, disk, ROOT, fault)
        if not fault.broke:
            assert at > 10
            return
        disk.end_processes()
        again = LocalStore(ROOT, disk)
        again.sweep()
        found = contents(again)
        assert found == whole if acknowledged else found in (before(), whole), (at, fault.broke)
        assert disk.scan(ROOT / ".tmp") == []
        disk.cut_power(Random(at))
        assert contents(again) == found, (at, fault.broke)
        if found != whole:
            VERBS[verb](LocalStore(ROOT, disk))
        assert contents(again) == whole


@pytest.mark.parametrize("verb", VERBS)
def test_after_a_fault_at_any_act_of_a_real_disk_the_store_opens_again(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # a fault is not a power cut
    whole = expected(verb)
    for at in range(1000):
        root, fault = tmp_path / str(at), Fault(at, errno.ENOSPC)
        begun(SystemDisk(), root)
        acknowledged = attempted(verb, SystemDisk(), root, fault)
        if not fault.broke:
            return
        again = LocalStore(root)
        again.sweep()
        found = contents(again)
        assert found == whole if acknowledged else found in (before(), whole), (at, fault.broke)
        assert list((root / ".tmp").iterdir()) == [], (at, fault.broke)
        if found != whole:
            VERBS[verb](again)
        assert contents(again) == whole


@pytest.mark.parametrize("verb", VERBS)
def test_a_sync_that_failed_is_never_trusted(verb: str) -> None:
    whole = expected(verb)
    for at in range(100):
        disk = SimulatedDisk()
        begun(disk, ROOT)
        fault = FailingSync(at, disk)
        acknowledged = attempted(verb, disk, ROOT, fault)
        if not fault.broke:
            assert at > 2
            return
        assert not acknowledged
        for seed in range(20):
            disk.cut_power(Random(seed))
            assert contents(LocalStore(ROOT, disk)) in (before(), whole)


def test_a_store_that_could_not_settle_a_name_writes_nothing_more() -> None:
    disk = SimulatedDisk()
    begun(disk, ROOT)
    syncs = iter([False] * 100)

    def fail_the_last(name: str, act: Callable[..., object], *arguments: object) -> object:
        if name == "sync" and next(syncs):
            raise OSError(errno.EIO, "Input/output error")
        return act(*arguments)

    store = LocalStore(ROOT, watched(disk, fail_the_last))
    store.put("folder/second", NEW)
    syncs = iter([False, True] + [False] * 100)  # the file's is done, the folder's fails
    with pytest.raises(OSError, match="Input/output"):
        store.put("folder/third", NEW)
    with pytest.raises(CannotStore, match="check the disk"):
        store.put("folder/fourth", NEW)
    assert store.get("folder/second") == NEW
    assert LocalStore(ROOT, disk).get("folder/third") == NEW


def test_a_file_that_could_not_be_settled_gets_no_name_and_the_store_goes_on() -> None:
    disk = SimulatedDisk()
    begun(disk, ROOT)
    seen: list[object] = []

    def fail_once(name: str, act: Callable[..., object], *arguments: object) -> object:
        if name == "sync" and disk.is_file(int(str(arguments[0]))):
            seen.append(arguments[0])
            if len(seen) == 1:
                raise OSError(errno.EIO, "Input/output error")
        return act(*arguments)

    store = LocalStore(ROOT, watched(disk, fail_once))
    with pytest.raises(OSError, match="Input/output"):
        store.put("folder/second", NEW)
    assert contents(store) == before()
    store.put("folder/second", NEW)
    assert len(set(seen)) == 2, "the same file was synced twice"


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("verb", VERBS)
def test_writes_that_stop_short_are_gone_on_with(verb: str, most: int) -> None:
    def stop_short(name: str, act: Callable[..., object], *arguments: object) -> object:
        if name != "write":
            return act(*arguments)
        handle, data = arguments
        assert isinstance(data, memoryview)
        return act(handle, data[:most])

    disk = SimulatedDisk()
    begun(disk, ROOT)
    assert attempted(verb, disk, ROOT, stop_short)
    disk.cut_power(Random(most))
    assert contents(LocalStore(ROOT, disk)) == expected(verb)


def test_a_disk_that_writes_nothing_and_says_nothing_is_not_asked_for_ever() -> None:
    def write_nothing(name: str, act: Callable[..., object], *arguments: object) -> object:
        return 0 if name == "write" else act(*arguments)

    disk = SimulatedDisk()
    begun(disk, ROOT)
    with pytest.raises(OSError, match="nothing was written"):
        LocalStore(ROOT, watched(disk, write_nothing)).put("name", NEW)
    assert contents(LocalStore(ROOT, disk)) == before()


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    disk = SimulatedDisk()
    begun(disk, ROOT)
    with pytest.raises(OSError, match="Input/output"):
        list(LocalStore(ROOT, watched(disk, Fault(0))).list())


def test_a_file_that_ends_while_it_is_read_is_not_returned_short() -> None:
    def shorten(name: str, act: Callable[..., object], *arguments: object) -> object:
        return b"" if name == "read" else act(*arguments)

    disk = SimulatedDisk()
    begun(disk, ROOT)
    with pytest.raises(OSError, match="ended while it was read"):
        LocalStore(ROOT, watched(disk, shorten)).get("pointer")


def test_what_lies_above_the_root_need_not_be_ours_to_open() -> None:
    disk = SimulatedDisk()
    begun(disk, ROOT)
    seen = Counter[str]()

    def closed_above(name: str, act: Callable[..., object], *arguments: object) -> object:
        seen[name] += 1
        if name == "open_folder" and arguments[0] == ROOT.parent:
            raise PermissionError(errno.EACCES, "Permission denied")
        return act(*arguments)

    LocalStore(ROOT, watched(disk, closed_above)).put("name", NEW)
    assert seen["sync_all"] == 1
    disk.cut_power(Random(1))
    assert LocalStore(ROOT, disk).get("name") == NEW


@contextmanager
def limited(kind: int, most: int) -> Iterator[None]:
    """Set one of the kernel's own limits for this process."""
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


@pytest.mark.parametrize("verb", VERBS)
def test_a_process_that_may_open_no_more_files_acknowledges_nothing_falsely(
    verb: str, tmp_path: Path
) -> None:
    whole, failed = expected(verb), 0
    for spare in range(6):
        root = tmp_path / str(spare)
        begun(SystemDisk(), root)
        store = LocalStore(root)
        with limited(resource.RLIMIT_NOFILE, numbers_for(spare, root)):
            acknowledged = attempted_here(verb, store)
        failed += not acknowledged
        found = contents(store)
        assert found == whole if acknowledged else found == before()
        if not acknowledged:
            VERBS[verb](store)
        assert contents(LocalStore(root)) == whole
        assert list((root / ".tmp").iterdir()) == []
    assert 0 < failed < 6


def numbers_for(spare: int, path: Path) -> int:
    """Return the limit under which just *spare* more files can be opened."""
    free = [os.open(path, os.O_RDONLY) for _ in range(spare + 1)]
    for file in free:
        os.close(file)
    return max(free)


def attempted_here(verb: str, store: LocalStore) -> bool:
    try:
        VERBS[verb](store)
    except OSError as error:
        assert error.errno in {errno.EMFILE, errno.EFBIG}  # noqa: PT017 - either may come
        return False
    return True


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_may_grow_no_further_gets_no_name(verb: str, tmp_path: Path) -> None:
    begun(SystemDisk(), tmp_path / "store")
    store = LocalStore(tmp_path / "store")
    with limited(resource.RLIMIT_FSIZE, len(NEW) - 1):  # a short write, then EFBIG
        assert not attempted_here(verb, store)
    assert contents(store) == before()
    assert list((store.root / ".tmp").iterdir()) == []


def test_the_command_says_that_it_cannot_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_disk: SystemDisk, _handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SystemDisk, "sync", fail)
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "archive", "create"])
    assert ended.value.code == CannotStore.exit_code
    assert "No space left" in capsys.readouterr().err
