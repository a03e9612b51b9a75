"""The archive itself: what can be done with it, in the order in which it must be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from itertools import chain
from pathlib import Path

from otium.archive import objects
from otium.archive.check import INFO, INFO_DIGEST, check, info_digest
from otium.archive.deposit import Reading, Survey, describe, sources, weights_digest
from otium.archive.packs import Shelf, read_file, restore
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
    BadRecord,
    DamagedObject,
    Exists,
    NotAnArchive,
    NotFound,
    NoWeights,
    UnknownModel,
)
from otium.records import Digest, Instant, ModelId, Progress, digest, model_id, silent
from otium.store import Store

MANIFEST = "manifest.json"
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
        self.shelf = Shelf(store, self._manifests)

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
        """Return what a deposit of *files* would store, without storing it; raise BadDeposit."""
        surveys = _survey(files, progress)
        describe(surveys, {}, {})
        fresh = Counter[str]()
        for piece in chain.from_iterable(self.shelf.missing(surveys)):
            fresh[piece.source.path] += piece.length
        planned = tuple(
            PlannedFile(
                path=one.source.path,
                size=one.source.size,
                sha256=one.sha256,
                format=one.format,
                tensors=len(one.tensors),
                new_bytes=fresh[one.source.path],
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

        The same bytes again give the manifest that is there, after a crash too. Raises
        BadDeposit, or Exists for other bytes; then nothing has changed.
        """
        model_id(model)
        surveys = _survey(files, progress)
        runnable, template = describe(surveys, sampling or {}, runtime or {})
        objects.settle(self.store, model)
        if MANIFEST in objects.digests(self.store, model):
            there = self.manifest(model)
            if there.weights != _weights(surveys):
                raise Exists(name=f"a deposit of {model}, with other bytes,")
            return there
        try:
            manifest = Manifest(
                model=model,
                deposited=deposited,
                weights=_weights(surveys),
                files=self._store(surveys, progress),
                runnable=runnable,
                parents=tuple(parents),
            )
            self._read_back(manifest, progress)
            self._commit(manifest, template)
        except BaseException:
            self.shelf.forget()
            raise
        return self.manifest(model)

    def restore(self, model: ModelId, into: Path, *, progress: Progress = silent) -> Manifest:
        """Write a model's files, byte for byte, into a fresh directory.

        Raises RestoreTargetNotEmpty, or DamagedObject; then *into* is as it was.
        """
        manifest = self.manifest(model)
        restore(self.store, manifest, into, progress)
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
        digests = objects.digests(self.store, model)
        if not digests:
            raise UnknownModel(model=model)
        return digests

    def _manifests(self) -> Iterator[Manifest]:
        """Yield each manifest that can be read; check() names the others."""
        for place in objects.places(self.store):
            with suppress(NotFound, DamagedObject, BadRecord):
                inventory = objects.trusted(self.store, place)
                if inventory is not None:
                    yield self.manifest(ModelId(inventory.id))

    def _store(self, surveys: Sequence[Survey], progress: Progress) -> tuple[File, ...]:
        """Store packs, then recipes."""
        packs = list(self.shelf.missing(surveys))
        total, done = sum(piece.length for piece in chain.from_iterable(packs)), 0
        for pack in packs:
            self.shelf.add(pack)
            done += sum(piece.length for piece in pack)
            progress("storing", done, total)
        return tuple(
            File(
                path=one.source.path,
                size=one.source.size,
                sha256=one.sha256,
                blake3=one.blake3,
                format=one.format,
                recipe=self.shelf.write_recipe(one),
                tensors=one.tensors,
            )
            for one in surveys
        )

    def _read_back(self, manifest: Manifest, progress: Progress) -> None:
        total, done = sum(file.size for file in manifest.files), 0
        for file in manifest.files:
            for chunk in read_file(self.store, file):
                done += len(chunk)
                progress("verifying", done, total)

    def _commit(self, manifest: Manifest, template: bytes | None) -> None:
        """Commit the records that a deposit leaves, as one version."""
        new = {MANIFEST: manifest.encode()}
        if template is not None:
            new["chat_template.jinja"] = template
        versions, sampling = manifest.runnable.runtime, manifest.runnable.sampling
        if versions or sampling:
            new["runtime.json"] = Runtime(versions=versions, sampling=sampling).encode()
        objects.commit(self.store, manifest.model, new, now=manifest.deposited, message="Deposit")


def _companions() -> dict[str, bytes]:
    data = resources.files("otium") / "data"
    return {name: (data / source).read_bytes() for name, source in COMPANIONS.items()}


def _survey(files: Path, progress: Progress) -> list[Survey]:
    found = sources(files)
    total, done = sum(source.size for source in found), 0
    surveys = []
    for source in found:
        surveys.append(Reading(source).survey(progress, done, total))
        done += source.size
    if not any(one.holds_weights for one in surveys):
        raise NoWeights(path=files)
    return surveys


def _weights(surveys: Sequence[Survey]) -> Digest:
    return weights_digest([(one.source.path, one.sha256) for one in surveys])
