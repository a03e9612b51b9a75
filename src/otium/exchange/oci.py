"""OCI image layouts: an index, manifests and blobs, each under its digest.

Reads artefacts of ModelPack, KitOps, ORAS, Docker's model runner and plain tar images: each
layer is one named file, or a tar of files. (OCI image-spec 1.1, `image-layout.md`.)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from otium.errors import SeveralModels
from otium.exchange.layers import Budget, Layer, Packing, is_tar, untar
from otium.exchange.records import Origin, OriginFile, Unpacked
from otium.exchange.tree import MOST_FILES, Entry, Folder, Tally, link_or_copy
from otium.formats import check_path, check_paths
from otium.records import Progress, digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REFERENCE = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
FILEPATH = "org.cncf.model.filepath"
LARGEST_DOCUMENT = 4 << 20
"""Bytes of an index, a manifest or a config."""
MOST_MANIFESTS, DEEPEST = 1000, 3
_NAMES = (FILEPATH, "org.cnai.model.filepath", TITLE)
_INDEXES = {INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
_MANIFESTS = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}
_KIT = "application/vnd.kitops.modelkit.config."
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_STATES_UNPACKED = re.compile(
    r"application/vnd\.((cncf|cnai)\.model\.config|oci\.image\.config|docker\.container\.image)\."
)


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    """A JSON object of the specification; fields that are not read here are passed over."""


class Descriptor(_Document, frozen=True):
    """What is said of a blob: what it is, its digest, its size in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None


class _Index(_Document, frozen=True):
    manifests: list[Descriptor]
    schema_version: int = 2
    media_type: str | None = None


class _Manifest(_Document, frozen=True):
    config: Descriptor
    layers: list[Descriptor]
    schema_version: int = 2
    media_type: str | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None


class _Version(_Document, frozen=True):
    image_layout_version: str


class _Unpacked(_Document, frozen=True):
    """What a config states of the unpacked layers: two spellings, an old and a new one."""

    diff_ids: list[str] | None = None
    underscored: list[str] | None = msgspec.field(name="diff_ids", default=None)


class _Config(_Document, frozen=True):
    modelfs: _Unpacked | None = None
    rootfs: _Unpacked | None = None


class _LayerInfo(_Document, frozen=True):
    digest: str
    diff_id: str


class _Section(_Document, frozen=True):
    layer_info: _LayerInfo | None = None
    parts: list[_Section] | None = None


class _Kit(_Document, frozen=True):
    """The sections of a Kitfile, each of which may say which layer holds it."""

    model: _Section | None = None
    code: list[_Section] | None = None
    datasets: list[_Section] | None = None
    docs: list[_Section] | None = None
    prompts: list[_Section] | None = None

    def infos(self) -> list[_LayerInfo]:
        """Return what the sections say of their layers."""
        model = [self.model, *(self.model.parts or ())] if self.model else []
        lists = (self.code, self.datasets, self.docs, self.prompts)
        sections = [*model, *(one for found in lists for one in found or ())]
        return [one.layer_info for one in sections if one and one.layer_info]


T = TypeVar("T", bound=_Document)


def is_layout(path: Path) -> bool:
    """Whether *path* holds the marker of an OCI image layout."""
    return (path / "oci-layout").is_file()


def read(path: Path, scratch: Path, *, name: str | None, progress: Progress) -> Unpacked:
    """Check an OCI layout from its index to each byte of its layers, and unpack it.

    *name* is a reference of the index or a manifest's digest; it may be None if the index
    has one manifest. Raises BadLayout, SeveralModels, or as `check_path` does.
    """
    return _Reading(Folder(path.resolve(), "oci")).unpack(scratch, name, progress)


