"""The archive itself: what can be done with it, in the order in which it must be done."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from otium import objects
from otium.archive.check import INFO, INFO_DIGEST, check, companions, info_digest
from otium.archive.packs import Pieces, Shelf, load_recipe
from otium.archive.records import (
    ArchiveInfo,
    CheckResult,
    File,
    Manifest,
    Plan,
    PlannedFile,
    Runtime,
)
from otium.archive.restore import OpenFile, recipe_of, restore
from otium.archive.survey import Survey, survey, weights_of
from otium.errors import (
    BadRecord,
    DamagedObject,
    Exists,
    NotAnArchive,
    NotFound,
    UnknownModel,
    UnknownRecord,
)
from otium.formats import describe, sources
from otium.parallel import in_order
from otium.records import (
    Digest,
    Instant,
    ModelId,
    Progress,
    digest,
    model_id,
    silent,
)
from otium.store import Store, prove_put_if_absent

if TYPE_CHECKING:  # they load numpy
    from otium.archive.lineage import Lineage

MANIFEST = "manifest.json"
NAMASTE = "0=otium_archive_1"


class Archive:
    """An open archive."""

    def __init__(self, store: Store, info: ArchiveInfo) -> None:
        """Use what ``create`` or ``open`` found."""
        self.store = store
        self.info = info
        self.cache: Path | None = None
        """A file in which sketches are cached, so that relatives are found faster."""
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
        files = {NAMASTE: b"otium_archive_1\n", **objects.ROOT_FILES, **companions()}
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
        prove_put_if_absent(store, INFO, info.encode())
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

    def plan(
        self, files: Path, *, parents: Sequence[ModelId] = (), progress: Progress = silent
    ) -> Plan:
        """Return what a deposit of *files* would store, without storing it; raise BadDeposit."""
        from otium.archive.deposit import missing
        from otium.archive.lineage import Lineage, sketch_of

        near = self._kept(parents) or self._nearest(sketch_of(sources(files)))
        surveys = survey(files, progress, Lineage(self.shelf, near).rows)
        describe(surveys, {}, {})
        fresh = Counter[str]()
        for cut in chain.from_iterable(missing(self.shelf, surveys)):
            fresh[cut.source.path] += cut.length
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
            weights=weights_of(surveys),
            files=planned,
            bytes=size,
            new_bytes=new,
            duplicate_bytes=size - new,
            relatives=tuple(manifest.model for manifest in near),
        )

    def relatives(self, files: Path) -> list[ModelId]:
        """Return the kept models against which a deposit of *files* would be coded."""
        from otium.archive.lineage import sketch_of

        return [manifest.model for manifest in self._nearest(sketch_of(sources(files)))]

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

        New pieces are coded against *parents*, or against the nearest models that are kept.
        The same bytes again give the manifest that is there, after a crash too. Raises
        BadDeposit, or Exists for other bytes; then nothing has changed.
        """
        from otium.archive.lineage import Lineage, sketch_of

        model_id(model)
        drawn = sketch_of(sources(files))
        lineage = Lineage(self.shelf, self._kept(parents) or self._nearest(drawn))
        surveys = survey(files, progress, lineage.rows)
        lineage.note_scales(chain.from_iterable(one.cuts for one in surveys))
        runnable, template = describe(surveys, sampling or {}, runtime or {})
        weights = weights_of(surveys)
        if (there := self._there(model, weights)) is not None:
            return there
        with self._unless_quicker(model, weights):
            manifest = Manifest(
                model=model,
                deposited=deposited,
                weights=weights,
                files=self._store(surveys, lineage, progress),
                runnable=runnable,
                parents=tuple(parents),
                sketch=b64encode(drawn).decode(),
            )
            self._commit(manifest, template, progress)
        return self.manifest(model)

    @contextmanager
    def _unless_quicker(self, model: ModelId, weights: Digest) -> Iterator[None]:
        """Forget what failed; let it pass if another deposited the same weights meanwhile."""
        try:
            yield
        except BaseException as error:
            self.shelf.forget()
            if not isinstance(error, Exists) or self._there(model, weights) is None:
                raise

    def _there(self, model: ModelId, weights: Digest) -> Manifest | None:
        """Return what was deposited for a model; raise Exists if that is something else."""
        objects.settle(self.store, model)
        if MANIFEST not in objects.digests(self.store, model):
            return None
        there = self.manifest(model)
        if there.weights != weights:
            raise Exists(name=f"a deposit of {model}, with other bytes,")
        return there

    def open_file(self, model: ModelId, path: str) -> OpenFile:
        """Return one deposited file, to read parts of it; raise UnknownRecord."""
        for file in self.manifest(model).files:
            if file.path == path:
                return OpenFile(self.store, file)
        raise UnknownRecord(model=model, path=path)

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

    def settle(self, model: ModelId) -> None:
        """Finish what a writer that died left half written in the model's records."""
        objects.settle(self.store, model)

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

    def _manifests(self, known: Container[str] = ()) -> Iterator[tuple[ModelId, Manifest]]:
        """Yield each manifest that can be read, but of *known* models; check() names the others."""
        for place in objects.places(self.store):
            with suppress(NotFound, DamagedObject, BadRecord):
                inventory = objects.trusted(self.store, place)
                if inventory is not None and inventory.id not in known:
                    yield ModelId(inventory.id), self.manifest(ModelId(inventory.id))

    def _kept(self, models: Sequence[ModelId]) -> list[Manifest]:
        """Return the manifests of those models whose weights are kept."""
        found = []
        for model in models:
            with suppress(NotFound):
                found.append(self.manifest(model))
        return found

    def _nearest(self, drawn: bytes) -> list[Manifest]:
        """Return the manifests of the nearest relatives, the nearest first."""
        from otium.archive.lineage import nearest

        return self._kept(nearest(self._sketches, drawn, self.cache))

    def _sketches(self, known: Container[str]) -> Iterator[tuple[ModelId, bytes]]:
        """Yield the sketch of each model that is not *known*."""
        for model, manifest in self._manifests(known):
            yield model, b64decode(manifest.sketch)

    def rebuild(self) -> list[str]:
        """Write anew the indexes that are missing, from the recipes, and drop what is cached.

        Nothing in an archive rests on them: with them deposits find what is there.
        """
        recipes = (
            load_recipe(self.store, file.recipe)
            for _, manifest in self._manifests()
            for file in manifest.files
        )
        written = [
            self.store.add("indexes", [one.encode()], ".json") for one in self.shelf.lost(recipes)
        ]
        self.shelf.forget()
        if self.cache is not None:
            self.cache.unlink(missing_ok=True)
        return written

    def _store(
        self, surveys: Sequence[Survey], lineage: Lineage, progress: Progress
    ) -> tuple[File, ...]:
        """Store packs with their indexes, then recipes."""
        from otium.archive.deposit import Writer, missing

        groups = list(missing(self.shelf, surveys))
        total, done = sum(cut.length for cut in chain.from_iterable(groups)), 0

        def tell(length: int) -> None:
            nonlocal done
            done += length
            progress("storing", done, total)

        for group in groups:
            Writer(self.store, self.shelf, lineage.offers, tell).write(group)
        return tuple(
            File(
                path=one.source.path,
                size=one.source.size,
                sha256=one.sha256,
                blake3=one.blake3,
                format=one.format,
                recipe=self._write_recipe(one),
                tensors=one.tensors,
            )
            for one in surveys
        )

    def _write_recipe(self, survey: Survey) -> str:
        """Store the recipe of one file, whose pieces are all in packs; return its SHA-256."""
        pieces = (cut.sha256 for cut in survey.cuts if cut.length)
        recipe = self.shelf.recipe(pieces, size=survey.source.size, sha256=survey.sha256)
        return self.store.add("recipes", [recipe.encode()], ".json")

    def _read_back(self, manifest: Manifest, progress: Progress) -> None:
        """Read back the recipes, and the pieces that were there already; raise DamagedObject.

        The packs of those that are new were read back when they were stored.
        """
        good, self.shelf.stored = self.shelf.stored, set()
        total, done = sum(file.size for file in manifest.files), 0
        for file in manifest.files:
            recipe = recipe_of(self.store, file)
            old = [n for n in set(recipe.order) if recipe.pieces[n].sha256 not in good]
            for _ in in_order(Pieces(self.store, recipe).read, old):
                pass
            good |= {recipe.pieces[number].sha256 for number in old}
            done += file.size
            progress("verifying", done, total)

    def _commit(self, manifest: Manifest, template: bytes | None, progress: Progress) -> None:
        """Read back, then commit the records that a deposit leaves, as one version."""
        self._read_back(manifest, progress)
        new = {MANIFEST: manifest.encode()}
        if template is not None:
            new["chat_template.jinja"] = template
        versions, sampling = manifest.runnable.runtime, manifest.runnable.sampling
        if versions or sampling:
            new["runtime.json"] = Runtime(versions=versions, sampling=sampling).encode()
        objects.commit(self.store, manifest.model, new, now=manifest.deposited, message="Deposit")
