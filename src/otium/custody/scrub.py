"""Scrubbing: everything is read again and again, a little at a time.

A cursor outside the archive remembers where the last call stopped and what was found. Three
levels: *index* looks at names and sizes, *digests* reads every byte, *drill* decodes every
deposited file and compares it with its manifest.
"""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from blake3 import blake3

from otium.archive import (
    DEACCESSION,
    Archive,
    Audit,
    Damage,
    File,
    OpenFile,
    parts_lost,
    recipe_name,
)
from otium.errors import (
    BadInput,
    BadNote,
    BadRecord,
    BrokenLedger,
    DamagedCache,
    DamagedObject,
    NotFound,
)
from otium.ledger import verify
from otium.parallel import in_order
from otium.records import Instant, ModelId, Part, Progress, Record, silent
from otium.store import LocalStore

Level = Literal["index", "digests", "drill"]
Tell = Callable[[int], None]
"""To be told how many bytes were read."""
_LOG = "log/checkpoint"
_SAVE_EVERY = 1.0
"""Seconds."""


class Position(Part):
    """How far a level has come."""

    after: str = ""
    """The last that was read in this round; empty at the start of one."""
    began: Instant | None = None
    """When this round began."""
    whole: Instant | None = None
    """When a round last ended."""
    rounds: int = 0
    """That have ended."""
    damage: tuple[Damage, ...] = ()
    """Found in this round, or in the last one until the next begins."""


class Cursor(Record, tag="otium.scrub/1"):
    """Where the scrubbing of one copy stands."""

    archive: str
    """Its id."""
    positions: dict[str, Position]


class Scrubbed(Record, tag="otium.scrubbed/1"):
    """What one call read and found."""

    checked: Instant
    level: Level
    read: int
    """Stored files, or deposited files in a drill."""
    bytes: int
    total: int
    """What a whole round reads, in files."""
    damage: tuple[Damage, ...]
    """Found by this call."""
    position: Position

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.damage


@dataclass(frozen=True)
class Budget:
    """How much one call may read, and how fast; None means as much as there is.

    Raises BadInput for a rate that is not above 0, or less than no time or no bytes.
    """

    rate: float | None = None
    """Bytes a second."""
    seconds: float | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no budget, NaN among it."""
        if self.rate is not None and not self.rate > 0:
            raise BadInput(what=f"a rate of {self.rate}", why="it must lie above 0")
        for most in (self.seconds, self.bytes):
            if most is not None and not most >= 0:
                raise BadInput(what=f"a budget of {most}", why="it must be 0 or more")


@dataclass(frozen=True)
class Passing:
    """The time that passes, in seconds, and how to let it pass."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def scrub(
    archive: Archive,
    cursor: Path,
    *,
    now: Instant,
    level: Level = "digests",
    budget: Budget | None = None,
    passing: Passing | None = None,
    progress: Progress = silent,
) -> Scrubbed:
    """Read on from where the last call stopped, to the end of the round or of the *budget*.

    At least one file is read, and each that is begun is read to its end: so every file has its
    turn however small the budget. Who is killed reads a second's worth of files again, and
    forgets no damage. Raises DamagedCache for a cursor that is not this archive's.
    """
    state = load_cursor(cursor, archive.id)
    position = state.positions.get(level, Position())
    if not position.after:
        position = msgspec.structs.replace(position, began=now, damage=())
    work = reading(archive, level)
    pace = _Pace(budget or Budget(), passing or Passing())
    read = 0
    for step in _read_on(work, position, pace, progress):
        position = step
        read += 1
        if pace.should_save():
            save_cursor(cursor, state, level, position)
    if position.after >= work.names[-1]:
        position = Position(whole=now, rounds=position.rounds + 1, damage=position.damage)
    save_cursor(cursor, state, level, position)
    return Scrubbed(
        checked=now,
        level=level,
        read=read,
        bytes=pace.bytes,
        total=len(work.names),
        damage=merged(work.damage, ()),
        position=position,
    )


def _read_on(work: Work, position: Position, pace: _Pace, progress: Progress) -> Iterator[Position]:
    """Read file after file and yield where that leads, until the budget is spent."""
    first = bisect_right(work.names, position.after)
    for at, name in enumerate(work.names[first:], first + 1):
        work.read(name, pace.tell)
        found = merged(position.damage, work.damage)
        position = msgspec.structs.replace(position, after=name, damage=found)
        progress("scrubbing", at, len(work.names))
        yield position
        if pace.is_spent:
            return


def load_cursor(path: Path, archive: str) -> Cursor:
    """Return the cursor at *path*, a fresh one if there is none; raise DamagedCache."""
    try:
        cursor = Cursor.decode(path.read_bytes())
    except FileNotFoundError:
        return Cursor(archive=archive, positions={})
    except BadRecord as error:
        raise DamagedCache(path=path, why=str(error)) from error
    if cursor.archive != archive:
        raise DamagedCache(path=path, why=f"it is the cursor of the archive {cursor.archive}")
    return cursor


def save_cursor(path: Path, cursor: Cursor, level: Level, position: Position) -> None:
    """Write the cursor with a new position so that it is whole whenever the power fails."""
    positions = {**cursor.positions, level: position}
    LocalStore(path.parent).replace(
        path.name, Cursor(archive=cursor.archive, positions=positions).encode()
    )


def reading(archive: Archive, level: Level) -> Work:
    """Return what *level* reads of an archive, which is listed now."""
    return _Drill(archive) if level == "drill" else _Files(archive, level)


