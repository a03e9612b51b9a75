"""Replication and repair on a disk that loses power at any of its acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from makers import NOW
from otium.archive import Archive
from otium.custody import repair, replicate
from otium.store import LocalStore
from otium.testing import MemoryStore, PowerCut, SimulatedDisk, watched

ROOT = Path("/copy")


class Fuse:
    """Lets so many acts happen, and then the power fails."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        self.left -= 1
        if self.left < 0:
            raise PowerCut(name)
        return act(*arguments)


def acts(work: Callable[[LocalStore], object], disk: SimulatedDisk) -> int:
    """Return how many acts of the disk *work* takes."""
    fuse = Fuse(10**9)
    work(LocalStore(ROOT, watched(disk, fuse)))
    return 10**9 - fuse.left


def after_a_cut(
    work: Callable[[LocalStore], object], disk: SimulatedDisk, at: int, chance: Random
) -> LocalStore:
    """Return the store as the next process finds it when the power fails at an act."""
    with pytest.raises(PowerCut):
        work(LocalStore(ROOT, watched(disk, Fuse(at))))
    disk.cut_power(chance)
    store = LocalStore(ROOT, disk)
    store.sweep()
    return store


def contents(store: LocalStore) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.list()}


@pytest.mark.parametrize("seed", range(40))
def test_a_copy_is_whole_in_part_after_a_power_cut_and_whole_after_a_rerun(
    logged: MemoryStore, seed: int
) -> None:
    def work(store: LocalStore) -> object:
        return replicate(logged, {"copy": store})

    chance = Random(seed)
    at = chance.randrange(acts(work, SimulatedDisk()))
    store = after_a_cut(work, SimulatedDisk(), at, chance)
    for name, data in contents(store).items():
        if not name.startswith(("log/", "models/")):
            assert data == logged.objects[name], name
    if "archive.json" in set(store.list()):
        assert Archive.open(store).check(now=NOW).ok
    assert replicate(logged, {"copy": store}).ok
    assert contents(store) == logged.objects


@pytest.mark.parametrize("seed", range(40))
def test_a_file_is_damaged_or_mended_after_a_power_cut_and_mended_after_a_rerun(
    store: MemoryStore, seed: int
) -> None:
    def work(copy: LocalStore) -> object:
        return repair(Archive.open(copy), {"good": store})

    def damaged() -> SimulatedDisk:
        disk = SimulatedDisk()
        copy = LocalStore(ROOT, disk)
        for number, (name, data) in enumerate(sorted(store.objects.items())):
            if name.startswith("archive.json") or number % 3:
                copy.put(name, data)
            elif number % 2:
                copy.put(name, b"damaged")
        return disk

    chance = Random(seed)
    at = chance.randrange(acts(work, damaged()))
    copy = after_a_cut(work, damaged(), at, chance)
    for name, data in contents(copy).items():
        assert data in {b"damaged", store.objects[name]}, name
    assert repair(Archive.open(copy), {"good": store}).ok
    assert contents(copy) == store.objects
