"""A folder in memory that somebody else made first or can change, and what is planted in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.archive import Archive
from otium.errors import CannotStore
from otium.records import Instant, ModelId
from otium.revival import Cache, materialise
from otium.store import LocalStore

NOW, TINY = Instant("2026-11-22T00:00:00Z"), ModelId("tiny-1")
STRANGER = 65534
WHOLE = b"w" * 1000


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive.create(
        LocalStore(tmp_path / "archive"),
        archive_id="test",
        created=NOW,
        origin="example.org/log",
        keys=[],
    )
    (tmp_path / "weights.bin").write_bytes(WHOLE)
    made.add(TINY, tmp_path / "weights.bin", deposited=NOW)
    return made


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """A folder as /dev/shm is: anybody may make something there."""
    place = tmp_path / "shm"
    place.mkdir()
    place.chmod(0o1777)
    return place


def cache(tmp_path: Path, memory: Path) -> Cache:
    return Cache(disk=tmp_path / "disk", memory=memory, most_in_memory=1 << 20)


def strangers(folder: Path) -> Path:
    """Another user was there first."""
    if os.geteuid():
        pytest.skip("only root can play another user")
    folder.mkdir(mode=0o755)
    os.chown(folder, STRANGER, STRANGER)
    return folder


def open_to_all(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def open_to_a_group(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o770)
    return folder


def link(folder: Path) -> Path:
    aim = folder.with_name("aim")
    aim.mkdir(mode=0o700)
    folder.symlink_to(aim)
    return folder


def link_to_nothing(folder: Path) -> Path:
    folder.symlink_to(folder.with_name("nothing"))
    return folder


def below_a_strangers(folder: Path) -> Path:
    return strangers(folder) / "otium"


def below_one_that_all_may_change(folder: Path) -> Path:
    return open_to_all(folder) / "otium"


@pytest.mark.parametrize(
    "planted",
    [
        strangers,
        open_to_all,
        open_to_a_group,
        link,
        link_to_nothing,
        below_a_strangers,
        below_one_that_all_may_change,
    ],
)
def test_memory_that_is_not_ours_alone_is_refused(
    planted: Callable[[Path], Path], archive: Archive, shm: Path, tmp_path: Path
) -> None:
    memory = planted(shm / "otium")
    with pytest.raises(CannotStore, match=r"ours alone|in its place|exists"):
        materialise(archive, TINY, cache(tmp_path, memory))
    assert not [path for path in shm.rglob("*") if path.is_file()]


def test_what_we_make_there_nobody_else_can_read(
    archive: Archive, shm: Path, tmp_path: Path
) -> None:
    found = materialise(archive, TINY, cache(tmp_path, shm / "otium"))
    assert found.is_relative_to(shm)
    assert stat.S_IMODE((shm / "otium").stat().st_mode) == 0o700
    assert stat.S_IMODE((found / "weights.bin").stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", ["", ".json", ".note", ".part"])
def test_a_planted_link_is_replaced_and_what_it_points_to_is_left(
    archive: Archive, tmp_path: Path, suffix: str
) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_bytes(b"dear to us")
    (file,) = archive.manifest(TINY).files
    files = tmp_path / "disk" / ".files"
    files.mkdir(parents=True)
    (files / f"{file.sha256}{suffix}").symlink_to(treasure)
    found = materialise(archive, TINY, tmp_path / "disk")
    assert (found / "weights.bin").read_bytes() == WHOLE
    assert treasure.read_bytes() == b"dear to us"
    assert not [path for path in files.iterdir() if path.is_symlink()]


def test_a_lock_that_is_a_link_is_refused(archive: Archive, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_bytes(b"dear to us")
    (file,) = archive.manifest(TINY).files
    files = tmp_path / "disk" / ".files"
    files.mkdir(parents=True)
    (files / f"{file.sha256}.lock").symlink_to(treasure)
    with pytest.raises(CannotStore):
        materialise(archive, TINY, tmp_path / "disk")
    assert treasure.read_bytes() == b"dear to us"
