"""The simulated disk: like a real one while the power is on, and no kinder when it goes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otium.store import Disk, Entry, SystemDisk
from otium.testing import SimulatedDisk

ROOT = Path("/")
FILES = st.sampled_from(["a", "b", "d/a", "d/e/f", "a/x", "g/h"])
FOLDERS = st.sampled_from(["d", "d/e", "g", "a/y"])
ACTS = st.one_of(
    st.tuples(st.sampled_from(["write", "link", "rename"]), FILES, FILES, st.binary(max_size=5)),
    st.tuples(st.sampled_from(["unlink", "read"]), FILES, FILES, st.just(b"")),
    st.tuples(st.sampled_from(["mkdir", "scan", "folder", "read"]), FOLDERS, FILES, st.just(b"")),
)


def fate(seed: int, *, file: bool, folder: bool) -> bytes | None:
    """Return what a power cut leaves of a file written and synced in part."""
    disk = SimulatedDisk()
    handle, path = disk.spool(ROOT)
    disk.write(handle, memoryview(b"bytes"))
    if file:
        disk.sync(handle)
    if folder:
        disk.sync(disk.open_folder(ROOT))
    disk.cut_power(Random(seed))
    try:
        opened = disk.open(path)
    except FileNotFoundError:
        return None
    return disk.read(opened.handle, 0, 99)


def test_what_is_synced_twice_over_is_there() -> None:
    assert {fate(seed, file=True, folder=True) for seed in range(50)} == {b"bytes"}


def test_bytes_that_were_not_synced_may_be_gone_torn_or_zeros() -> None:
    fates = {fate(seed, file=False, folder=True) for seed in range(200)}
    assert {b"bytes", b"", bytes(5), b"byt"} <= fates
    assert None not in fates


def test_a_name_that_was_not_synced_may_be_gone() -> None:
    assert {fate(seed, file=True, folder=False) for seed in range(50)} == {b"bytes", None}


def test_a_rename_is_kept_whole_or_not_at_all() -> None:
    found = set()
    for seed in range(100):
        disk = SimulatedDisk()
        first, second = disk.spool(ROOT), disk.spool(ROOT)
        disk.sync(disk.open_folder(ROOT))
        disk.rename(first.path, second.path)
        disk.cut_power(Random(seed))
        found.add(len(disk.scan(ROOT)))
    assert found == {1, 2}


def test_a_folder_that_was_not_synced_in_its_parent_takes_its_files_with_it() -> None:
    found = set()
    for seed in range(50):
        disk = SimulatedDisk()
        disk.mkdir(ROOT / "d")
        handle, _ = disk.spool(ROOT / "d")
        disk.sync(handle)
        disk.sync(disk.open_folder(ROOT / "d"))
        disk.cut_power(Random(seed))
        found.add(disk.is_folder(ROOT / "d"))
    assert found == {True, False}


def test_what_a_failed_sync_dropped_the_next_one_does_not_save() -> None:
    disk = SimulatedDisk()
    handle, path = disk.spool(ROOT)
    disk.write(handle, memoryview(b"bytes"))
    with pytest.raises(OSError, match="Input/output"):
        disk.fail_sync(handle)
    disk.sync(handle)
    disk.sync(disk.open_folder(ROOT))
    disk.cut_power(Random(1))
    assert disk.read(disk.open(path).handle, 0, 99) == b""


def done(disk: Disk, root: Path, act: tuple[str, str, str, bytes]) -> object:
    """Do one act, and return what came of it."""
    verb, one, two, data = act
    path, other = root / one, root / two
    try:
        if verb == "write":
            handle, spooled = disk.spool(path.parent)
            disk.write(handle, memoryview(data))
            disk.close(handle)
            disk.rename(spooled, path)
            return disk.is_abandoned(path)
        if verb == "read":
            opened = disk.open(path)
            read = disk.read(opened.handle, 1, 3)
            disk.close(opened.handle)
            return opened.size, read
        if verb == "scan":
            return sorted(disk.scan(path))
        if verb == "folder":
            disk.close(disk.open_folder(path))
            return disk.is_folder(path)
        return getattr(disk, verb)(*((path, other) if verb in {"link", "rename"} else (path,)))
    except OSError as error:
        return type(error)


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=st.lists(ACTS, max_size=14))
def test_while_the_power_is_on_it_differs_in_nothing_from_a_real_disk(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("disk")
    disks: list[tuple[Disk, Path]] = [(SimulatedDisk(), ROOT), (SystemDisk(), root)]
    for act in acts:
        answers = [done(disk, where, act) for disk, where in disks]
        assert answers[0] == answers[1], act
    assert sorted(disks[0][0].scan(ROOT)) == sorted(
        Entry(path.name, path.is_dir()) for path in root.iterdir()
    )
