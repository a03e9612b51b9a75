"""Power cuts, kills and failing disks, at any act of the local store's real code.

The store runs over a simulated disk (``otium.testing.SimulatedDisk``) and a trial knows, at
each moment, what may be under each name. Whatever was acknowledged must be there, whole, after
every restart. Disks with a seeded bug show that the trials find what they are to find.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from otium.errors import CannotStore, Exists, NotFound
from otium.records import Record
from otium.store import LocalStore, Opened, Spooled, content_name
from otium.testing import PowerCut, SimulatedDisk, watched

ROOT = Path("/srv/archive")
_STEPS = 8
CHANGES = frozenset({"spool", "write", "sync", "link", "rename", "unlink", "mkdir", "sync_all"})
SYNCS = frozenset({"sync"})
"""Before a sync the most is at stake."""
_SUFFIX = ".pack"


class Write(NamedTuple):
    """One call that writes, or a sweep."""

    verb: Literal["put", "add", "replace", "sweep"]
    name: str
    data: bytes

    @property
    def stored(self) -> str:
        """Return the name under which the bytes will be."""
        if self.verb != "add":
            return self.name
        return content_name(self.name, hashlib.sha256(self.data).hexdigest(), _SUFFIX)


class Trouble(NamedTuple):
    """What befalls a write, before the disk's act number *at*, from 0 on, of those that count."""

    kind: Literal["end", "fault", "meanwhile"]
    at: int
    counted: frozenset[str] = CHANGES
    other: Write | None = None
    """What another process writes, whole, in between."""


class CrashRuns(Record, tag="otium.crash-runs/1"):
    """What came of many trials."""

    seed: int
    runs: int
    acts: int
    """Calls of the disk."""
    power_cuts: int
    kills: int
    faults: int
    acknowledged: int
    """Writes that had returned, or had found that their bytes were there."""
    checked: int
    """Objects read back after a restart, over all restarts."""
    problems: tuple[str, ...]
    """Anything lost, damaged, named too early or left behind; empty if all is well."""
    bugs_found_after: dict[str, int]
    """For each seeded bug the number of runs until the trials saw it; 0 if they never did."""
    cpu_seconds: float


class Trial:
    """A store on a simulated disk, with what may be under each of its names."""

    def __init__(self, random: Random, disk: SimulatedDisk | None = None) -> None:
        """Begin with an empty *disk*; *random* decides what a power cut keeps."""
        self.random = random
        self.disk = SimulatedDisk() if disk is None else disk
        self.possible: dict[str, set[bytes | None]] = {}
        self.problems: list[str] = []
        self.acts = self.power_cuts = self.kills = self.faults = 0
        self.acknowledged = self.checked = 0
        self._flying: list[Write] = []
        self._trouble: Trouble | None = None
        self._until = 0
        self._begin()

    def write(self, write: Write, trouble: Trouble | None = None) -> None:
        """Do *write* while *trouble* comes; what was interrupted must be restarted."""
        self._trouble, self._until = trouble, trouble.at if trouble else 0
        try:
            self._attempt(self._store, write)
        except PowerCut:
            pass
        except (OSError, CannotStore) as error:
            if trouble is None or trouble.kind != "fault":
                self.problems.append(f"{write.verb} failed by itself: {error}")
        finally:
            self._trouble = None
            self._flying.clear()

    def restart(self, *, power: bool) -> None:
        """End all processes, by a power cut or by kills, open the store again and check it."""
        if power:
            self.disk.cut_power(self.random)
        else:
            self.disk.end_processes()
        self.power_cuts += power
        self.kills += not power
        self._begin()
        self._store.sweep()
        self.check()
        if self.disk.is_folder(ROOT / ".tmp") and self.disk.scan(ROOT / ".tmp"):
            self.problems.append("a temporary file was left behind")

    def check(self) -> None:
        """Compare what is there with what must be; from now on just that must stay."""
        found = {name: self._get(name) for name in self._store.list()}
        self.checked += len(found)
        for name, possible in self.possible.items():
            data = found.pop(name, None)
            if data not in possible:
                wrong = "was lost" if data is None else "is damaged"
                self.problems.append(f"{name} {wrong}: {data!r} is none of {possible!r}")
            self.possible[name] = {data}
        self.problems += [f"{name} was never written" for name in found]

    def _get(self, name: str) -> bytes | None:
        try:
            return self._store.get(name)
        except NotFound:
            return None

    def _begin(self) -> None:
        self._dead = False
        self._store = LocalStore(ROOT, watched(self.disk, self._watch))

    def _watch(self, name: str, act: Callable[..., object], *arguments: object) -> object:
        if self._dead:
            raise PowerCut
        self.acts += 1
        if self._trouble and name in self._trouble.counted:
            self._until -= 1
            if self._until < 0:
                self._befall(name, self._trouble, *arguments)
        return act(*arguments)

    def _befall(self, name: str, trouble: Trouble, *arguments: object) -> None:
        self._trouble = None
        if trouble.kind == "end":
            self._dead = True
            raise PowerCut
        if trouble.kind == "fault":
            self.faults += 1
            if name == "sync":
                handle = arguments[0]
                assert isinstance(handle, int)
                self.disk.fail_sync(handle)
            else:
                raise OSError(5, "Input/output error")
        elif trouble.other:
            self._attempt(LocalStore(ROOT, self.disk), trouble.other)

    def _attempt(self, store: LocalStore, write: Write) -> None:
        if write.verb == "sweep":
            store.sweep()
            return
        self._flying.append(write)
        possible = self.possible.setdefault(write.stored, {None})
        news = write.data not in possible
        possible.add(write.data)
        try:
            _call(store, write)
        except Exists:
            mine = news and self.possible[write.stored] is possible
            self.possible[write.stored] -= {None, write.data} if mine else {None}
        else:
            others = self._flying if write.verb == "replace" else ()
            same = {one.data for one in others if one.name == write.name}
            self.possible[write.stored] = {write.data, *same}
        self.acknowledged += 1


