"""Repair: what is damaged or missing is made whole, from other copies or from parity.

In two phases. The plan names each damage and which copy had the right bytes when it was read.
Carrying it out reads them again into a file beside, compares that file with the digest, and
only then puts it in place, and reads it back. What is whole is never written.
"""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from otium import objects
from otium.archive import Archive, Audit, Damage, info_digest
from otium.custody.parity import parity_of
from otium.custody.replicate import is_whole, pour
from otium.custody.sheet import read_sheet, rebuild, sheets
from otium.custody.stats import sha256_of
from otium.errors import (
    CannotStore,
    DamagedObject,
    Exists,
    Irreparable,
    NotFound,
    OtiumError,
)
from otium.records import Part, Progress, Record, silent
from otium.store import Buffer, Store

_ROUNDS = 4
"""An inventory leads to a manifest, that to recipes, those to packs and indexes."""
_TRIES = 3


class Remedy(Part):
    """One damaged file, and where its right bytes are."""

    name: str
    sha256: str
    source: str
    """A copy, ``this copy`` under another name, ``parity``, or ``other files`` it follows from."""


class RepairPlan(Record, tag="otium.repair-plan/1"):
    """What can be mended, and what cannot."""

    remedies: tuple[Remedy, ...]
    left: tuple[Damage, ...]
    """For which no right bytes were found, and files that do not belong here."""


