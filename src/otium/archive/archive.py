"""The archive itself: what can be done with it, in the order in which it must be done."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from otium.archive import objects
from otium.archive.check import INFO, INFO_DIGEST, check, info_digest
from otium.archive.deposit import Reading, Survey, describe, sources, weights_digest
from otium.archive.packs import Shelf, restore
from otium.archive.records import (
    ArchiveInfo,
    CheckResult,
    File,
    Manifest,
    Plan,
    PlannedFile,
    Runtime,
)
from otium.errors import (
    BadDeposit,
    BadRecord,
    DamagedObject,
    Exists,
    NotAnArchive,
    NotFound,
    RestoreTargetNotEmpty,
    UnknownModel,
)
from otium.records import Digest, Instant, ModelId, Progress, digest, model_id, silent
from otium.store import Store

NAMASTE = "0=otium_archive_1"
COMPANIONS = {
    "README.txt": "archive-readme.txt",
    "SPEC.md": "archive-spec.md",
    "recover.py": "recover.py",
    "monitor.py": "monitor.py",
}
"""The files that explain and check an archive, and where the package keeps them."""


class Archive:
    """An open archive."""

    def __init__(self, store: Store, info: ArchiveInfo) -> None:
        """Use what ``create`` or ``open`` found."""
        self.store = store
        self.info = info
        self.shelf = Shelf(store)

    @property
    def id(self) -> str:
        """Return the archive's id."""
        return self.info.id

    @property
    def digest(self) -> Digest:
        """Return the digest of ``archive.json``, which the ledger's first entry names."""
        return self.info.digest()

    @classmethod
    def create(
        cls,
        store: Store,
        *,
        archive_id: str,
        created: Instant,
        origin: str,
        keys: Sequence[str],
    ) -> Archive:
        """Lay an archive into an empty store (a ledger may be there); raise Exists."""
        files = {NAMASTE: b"otium_archive_1\n", **objects.ROOT_FILES, **_companions()}
        for name in store.list():
            if name not in {*files, INFO_DIGEST} and not name.startswith("log/"):
                raise Exists(name=name)
        info = ArchiveInfo(
            id=archive_id,
            created=created,
            hashes=("sha256", "blake3"),
            origin=origin,
            keys=tuple(keys),
            files={name: digest(data) for name, data in files.items()},
        )
        # A creation that was cut short is begun again: until archive.json nothing counts.
        for name, data in files.items():
            store.replace(name, data)
        store.replace(INFO_DIGEST, info_digest(info.encode()))
        store.put(INFO, info.encode())
        return cls(store, info)

    @classmethod
    def open(cls, store: Store) -> Archive:
        """Open the archive in *store*; raise NotAnArchive or DamagedObject."""
        try:
            data = store.get(INFO)
        except NotFound as error:
            raise NotAnArchive(path=getattr(store, "root", "this store")) from error
        try:
            return cls(store, ArchiveInfo.decode(data))
        except BadRecord as error:
            raise DamagedObject(name=INFO, found=str(error), expected="an archive's") from error

    def models(self) -> list[ModelId]:
        """Return the models of which anything is kept, in order."""
        return objects.models(self.store)

    def manifest(self, model: ModelId) -> Manifest:
        """Return what was deposited; raise UnknownModel, or UnknownRecord if nothing was."""
        return Manifest.decode(self.record(model, MANIFEST))

    def plan(self, files: Path, *, progress: Progress = silent) -> Plan:
        """Return what a deposit of *files* would store, without storing it."""
        surveys = _survey(files, progress)
        fresh = {
            id(piece): piece.length for pack in self.shelf.missing(surveys) for piece in pack
        }
        planned = tuple(
            PlannedFile(
                path=one.source.path,
                size=one.source.size,
                sha256=one.sha256,
                format=one.format,
                tensors=len(one.tensors),
                new_bytes=sum(fresh.get(id(piece), 0) for piece in one.slices),
            )
            for one in surveys
        )
        size, new = sum(one.size for one in planned), sum(one.new_bytes for one in planned)
        return Plan(
            weights=_weights(surveys),
            files=planned,
            bytes=size,
            new_bytes=new,
            duplicate_bytes=size - new,
        )

    def add(
        self,
        model: ModelId,
        files: Path,
        *,
        deposited: Instant,
        runtime: Mapping[str, str] | None = None,
        sampling: Mapping[str, float] | None = None,
        parents: Sequence[ModelId] = (),
        progress: Progress = silent,
    ) -> Manifest:
        """Deposit a directory or one file, read it back, and return the manifest.

        The same bytes again give the manifest that is there. Raises BadDeposit, or Exists if
        other bytes were deposited for *model*; then nothing has changed. Safe to run again
        after a crash at any moment.
        """
        model_id(model)
        surveys = _survey(files, progress)
        objects.settle(self.store, model)
        if MANIFEST in self._records(model):
            there = self.manifest(model)
            if there.weights != _weights(surveys):
                raise Exists(name=f"a deposit of {model}, with other bytes,")
            return there
        runnable, template = describe(surveys, sampling or {}, runtime or {})
        manifest = Manifest(
            model=model,
            deposited=deposited,
            weights=_weights(surveys),
            files=self._store(surveys, progress),
            runnable=runnable,
            parents=tuple(parents),
        )
        self._read_back(manifest, progress)
        kept = {MANIFEST: manifest.encode()}
        if template is not None:
            kept["chat_template.jinja"] = template
        if runnable.runtime or runnable.sampling:
            record = Runtime(versions=runnable.runtime, sampling=runnable.sampling)
            kept["runtime.json"] = record.encode()
        objects.commit(self.store, model, kept, now=deposited, message="Deposit")
        return self.manifest(model)

    def restore(self, model: ModelId, into: Path, *, progress: Progress = silent) -> Manifest:
        """Write a model's files, byte for byte, into a fresh directory.

        Raises RestoreTargetNotEmpty, or DamagedObject; then *into* is as it was.
        """
        manifest = self.manifest(model)
        restore(self.shelf, manifest, into, progress)
        return manifest

    def check(
        self, model: ModelId | None = None, *, now: Instant, progress: Progress = silent
    ) -> CheckResult:
        """Read everything (or all that one model rests on) and name each damage.

        The ledger under ``log/`` is not read: ``otium.ledger.verify`` does that.
        """
        return check(self.store, self.info, model, now=now, progress=progress)

    def put_record(
        self, model: ModelId, path: str, data: bytes, *, now: Instant, message: str
    ) -> Digest:
        """Keep a record beside the model; return its digest.

        Idempotent for the same bytes; raises Exists for others, BadInput for an unsafe path.
        """
        objects.commit(self.store, model_id(model), {path: data}, now=now, message=message)
        self.record(model, path)
        return digest(data)

    def record(self, model: ModelId, path: str) -> bytes:
        """Return a record, verified; raise UnknownModel, UnknownRecord or DamagedObject."""
        return objects.read(self.store, model, path)

    def records(self, model: ModelId) -> dict[str, Digest]:
        """Return the digest of each record by its path; raise UnknownModel."""
        return objects.records(self.store, model)