def _call(store: LocalStore, write: Write) -> None:
    if write.verb == "put":
        store.put(write.name, write.data)
    elif write.verb == "replace":
        store.replace(write.name, write.data)
    else:
        # Two chunks, so that there is a place to stop between them.
        middle = len(write.data) // 2
        store.add(write.name, [write.data[:middle], write.data[middle:]], _SUFFIX)


# Each of these is a store with a mistake, made where the store meets its disk.


class _NoFileSync(SimulatedDisk):
    def sync(self, handle: int) -> None:
        if not self.is_file(handle):
            super().sync(handle)


class _NoFolderSync(SimulatedDisk):
    def sync(self, handle: int) -> None:
        if self.is_file(handle):
            super().sync(handle)


class _NameBeforeBytes(SimulatedDisk):
    late: int | None = None

    def sync(self, handle: int) -> None:
        if self.is_file(handle):
            self.late = handle
            return
        super().sync(handle)
        if self.late is not None:
            super().sync(self.late)
            self.late = None

    def end_processes(self) -> None:
        self.late = None
        super().end_processes()


class _AcknowledgedTooEarly(SimulatedDisk):
    late: Path | None = None

    def open_folder(self, path: Path) -> int:
        self.opened = path
        return super().open_folder(path)

    def sync(self, handle: int) -> None:
        if self.is_file(handle):
            super().sync(handle)
        else:
            self.late = self.opened

    def spool(self, folder: Path) -> Spooled:
        if self.late and self.is_folder(self.late):
            super().sync(super().open_folder(self.late))
        return super().spool(folder)


class _NoParentSync(SimulatedDisk):
    named = False

    def link(self, old: Path, new: Path) -> None:
        super().link(old, new)
        self.named = True

    def sync(self, handle: int) -> None:
        if self.is_file(handle) or self.named:
            super().sync(handle)
            self.named = False


class _TrustsWhatIsThere(SimulatedDisk):
    found = False

    def open(self, path: Path) -> Opened:
        self.found = True
        return super().open(path)

    def spool(self, folder: Path) -> Spooled:
        self.found = False
        return super().spool(folder)

    def sync(self, handle: int) -> None:
        if not self.found:
            super().sync(handle)