class Repaired(Record, tag="otium.repaired/1"):
    """What was mended, and what is still damaged."""

    mended: tuple[Remedy, ...]
    left: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged any more."""
        return not self.left


def repair(
    archive: Archive, copies: Mapping[str, Store], *, progress: Progress = silent
) -> Repaired:
    """Mend all damage of *archive* that any of *copies*, or parity, can mend.

    A copy is believed nothing: only bytes of the right digest are taken, whoever gives them.
    Only where this archive no longer knows what an object was do all copies that know it have
    to agree. The log is mended by `replicate` from a copy.
    """
    mended: list[Remedy] = []
    plan = plan_repair(archive, copies, progress=progress)
    for _ in range(_ROUNDS):
        done = carry_out_repair(archive, copies, plan, progress=progress)
        mended += done.mended
        if not done.mended:
            break
        plan = plan_repair(archive, copies, progress=progress)
        if not plan.remedies:
            break
    return Repaired(mended=tuple(mended), left=(*plan.left, *_unmended(plan, archive)))


def _unmended(plan: RepairPlan, archive: Archive) -> Iterator[Damage]:
    """Yield as damage what could not be put in place after all."""
    for one in plan.remedies:
        if not is_whole(archive.store, one.name, one.sha256):
            yield Damage(name=one.name, found="still damaged", expected=f"sha256:{one.sha256}")


def opened(store: Store, copies: Mapping[str, Store]) -> Archive:
    """Return the archive in *store*, its ``archive.json`` made whole from *copies* if need be.

    A copy's is taken where the digest beside it here, or the bytes here, agree with it. Raises
    NotAnArchive, or DamagedObject if none does.
    """
    names = ("archive.json", "archive.json.sha256")
    here = [_found(store, name) for name in names]
    if here[0] is None or here[1] != info_digest(here[0]):
        for copy in copies.values():
            with suppress(OtiumError, OSError):
                theirs = copy.get(names[0])
                ours = (theirs, info_digest(theirs))
                if copy.get(names[1]) == ours[1] and (here[0] == ours[0] or here[1] == ours[1]):
                    for name, data in zip(names, ours, strict=True):
                        _swap(store, name, data)
                    return Archive.open(store)
    archive = Archive.open(store)
    if here[0] is not None and here[1] is not None and here[1] != info_digest(here[0]):
        raise DamagedObject(name=names[0], found="other bytes", expected="those of its digest")
    return archive


def _found(store: Store, name: str) -> bytes | None:
    try:
        return store.get(name)
    except (NotFound, OSError):
        return None


def plan_repair(
    archive: Archive, copies: Mapping[str, Store], *, progress: Progress = silent
) -> RepairPlan:
    """Read this copy whole, and the files of *copies* that would mend it; write nothing."""
    audit = Audit(archive.store, archive.info)
    audit.read(progress)
    audit.refuse(audit.found)
    wanted, left = _wanted(audit, copies)
    workshop = _Workshop(audit, copies)
    remedies = []
    for name, (sha256, damage) in sorted(wanted.items()):
        if is_whole(archive.store, name, sha256):
            left.append(damage)  # the bytes are as they were stored, and were never right
            continue
        try:
            with workshop.good(name, sha256) as (_, source):
                remedies.append(Remedy(name=name, sha256=sha256, source=source))
        except Irreparable:
            left.append(damage)
    return RepairPlan(
        remedies=tuple(remedies),
        left=tuple(sorted(set(left), key=lambda one: (one.name, one.found))),
    )


def carry_out_repair(
    archive: Archive,
    copies: Mapping[str, Store],
    plan: RepairPlan,
    *,
    progress: Progress = silent,
) -> Repaired:
    """Put right bytes in the place of each damaged file of *plan*, inventories last.

    Each is checked again: what has become whole is left, and what no copy can give any more
    stays as it is and is named.
    """
    workshop = _Workshop(Audit(archive.store, archive.info), copies)
    mended, left = [], list(plan.left)
    order = sorted(plan.remedies, key=lambda one: (_is_pointer(one.name), one.name))
    for at, one in enumerate(order, 1):
        try:
            source = workshop.mend(one.name, one.sha256)
        except Irreparable as error:
            why = f"{error.facts['why']}"
            left.append(Damage(name=one.name, found=why, expected=f"sha256:{one.sha256}"))
        else:
            if source:
                mended.append(Remedy(name=one.name, sha256=one.sha256, source=source))
        progress("repairing", at, len(order))
    return Repaired(mended=tuple(mended), left=tuple(left))


def _is_pointer(name: str) -> bool:
    return name.startswith("models/") and "inventory.json" in name


def _wanted(
    audit: Audit, copies: Mapping[str, Store]
) -> tuple[dict[str, tuple[str, Damage]], list[Damage]]:
    """Return the digest that each damaged file must have, and what has none."""
    wanted, left = {}, []
    lost = _lost_objects(audit, copies)
    for damage in audit.damage:
        expected = audit.expected.get(damage.name)
        place = objects.PLACE.match(damage.name)
        if expected is not None:
            wanted[damage.name] = (expected.sha256, damage)
        elif place is None or place[0] not in lost:
            left.append(damage)
    for files in lost.values():
        for name, sha256 in files.items():
            if not is_whole(audit.store, name, sha256):
                damage = Damage(name=name, found="damaged", expected=f"sha256:{sha256}")
                wanted[name] = (sha256, damage)
    return wanted, left


def _lost_objects(audit: Audit, copies: Mapping[str, Store]) -> dict[str, dict[str, str]]:
    """Return the files of each object that is here without an inventory, as all copies say."""
    here = {match[0] for name in audit.found if (match := objects.PLACE.match(name))}
    lost = {}
    for place in sorted(here - audit.places.keys()):
        known = []
        for store in copies.values():
            with suppress(OtiumError, OSError):
                inventory = objects.trusted(store, place)
                if inventory is not None:
                    known.append(inventory)
        known.sort(key=lambda inventory: len(inventory.versions))
        if known and all(one == known[-1].at(one.head) for one in known):
            lost[place] = objects.files(place, known[-1])
    return lost


@dataclass
class _Workshop:
    """Where right bytes are found, laid beside, and put in place."""

    audit: Audit
    copies: Mapping[str, Store]

    def mend(self, name: str, sha256: str) -> str:
        """Put right bytes under *name*; return where they came from, nothing if it is whole.

        Raises Irreparable; then what was there is there still.
        """
        store, why = self.audit.store, "no copy has its bytes"
        for _ in range(_TRIES):
            if is_whole(store, name, sha256):
                return ""
            with self.good(name, sha256) as (data, source):
                try:
                    _swap(store, name, data)
                except (CannotStore, OSError) as error:
                    why = str(error)
                    continue
            if is_whole(store, name, sha256):
                return source
            why = "what was written reads back otherwise"
        raise Irreparable(name=name, why=why)

    @contextmanager
    def good(self, name: str, sha256: str) -> Iterator[tuple[Buffer, str]]:
        """Lay bytes of this digest beside, verified there, and say whence; raise Irreparable."""
        for source, write in self._sources(name, sha256):
            with tempfile.TemporaryFile() as beside:
                try:
                    write(beside)
                    data = _verified(beside, sha256)
                except (OtiumError, OSError):
                    continue  # this one cannot help; the next may
                yield data, source
                return
        raise Irreparable(name=name, why="no copy has its bytes, and parity does not reach")

    def _sources(self, name: str, sha256: str) -> Iterator[tuple[str, Callable[[IO[bytes]], None]]]:
        """Yield who may have the bytes, and how to write them to a file."""
        for copy, store in self.copies.items():
            yield copy, _pouring(store, name, sha256)
        for other, expected in self.audit.expected.items():
            if expected.sha256 == sha256 and other != name:
                yield "this copy", _pouring(self.audit.store, other, sha256)
        if name in self.audit.derived:
            yield "other files", lambda out: _write(out, self.audit.derived[name])
        if name.startswith("packs/"):
            yield "parity", lambda out: self._from_parity(sha256_of(name), out)
        if name.startswith("parity/"):
            yield "other files", lambda out: self._again(name, out)

    def _again(self, name: str, out: IO[bytes]) -> None:
        """Sum a parity file once more, if its head is left; raise DamagedObject."""
        for chunk in parity_of(self.audit.store, read_sheet(self.audit.store, name).group):
            out.write(chunk)

    def _from_parity(self, pack: str, out: IO[bytes]) -> None:
        """Write a pack that parity in any copy protects; raise Irreparable."""
        stores = [self.audit.store, *self.copies.values()]
        why = "no parity protects it"
        for store in stores:
            for sheet in sheets(store):
                try:
                    rebuild(sheet, pack, stores, out)
                except NotFound:
                    continue
                except Irreparable as error:
                    why = f"{error.facts['why']}"
                else:
                    return
        raise Irreparable(name=pack, why=why)


def _pouring(store: Store, name: str, sha256: str) -> Callable[[IO[bytes]], None]:
    def write(out: IO[bytes]) -> None:
        for chunk in pour(store, name, sha256, lambda _length: None):
            out.write(chunk)

    return write


def _write(out: IO[bytes], data: bytes) -> None:
    out.write(data)


def _verified(file: IO[bytes], sha256: str) -> Buffer:
    """Return a file's bytes, mapped and not loaded; raise DamagedObject for another digest."""
    file.flush()
    if not file.seek(0, 2):
        data: Buffer = b""
    else:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DamagedObject(name="what a copy gave", found=found, expected=sha256)
    return data


def _swap(store: Store, name: str, data: Buffer) -> None:
    """Give *name* these bytes in one step; a name that is free is only taken if it still is."""
    try:
        store.size(name)
    except NotFound:
        with suppress(Exists):
            store.put(name, data)
    else:
        store.replace(name, data)
