"""Replication: what a further store lacks is copied to it, verified on the way, pointers last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from otium import objects
from otium.archive import Archive, Audit, Damage
from otium.errors import (
    BadInput,
    BadNote,
    BadProof,
    BrokenLedger,
    CannotStore,
    DamagedObject,
    Diverged,
    Exists,
    NotFound,
)
from otium.ledger import Ledger, check_consistency, lies_beyond, verify
from otium.records import Part, Progress, Record, silent
from otium.store import Span, Store

CHUNK = 1 << 20
_CONTENT = re.compile(r"(packs|parity|indexes|recipes)/../[0-9a-f]{64}(\.[a-z]+)")
_FOLDERS = ("packs", "parity", "indexes", "recipes")
_POINTERS = ("inventory.json", "inventory.json.sha512")
_LAST = ("archive.json.sha256", "archive.json")
_LOG, _CHECKPOINT = "log/", "log/checkpoint"
_VERSION = re.compile(r"v([0-9]+)/(content/)?")


class Copied(Part):
    """What one store received."""

    store: str
    files: int = 0
    bytes: int = 0
    names: tuple[str, ...] = ()
    """What was copied, or would be, in this order."""
    ahead: tuple[str, ...] = ()
    """Objects, or the log, that are newer there; they were left."""
    diverged: tuple[str, ...] = ()
    """What is neither older nor newer there, but other; it was left."""
    trouble: str = ""
    """Why the copying ended before its end."""


class Replication(Record, tag="otium.replication/1"):
    """What was copied to each store, and what could not be."""

    stores: tuple[Copied, ...]
    damage: tuple[Damage, ...]
    """Files of the source that are not as they were stored: they were not copied."""
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every store has now all that is whole in the source, and nothing else."""
        return not self.damage and not any(one.trouble or one.diverged for one in self.stores)


def replicate(
    source: Store,
    targets: Mapping[str, Store],
    *,
    progress: Progress = silent,
    dry_run: bool = False,
) -> Replication:
    """Copy to each of *targets*, which are named, what it lacks of the archive in *source*.

    Packs, indexes and recipes go first, then records, inventories, the files at the root and
    the log, tiles before its checkpoint: so whatever is named is there. Each file is compared
    with its digest while it is copied, and read back. What is there is never overwritten; an
    inventory or checkpoint only by one that continues it. Run it again after any failure.

    Raises NotAnArchive, DamagedObject if the source does not know what it is, and Diverged, when
    all else is done, if a store has what is neither older nor newer.
    """
    archive = Archive.open(source)
    audit = Audit(source, archive.info)
    _check_info(audit)
    audit.damage.clear()  # only what had to be copied is judged here
    copied = tuple(
        _Copy(audit, archive.info.keys, name, target, progress, dry_run=dry_run).run()
        for name, target in targets.items()
    )
    damage = tuple(sorted(set(audit.damage), key=lambda one: (one.name, one.found)))
    report = Replication(stores=copied, damage=damage, dry_run=dry_run)
    torn = [one for one in copied if one.diverged]
    if torn:
        names = sorted({name for one in torn for name in one.diverged})
        there = ", ".join(one.store for one in torn)
        raise Diverged(there=there, names=", ".join(names), report=report)
    return report


def _check_info(audit: Audit) -> None:
    """Raise DamagedObject if the file that says what the archive is does not fit its digest."""
    for name in _LAST:
        audit.examine(name, lambda _length: None)
    for damage in audit.damage:
        if damage.name in _LAST:
            raise DamagedObject(name=damage.name, found=damage.found, expected=damage.expected)


def pour(store: Store, name: str, sha256: str, tell: Callable[[int], None]) -> Iterator[bytes]:
    """Yield a stored file's bytes; raise DamagedObject at the end if they are not of *sha256*."""
    digest = hashlib.sha256()
    try:
        size = store.size(name)
        for offset in range(0, size, CHUNK):
            chunk = store.get(name, Span(offset, min(CHUNK, size - offset)))
            digest.update(chunk)
            tell(len(chunk))
            yield chunk
    except (NotFound, BadInput, OSError) as error:
        raise DamagedObject(name=name, found=str(error), expected=sha256) from error
    if digest.hexdigest() != sha256:
        raise DamagedObject(name=name, found=digest.hexdigest(), expected=sha256)