class _RetriesAFailedSync(SimulatedDisk):
    def fail_sync(self, handle: int) -> None:
        try:
            super().fail_sync(handle)
        except OSError:
            self.sync(handle)


class _SweepsWithoutSettling(SimulatedDisk):
    def sync_all(self, path: Path) -> None:
        pass


class _SweepsTheLiving(SimulatedDisk):
    def is_abandoned(self, path: Path) -> bool:
        return path is not None


BUGS: Mapping[str, Callable[[], SimulatedDisk]] = {
    "the file is not synced": _NoFileSync,
    "the folder is not synced": _NoFolderSync,
    "the name is given before the bytes are synced": _NameBeforeBytes,
    "the write is acknowledged before the folder is synced": _AcknowledgedTooEarly,
    "a new folder is not synced in its parent": _NoParentSync,
    "a name that is there is trusted without a sync": _TrustsWhatIsThere,
    "a failed sync is retried and trusted": _RetriesAFailedSync,
    "what the dead left is not settled": _SweepsWithoutSettling,
    "a living writer's file is swept": _SweepsTheLiving,
}
"""Disks on which the store does what it must not."""


def crash_runs(runs: int, seed: int) -> CrashRuns:
    """Run *runs* trials, and trials on each disk with a bug until the bug is seen."""
    began = time.process_time()
    trials = [_run(f"{seed}/{number}") for number in range(runs)]
    return CrashRuns(
        seed=seed,
        runs=runs,
        acts=sum(trial.acts for trial in trials),
        power_cuts=sum(trial.power_cuts for trial in trials),
        kills=sum(trial.kills for trial in trials),
        faults=sum(trial.faults for trial in trials),
        acknowledged=sum(trial.acknowledged for trial in trials),
        checked=sum(trial.checked for trial in trials),
        problems=tuple(problem for trial in trials for problem in trial.problems),
        bugs_found_after={bug: runs_until_found(bug, max(runs, 1000), seed) for bug in BUGS},
        cpu_seconds=round(time.process_time() - began, 1),
    )


def runs_until_found(bug: str, most: int, seed: int) -> int:
    """Return how many runs it takes to see a seeded bug, 0 if *most* are not enough."""
    for number in range(most):
        if _run(f"{seed}/{number}", BUGS[bug]()).problems:
            return number + 1
    return 0


def _run(seed: str, disk: SimulatedDisk | None = None) -> Trial:
    random = Random(seed)  # noqa: S311 - a trial is to be repeatable, not secret
    trial = Trial(random, disk)
    for _ in range(_STEPS):
        _step(trial, random)
    trial.restart(power=True)
    return trial


def _step(trial: Trial, random: Random) -> None:
    write = _write(random)
    counted, most = random.choice(((CHANGES, 15), (SYNCS, 5)))
    at = random.randrange(most)
    kind = random.choices(("calm", "end", "fault", "meanwhile"), (4, 8, 3, 5))[0]
    if kind == "calm":
        trial.write(write)
    elif kind == "end":
        trial.write(write, Trouble("end", at, counted))
        if random.choice((True, False)):
            trial.restart(power=False)
        trial.restart(power=random.choice((True, True, True, False)))
    elif kind == "fault":
        trial.write(write, Trouble("fault", at, counted))
        trial.restart(power=random.choice((True, False)))
    else:
        other = random.choice((write, _write(random), Write("sweep", "", b"")))
        trial.write(write, Trouble("meanwhile", at, counted, other))
        if random.choice((True, False)):
            trial.restart(power=True)
    trial.check()


def _write(random: Random) -> Write:
    """Return a write to one of a few names, often of the same bytes, so that writers meet."""
    data = random.choice((b"same", b"same", b"", random.randbytes(40), random.randbytes(400)))
    verb = random.choice(("put", "add", "replace"))
    if verb == "add":
        return Write("add", random.choice(("packs", "recipes")), data)
    if verb == "put":
        return Write("put", random.choice(("a", "models/x/one", "models/x/two", "log/a/b")), data)
    return Write("replace", random.choice(("pointer", "models/x/inventory")), data)