@dataclass
class _Reading:
    folder: Folder
    found: dict[str, tuple[Descriptor, list[str]]] = field(default_factory=dict)
    """Each manifest by its digest, with the references that name it."""

    def unpack(self, scratch: Path, name: str | None, progress: Progress) -> Unpacked:
        """Choose a manifest, check and unpack its layers below *scratch*."""
        index = self._index()
        chosen, names = self._choose(name)
        data = self._blob(chosen)
        manifest = self._document(_Manifest, data, "the manifest")
        self._check_type(manifest, chosen)
        config = self._blob(manifest.config)
        total = sum(layer.size for layer in manifest.layers)
        tally = Tally(progress, "unpacking", total)
        opened = _Opening(self.folder, scratch, Budget.of(total), tally)
        for layer in manifest.layers:
            opened.open(layer, self._place(layer))
        self._compare(manifest, config, opened.plain)
        self._compare_kit(manifest, config, opened.plain)
        check_paths(file.path for file in opened.files)
        digests = {"index.json": digest(index), "manifest": chosen.digest}
        origin = Origin(
            layout="oci",
            names=tuple(names),
            revision=chosen.digest,
            digests={**digests, "config": manifest.config.digest},
            metadata=_metadata(self.folder, manifest, config),
            files=tuple(sorted(opened.files, key=lambda file: file.path)),
        )
        return Unpacked(scratch, origin)

    def _index(self) -> bytes:
        root = self.folder.root
        marker = self.folder.read(root / "oci-layout", LARGEST_DOCUMENT)
        version = self._document(_Version, marker, "oci-layout").image_layout_version
        if not version.startswith("1."):
            raise self.folder.bad(f"its version is {version!r}, and only 1.x is known")
        data = self.folder.read(root / "index.json", LARGEST_DOCUMENT)
        self._collect(self._document(_Index, data, "index.json"), 0)
        return data

    def _collect(self, index: _Index, depth: int) -> None:
        for one in index.manifests:
            if one.media_type in _INDEXES and depth < DEEPEST:
                self._collect(self._document(_Index, self._blob(one), "an index"), depth + 1)
            elif one.media_type in _MANIFESTS:
                reference = (one.annotations or {}).get(REFERENCE)
                known = self.found.setdefault(one.digest, (one, []))
                known[1].extend([reference] if reference else [])
            if len(self.found) > MOST_MANIFESTS:
                raise self.folder.bad(f"it holds more than {MOST_MANIFESTS} manifests")

    def _choose(self, name: str | None) -> tuple[Descriptor, list[str]]:
        fitting = [
            (one, names)
            for one, names in self.found.values()
            if name is None or name == one.digest or name in names
        ]
        if not fitting:
            raise self.folder.bad(f"it names no manifest {name}" if name else "it is empty")
        if len(fitting) > 1:
            names = ", ".join(" ".join(names) or one.digest for one, names in fitting)
            raise SeveralModels(path=self.folder.root, what="manifest", names=names)
        return fitting[0]

    def _check_type(self, manifest: _Manifest, chosen: Descriptor) -> None:
        if manifest.media_type not in {None, chosen.media_type}:
            raise self.folder.bad(f"its manifest calls itself {manifest.media_type}")
        if not manifest.layers:
            raise self.folder.bad("its manifest has no layers")

    def _place(self, descriptor: Descriptor) -> Path:
        if not _DIGEST.fullmatch(descriptor.digest) or descriptor.size < 0:
            raise self.folder.bad(f"{descriptor.digest!r} is not a digest")
        algorithm, _, hexadecimal = descriptor.digest.partition(":")
        blobs = self.folder.root / "blobs" / algorithm
        if blobs.resolve() != blobs:
            raise self.folder.bad("its folder of blobs is a link")
        return blobs / hexadecimal

    def _blob(self, descriptor: Descriptor) -> bytes:
        """Return a small blob whose size and digest are as they are stated."""
        place = self._place(descriptor)
        if descriptor.size > LARGEST_DOCUMENT:
            raise self.folder.bad(f"{descriptor.digest} is longer than {LARGEST_DOCUMENT} bytes")
        data = self.folder.read(place, descriptor.size)
        algorithm, _, hexadecimal = descriptor.digest.partition(":")
        found = hashlib.new(algorithm, data).hexdigest()
        if found != hexadecimal or len(data) != descriptor.size:
            raise self.folder.bad(f"the blob {descriptor.digest} is {algorithm}:{found}")
        return data

    def _document(self, kind: type[T], data: bytes, name: str) -> T:
        try:
            found = msgspec.json.decode(data, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self.folder.bad(f"{name} cannot be read: {error}") from error
        if getattr(found, "schema_version", 2) != 2:  # noqa: PLR2004 -- the only one there is
            raise self.folder.bad(f"{name} is not of schema version 2")
        return found

    def _compare(self, manifest: _Manifest, config: bytes, plain: Sequence[str]) -> None:
        """Compare the digests of the unpacked layers with those that the config states."""
        if not _STATES_UNPACKED.match(manifest.config.media_type):
            return
        said = self._document(_Config, config, "the config")
        layers = said.modelfs or said.rootfs
        stated = layers and (layers.diff_ids or layers.underscored)
        if stated and list(stated) != list(plain):
            raise self.folder.bad("its config states other unpacked layers than there are")

    def _compare_kit(self, manifest: _Manifest, config: bytes, plain: Sequence[str]) -> None:
        """Compare what a KitOps config says of single layers."""
        if not manifest.config.media_type.startswith(_KIT):
            return
        true = set(zip((layer.digest for layer in manifest.layers), plain, strict=True))
        stated = self._document(_Kit, config, "the config")
        for info in stated.infos():
            if (info.digest, info.diff_id) not in true:
                raise self.folder.bad(f"its config states a layer {info.digest} that is not there")


@dataclass
class _Opening:
    """Layers on their way into a fresh folder."""

    folder: Folder
    into: Path
    budget: Budget
    tally: Tally
    files: list[OriginFile] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    """The digest of each layer when unpacked."""

    def open(self, descriptor: Descriptor, blob: Path) -> None:
        """Check one layer and put its files below `into`."""
        packing = Packing.of(descriptor.media_type)
        if packing.tar and not self._is_mislabelled(descriptor, blob, packing):
            self._unpack(descriptor, blob, packing)
        else:
            self._link(descriptor, blob)

    def _is_mislabelled(self, descriptor: Descriptor, blob: Path, packing: Packing) -> bool:
        """Whether a named file was only called a tar, as ORAS does where nobody says a type."""
        if packing.compression or TITLE not in (descriptor.annotations or {}):
            return False
        with self.folder.open(blob, descriptor.size) as file:
            return not is_tar(file)

    def _link(self, descriptor: Descriptor, blob: Path) -> None:
        said = descriptor.annotations or {}
        path = next((said[key] for key in _NAMES if said.get(key)), None)
        if path is None:
            raise self.folder.bad(f"the layer {descriptor.digest} has no file name")
        check_path(path)
        entry = Entry(path, blob, descriptor.size)
        (file,) = self.folder.verify([entry], {path: [descriptor.digest]}, self.tally)
        self._add([file], descriptor)
        try:
            link_or_copy(blob, self.into / path)
        except (FileExistsError, NotADirectoryError) as error:
            raise self.folder.bad(f"{path} is there twice") from error
        self.plain.append(file.sha256 or "")

    def _unpack(self, descriptor: Descriptor, blob: Path, packing: Packing) -> None:
        algorithm, _, hexadecimal = descriptor.digest.partition(":")
        with self.folder.open(blob, descriptor.size) as file:
            layer = Layer(
                folder=self.folder,
                file=file,
                name=descriptor.digest,
                compression=packing.compression,
                budget=self.budget,
                tally=self.tally,
                algorithm=algorithm,
            )
            self._add(untar(layer, self.into), descriptor)
        if layer.packed.hexdigest() != hexadecimal:
            raise layer.bad(f"it is {algorithm}:{layer.packed.hexdigest()}")
        self.plain.append("sha256:" + layer.plain.hexdigest())

    def _add(self, files: Sequence[OriginFile], descriptor: Descriptor) -> None:
        self.files += files
        if len(self.files) > MOST_FILES:
            raise self.folder.bad(f"it holds more than {MOST_FILES} files: {descriptor.digest}")


def _metadata(folder: Folder, manifest: _Manifest, config: bytes) -> Mapping[str, str]:
    """Return what the manifest and the config say, as text."""
    said = dict(manifest.annotations or {})
    said |= {"artifactType": manifest.artifact_type} if manifest.artifact_type else {}
    try:
        return said | {manifest.config.media_type: config.decode()}
    except UnicodeDecodeError as error:
        raise folder.bad("its config is not UTF-8") from error
