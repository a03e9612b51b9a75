"""Whatever was acknowledged is there, whole, after any power cut, kill or failing disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from makers import NOW, archive_in, family, tree
from otium.archive import Archive
from otium.bench.crash import (
    BUGS,
    CHANGES,
    ROOT,
    SYNCS,
    Trial,
    Trouble,
    Write,
    crash_runs,
    runs_until_found,
)
from otium.errors import NotAnArchive
from otium.records import ModelId
from otium.store import LocalStore, content_name
from otium.testing import PowerCut, SimulatedDisk, watched

DATA = st.binary(max_size=40)
WRITES = st.one_of(
    st.builds(Write, st.just("put"), st.sampled_from(["a", "b/c", "b/d", "e/f/g"]), DATA),
    st.builds(Write, st.just("add"), st.sampled_from(["packs", "recipes"]), DATA),
    st.builds(Write, st.just("replace"), st.sampled_from(["pointer", "b/pointer"]), DATA),
)
OTHERS = st.one_of(WRITES, st.just(Write("sweep", "", b"")))


class Crashes(RuleBasedStateMachine):
    """Writers, readers, power cuts, kills and faults, in any order."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.trial = Trial(Random(seed))

    @rule(write=WRITES)
    def write(self, write: Write) -> None:
        self.trial.write(write)
        self.trial.check()

    @rule(
        write=WRITES, at=st.integers(0, 12), power=st.lists(st.booleans(), min_size=1, max_size=2)
    )
    def write_and_end(self, write: Write, at: int, power: list[bool]) -> None:
        self.trial.write(write, Trouble("end", at))
        for one in power:
            self.trial.restart(power=one)

    @rule(write=WRITES, at=st.integers(0, 4), power=st.booleans())
    def write_and_end_before_a_sync(self, write: Write, at: int, power: bool) -> None:
        self.trial.write(write, Trouble("end", at, SYNCS))
        self.trial.restart(power=power)

    @rule(write=WRITES, at=st.integers(0, 12), power=st.booleans())
    def write_on_a_failing_disk(self, write: Write, at: int, power: bool) -> None:
        self.trial.write(write, Trouble("fault", at))
        self.trial.restart(power=power)

    @rule(write=WRITES, at=st.integers(0, 12), other=OTHERS)
    def two_write_at_once(self, write: Write, at: int, other: Write) -> None:
        self.trial.write(write, Trouble("meanwhile", at, CHANGES, other))
        self.trial.check()

    @rule(power=st.booleans())
    def restart(self, power: bool) -> None:
        self.trial.restart(power=power)

    @invariant()
    def nothing_is_lost(self) -> None:
        assert not getattr(self, "trial", None) or not self.trial.problems


Crashes.TestCase.settings = settings(
    max_examples=2000,
    stateful_step_count=8,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
test_nothing_is_lost_whatever_happens_in_whatever_order = Crashes.TestCase


def test_nothing_is_lost_in_a_thousand_seeded_runs_which_find_every_seeded_bug() -> None:
    found = crash_runs(1000, seed=1)
    assert found.problems == ()
    assert found.power_cuts > 1000
    assert found.acknowledged > 2500
    assert all(found.bugs_found_after.values())


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_is_caught_within_a_hundred_runs(bug: str) -> None:
    assert all(runs_until_found(bug, most=100, seed=seed) >= 1 for seed in range(3))


SCRIPT = """
import os
import signal
import sys
from pathlib import Path
from otium.store import LocalStore, SystemDisk

os.fsync = lambda handle: None  # a killed process loses nothing that the kernel has


class Mortal:
    def __init__(self, at):
        self.disk, self.left = SystemDisk(), at

    def __getattr__(self, name):
        if name in {"spool", "write", "sync", "link", "rename", "unlink", "mkdir", "drain"}:
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self.disk, name)


def work(store, say):
    store.put("first/name", b"first")
    say("first/name first")
    name = "packs/" + store.add("packs", [b"pa", b"ck"], ".pack")
    say(f"{name[:8]}/{name[6:]}.pack pack")
    store.replace("pointer", b"old")
    say("pointer old")
    store.add("packs", [b"pack"], ".pack")
    store.replace("pointer", b"new")
    say("pointer new")
    store.put("second", b"2")
    say("second 2")


for at in range(1000):
    root = Path(sys.argv[1]) / str(at)
    child = os.fork()
    if not child:
        work(LocalStore(root, Mortal(at)), lambda line: os.write(1, f"{at} {line}\\n".encode()))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""
WHOLE = {
    "first/name": [b"first"],
    content_name("packs", hashlib.sha256(b"pack").hexdigest(), ".pack"): [b"pack"],
    "pointer": [b"old", b"new"],
    "second": [b"2"],
}


def test_a_process_killed_at_any_write_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said = [line.split() for line in done.stdout.splitlines()]
    roots = list(tmp_path.iterdir())
    assert len(roots) > 30
    for root in roots:
        store = LocalStore(root)
        store.sweep()
        found = {name: store.get(name) for name in store.list()}
        assert all(data in WHOLE[name] for name, data in found.items()), root
        told = {name: data.encode() for at, name, data in said if at == root.name}
        for name, data in told.items():
            assert WHOLE[name].index(found[name]) >= WHOLE[name].index(data), root
        assert not (root / ".tmp").exists() or list((root / ".tmp").iterdir()) == []
    assert {name for _, name, _ in said} == set(WHOLE)


class Fuse:
    """Cuts the power before the act number *at*."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        self.left -= 1
        if self.left < 0:
            raise PowerCut(name)
        return act(*arguments)


def deposit(store: LocalStore, files: dict[ModelId, Path], kept: list[str]) -> None:
    """Deposit two models; say in *kept* what was acknowledged."""
    store.sweep()
    try:
        archive = Archive.open(store)
    except NotAnArchive:
        archive = archive_in(store)
    for model, path in files.items():
        archive.add(model, path, deposited=NOW)
        kept.append(f"{model} weights")
        archive.put_record(model, "notice.json", b"{}", now=NOW, message="Notice")
        kept.append(f"{model} record")


def test_a_deposit_that_was_acknowledged_restores_after_a_power_cut_at_any_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # of what is restored, not of the store
    files = family(tmp_path / "in")
    fuse = Fuse(10**9)
    deposit(LocalStore(ROOT, watched(SimulatedDisk(), fuse)), files, [])
    acts = 10**9 - fuse.left
    random = Random(acts)
    for number, at in enumerate(sorted(random.sample(range(acts), 100))):
        disk, kept = SimulatedDisk(), list[str]()
        with suppress(PowerCut):
            deposit(LocalStore(ROOT, watched(disk, Fuse(at))), files, kept)
        if random.random() < 0.3:
            disk.end_processes()
        else:
            disk.cut_power(random)
        store = LocalStore(ROOT, disk)
        restore_kept(store, files, kept, tmp_path / f"{number}")
        deposit(store, files, [])
        disk.cut_power(random)
        everything = [f"{model} {what}" for model in files for what in ("weights", "record")]
        restore_kept(store, files, everything, tmp_path / f"{number}-again")
        assert Archive.open(store).check(now=NOW).ok, at


def restore_kept(
    store: LocalStore, files: dict[ModelId, Path], kept: list[str], into: Path
) -> None:
    for one in kept:
        model, what = ModelId(one.split()[0]), one.split()[1]
        if what == "weights":
            Archive.open(store).restore(model, into / model)
            assert tree(into / model) == tree(files[model])
        else:
            assert Archive.open(store).record(model, "notice.json") == b"{}"