def is_whole(store: Store, name: str, sha256: str) -> bool:
    """Return whether a store has a file of this digest under *name*; it is read whole."""
    try:
        for _ in pour(store, name, sha256, lambda _length: None):
            pass
    except DamagedObject:
        return False
    return True


@dataclass
class _Copy:
    """One target of a replication."""

    audit: Audit
    keys: Sequence[str]
    name: str
    target: Store
    progress: Progress
    dry_run: bool
    there: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    done: int = 0
    """Bytes copied, or that would be."""
    total: int = 0

    @property
    def source(self) -> Store:
        return self.audit.store

    def run(self) -> Copied:
        """Copy what is missing, in order."""
        trouble = ""
        try:
            self._run()
        except (CannotStore, OSError) as error:
            trouble = str(error)
        return Copied(
            store=self.name,
            files=len(self.names),
            bytes=self.done,
            names=tuple(self.names),
            ahead=tuple(self.ahead),
            diverged=tuple(self.diverged),
            trouble=trouble,
        )

    def _run(self) -> None:
        self.there = set(self.target.list())
        for name in _LAST:
            if name in self.there and self.target.get(name) != self.source.get(name):
                self.diverged.append(name)
                return  # another archive, or none: nothing of it is touched
        content = [name for name in sorted(self.audit.expected) if _CONTENT.fullmatch(name)]
        content.sort(key=lambda name: _FOLDERS.index(name.partition("/")[0]))
        missing = [name for name in content if name not in self.there]
        self.total = sum(self.source.size(n) for n in missing if n in self.audit.found)
        for name in missing:
            self._guarded(name, self._add)
        places = sorted(self.audit.places)
        for place in places:
            self._object(place)
        inside = tuple(f"{place}/" for place in places)
        rest = [n for n in self.audit.expected if n not in content and not n.startswith(inside)]
        for name in sorted(rest, key=lambda name: (name in _LAST, name == _LAST[1], name)):
            if name not in self.there:
                self._guarded(name, self._put)
        self._log()

    def _guarded(self, name: str, copy: Callable[[str, str], None]) -> None:
        """Copy a file unless it is damaged; then name it."""
        try:
            copy(name, self.audit.expected[name].sha256)
        except DamagedObject:
            before = len(self.audit.damage)
            self.audit.examine(name, lambda _length: None)
            if len(self.audit.damage) == before:
                raise  # it is whole here: the copy of it is not
        else:
            self.names.append(name)

    def _tell(self, length: int) -> None:
        self.done += length
        self.progress(f"copying to {self.name}", self.done, max(self.total, self.done))

    def _add(self, name: str, sha256: str) -> None:
        """Copy a file that is named by its content."""
        chunks = pour(self.source, name, sha256, self._tell)
        if self.dry_run:
            self._tell(self.source.size(name))
            return
        folder, suffix = name.partition("/")[0], name[name.rindex(".") :]
        self.target.add(folder, chunks, suffix)
        if not is_whole(self.target, name, sha256):
            raise CannotStore(path=f"{self.name} {name}", why="it reads back otherwise")

    def _put(self, name: str, sha256: str) -> None:
        """Copy a small file under its name; raise Exists if another is there."""
        data = b"".join(pour(self.source, name, sha256, self._tell))
        if self.dry_run:
            return
        try:
            self.target.put(name, data)
        except Exists:
            if self.target.get(name) != data:
                raise
        if self.target.get(name) != data:
            raise CannotStore(path=f"{self.name} {name}", why="it reads back otherwise")

    def _object(self, place: str) -> None:
        """Copy an object's versions, the files of each before its inventory; then publish them."""
        ours = objects.trusted(self.source, place)
        if ours is None:
            return
        try:
            theirs = objects.trusted(self.target, place)
        except DamagedObject:
            self.diverged.append(place)
            return
        if theirs is not None:
            common = f"v{min(len(ours.versions), len(theirs.versions))}"
            if ours.at(common) != theirs.at(common):
                self.diverged.append(place)
                return
            if len(theirs.versions) > len(ours.versions):
                self.ahead.append(place)
        pointers = {f"{place}/{pointer}" for pointer in _POINTERS}
        files = sorted(
            objects.files(place, ours).keys() - pointers,
            key=lambda name: _step(name.removeprefix(f"{place}/")),
        )
        known = len(theirs.versions) if theirs else 0
        try:
            for name in files:
                if name not in self.there:
                    self._guarded(name, self._put)
                elif _step(name.removeprefix(f"{place}/"))[0] > known:
                    self._same(name)  # left by whoever did not finish: it must be what we have
            self._publish(place, ours, pointers)
        except (Exists, DamagedObject):
            self.diverged.append(place)

    def _same(self, name: str) -> None:
        """Raise Exists if the file that is there is not the source's."""
        if not is_whole(self.target, name, self.audit.expected[name].sha256):
            raise Exists(name=name)

    def _publish(self, place: str, ours: objects.Inventory, pointers: set[str]) -> None:
        """Let the object's root repeat its newest version, whoever brought it."""
        if self.dry_run:
            self.names += sorted(pointers - self.there)
            return
        model = next(iter(self.audit.places[place]))
        settled = objects.settle(self.target, model)
        while settled != (again := objects.settle(self.target, model)):
            settled = again  # another replicator was faster: what it brought is newer
        if settled is not None and len(settled.versions) >= len(ours.versions):
            self.names += sorted(pointers - self.there)

    def _log(self) -> None:
        """Copy the ledger, its checkpoint last; never an older one over a newer."""
        if next(iter(self.source.list(_LOG)), None) is None:
            return
        try:
            point = verify(self.source, self.keys)
        except (BrokenLedger, BadNote, BadInput) as error:
            self.audit.wrong(_CHECKPOINT, error, "a ledger that verifies")
            return
        if not self._continues(point.size, point.root):
            return
        for name in self.source.list(_LOG):
            data = self.source.get(name)
            if name != _CHECKPOINT and data and not lies_beyond(name, point.size):
                self._point(name, data)
        self._point(_CHECKPOINT, point.text.encode())

    def _continues(self, size: int, root: bytes) -> bool:
        """Return whether the source's ledger goes on from the target's, and is longer."""
        ours, theirs = set(self.source.list(_LOG)), set(self.target.list(_LOG))
        try:
            ledger = Ledger.open(self.target, vkeys=self.keys)
            there = ledger.checkpoint()
        except (BrokenLedger, NotFound):
            if theirs <= ours:
                return True  # a checkpoint that is gone or damaged, of no more than we have
            self.diverged.append(_CHECKPOINT)
            return False
        try:
            if there.size < size:
                path = Ledger.open(self.source, vkeys=self.keys).consistency(there.size)
                check_consistency(there.size, size, there.root, root, path)
            else:
                check_consistency(size, there.size, root, there.root, ledger.consistency(size))
        except (BrokenLedger, BadProof):
            self.diverged.append(_CHECKPOINT)
            return False
        if there.size > size:
            self.ahead.append(_CHECKPOINT)
        return there.size <= size

    def _point(self, name: str, data: bytes) -> None:
        """Let a file of the log say *data*: it follows from a ledger that was verified."""
        if name in self.there and self.target.get(name) == data:
            return
        self.names.append(name)
        self._tell(len(data))
        if self.dry_run:
            return
        self.target.replace(name, data)
        if self.target.get(name) != data:
            raise CannotStore(path=f"{self.name} {name}", why="it reads back otherwise")


def _step(path: str) -> tuple[int, int, str]:
    """Return when a file of an object is copied: by version, its inventory and digest last."""
    found = _VERSION.match(path)
    if found is None:
        return 0, 0, path  # what declares the object
    return int(found[1]), 0 if found[2] else 1, path