def merged(some: Iterable[Damage], more: Iterable[Damage]) -> tuple[Damage, ...]:
    """Return each damage once, in order."""
    return tuple(sorted({*some, *more}, key=lambda one: (one.name, one.models, one.found)))


class _Pace:
    """Counts what is read, waits where that is too fast, and tells when it is enough."""

    def __init__(self, budget: Budget, passing: Passing) -> None:
        self.budget, self.passing = budget, passing
        self.start = self.saved = passing.clock()
        self.bytes = 0

    def tell(self, length: int) -> None:
        """Take so many bytes into account."""
        self.bytes += length
        if self.budget.rate:
            early = self.bytes / self.budget.rate - (self.passing.clock() - self.start)
            if early > 0:
                self.passing.sleep(early)

    @property
    def is_spent(self) -> bool:
        """Whether the call should end."""
        seconds, most = self.budget.seconds, self.budget.bytes
        late = seconds is not None and self.passing.clock() - self.start >= seconds
        return late or (most is not None and self.bytes >= most)

    def should_save(self) -> bool:
        """Return whether enough was read since this last said so: a save waits for the disk."""
        now = self.passing.clock()
        due = now - self.saved >= _SAVE_EVERY
        self.saved = now if due else self.saved
        return due


class Work(Protocol):
    """What a level reads."""

    names: list[str]
    """In order."""
    damage: list[Damage]
    """That was found so far: by listing what is there, and by reading."""

    def read(self, name: str, tell: Tell) -> None:
        """Read one of *names*."""
        ...


class _Files:
    """Stored files: their sizes, or all their bytes."""

    def __init__(self, archive: Archive, level: Level) -> None:
        self.audit = Audit(archive.store, archive.info)
        self.names = sorted({*self.audit.expected, *self.audit.found})
        self.damage = self.audit.damage
        self.level, self.info = level, archive.info
        self.log = list(archive.store.list("log/"))
        if self.log and level == "digests":
            self.names = sorted([*self.names, _LOG])

    def read(self, name: str, tell: Tell) -> None:
        """Check one stored file."""
        if name == _LOG:
            self.read_log(tell)
        elif self.level == "index":
            self.audit.glance(name)
        else:
            self.audit.examine(name, tell)

    def read_log(self, tell: Tell) -> None:
        """Check the ledger, which is read whole: it is small."""
        try:
            verify(self.audit.store, self.info.keys)
        except (BrokenLedger, BadInput, BadNote, OSError) as error:
            self.audit.wrong(_LOG, error, "a ledger that verifies")
        for name in self.log:
            tell(self.audit.store.size(name))


class _Drill:
    """Deposited files, decoded as for a restore."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        audit = Audit(archive.store, archive.info)
        self.models = sorted({model for models in audit.places.values() for model in models})
        self.damage: list[Damage] = list(audit.damage)
        self.files = {f"{model}/{file.path}": (model, file) for model, file in self._files()}
        self.names = sorted(self.files) or [""]

    def _files(self) -> Iterator[tuple[ModelId, File]]:
        for model in self.models:
            try:
                records = self.archive.records(model)
                if "manifest.json" in records and DEACCESSION not in records:
                    for file in self.archive.manifest(model).files:
                        yield model, file
            except (DamagedObject, NotFound, BadRecord) as error:
                self._wrong(_facts(error, f"the manifest of {model}"), model, ())

    def read(self, name: str, tell: Tell) -> None:
        """Decode one deposited file and compare it with its manifest."""
        if name not in self.files:
            return  # nothing was deposited
        model, file = self.files[name]
        try:
            opened = OpenFile(self.archive.store, file)
        except (DamagedObject, OSError) as error:
            self._wrong(_facts(error, recipe_name(file.recipe)), model, [file.path])
            return
        sha256, fast, whole = hashlib.sha256(), blake3(), True
        order = opened.recipe.order
        for number, data in zip(order, in_order(_Decoding(opened), order), strict=True):
            if isinstance(data, Exception):
                whole = False
                facts = _facts(data, opened.recipe.pieces[number].pack)
                self._wrong(facts, model, parts_lost(file, opened.recipe, {number}))
            else:
                sha256.update(data)
                fast.update(data)
                tell(len(data))
        digests = f"sha256:{sha256.hexdigest()} blake3:{fast.hexdigest()}"
        expected = f"sha256:{file.sha256} blake3:{file.blake3}"
        if whole and digests != expected:
            self._wrong((recipe_name(file.recipe), digests, expected), model, [file.path])

    def _wrong(self, facts: tuple[str, str, str], model: ModelId, tensors: Iterable[str]) -> None:
        name, found, expected = facts
        damage = Damage(
            name=name, found=found, expected=expected, models=(model,), tensors=tuple(tensors)
        )
        self.damage.append(damage)


@dataclass(frozen=True)
class _Decoding:
    """The pieces of a file, each decoded or the reason why it cannot be."""

    opened: OpenFile

    def __call__(self, number: int) -> bytes | bytearray | memoryview | Exception:
        try:
            return self.opened.pieces.read(number)
        except (DamagedObject, OSError) as error:
            return error


def _facts(error: Exception, name: str) -> tuple[str, str, str]:
    """Return what is damaged, as what it was found, and what was expected."""
    if isinstance(error, DamagedObject):
        stored = f"{error.facts['name']}".partition(" at ")[0]
        return stored, f"{error.facts['found']}", f"{error.facts['expected']}"
    return name, str(error), "to be read"
