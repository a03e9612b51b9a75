"""Writing a model as an artefact of CNCF ModelPack in an OCI image layout, one layer a file.

Layers are raw, neither packed nor compressed, so a layer's digest is its file's. Media types
and annotations: the ModelPack model specification, v1 (`vnd.cncf.model.*`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from otium.errors import BadInput
from otium.exchange.oci import FILEPATH, INDEX, MANIFEST, REFERENCE, TITLE, read
from otium.exchange.records import Origin
from otium.exchange.tree import Entry, Tally, digests_of, fresh, model_files, place
from otium.records import Digest, Instant, Json, Progress, canonical, digest, hexadecimal, silent

ARTEFACT = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
CREATED = "org.opencontainers.image.created"
_METADATA = "org.cncf.model.file.metadata+json"
_UNTESTED = "org.cncf.model.file.mediatype.untested"
_REFERENCE = re.compile(r"[A-Za-z0-9]+(([-._:@/+]|--)[A-Za-z0-9]+)*")
_KINDS = {
    "weight": {"safetensors", "gguf", "bin", "pt", "pth", "onnx", "ckpt", "h5", "msgpack", "npz"},
    "doc": {"md", "rst", "pdf", "html"},
    "code": {"py", "sh", "ipynb", "js", "c", "cpp", "cu"},
}
_DOCUMENTS = re.compile(r"(?i)(readme|licen[cs]e|notice|copying|citation|changelog)([._-].*)?")
_REGULAR, _MODE = ord("0"), 0o644


def export_oci(
    files: Path,
    into: Path,
    *,
    name: str,
    created: Instant,
    annotations: Mapping[str, str] | None = None,
    link: bool = False,
    progress: Progress = silent,
) -> Origin:
    """Write *files* as an OCI image layout whose index names one ModelPack artefact *name*.

    The same input gives the same bytes: *created* is the only time in it. *annotations* join
    the manifest's. With *link*, the files gain a name where the file system can, and must not
    change after. Raises BadInput, RestoreTargetNotEmpty, or as an import does.
    """
    if not _REFERENCE.fullmatch(name):
        raise BadInput(what=f"name {name!r}", why="it is not a reference of the OCI image layout")
    entries = model_files(files)
    tally = Tally(progress, "exporting", sum(entry.size for entry in entries))
    with fresh(into) as work:
        layers = [_layer(entry, work, created, tally, link=link) for entry in entries]
        config = _add(work, CONFIG, _config(name, created, entries, layers))
        manifest = _add(work, MANIFEST, _manifest(name, created, config, layers, annotations or {}))
        named = {**manifest, "artifactType": ARTEFACT, "annotations": {REFERENCE: name}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]}
        (work / "index.json").write_bytes(canonical(index))
        (work / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        return _read_back(work)


def media_type(path: str) -> str:
    """Return the media type of a raw layer that holds the file *path*, told by its name."""
    name = PurePosixPath(path).name
    suffix = name.rpartition(".")[2].lower()
    kind = next((kind for kind, suffixes in _KINDS.items() if suffix in suffixes), "weight.config")
    if kind not in {"weight", "code"} and _DOCUMENTS.fullmatch(name):
        kind = "doc"
    return f"application/vnd.cncf.model.{kind}.v1.raw"


def _layer(
    entry: Entry, work: Path, created: Instant, tally: Tally, *, link: bool
) -> dict[str, Json]:
    sha256 = digests_of(entry, ["sha256"])["sha256"]
    place(entry, _blob(work, Digest(f"sha256:{sha256}")), link=link)
    tally.add(entry.size)
    metadata: dict[str, Json] = {
        "name": PurePosixPath(entry.path).name,
        "mode": _MODE,
        "uid": 0,
        "gid": 0,
        "size": entry.size,
        "mtime": created,
        "typeflag": _REGULAR,
    }
    said: dict[str, Json] = {
        FILEPATH: entry.path,
        TITLE: entry.path,
        _METADATA: canonical(metadata).decode(),
        _UNTESTED: "true",
    }
    return {
        "mediaType": media_type(entry.path),
        "digest": f"sha256:{sha256}",
        "size": entry.size,
        "annotations": said,
    }


def _config(
    name: str, created: Instant, entries: Sequence[Entry], layers: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    suffixes = {PurePosixPath(entry.path).suffix.lower() for entry in entries}
    formats = sorted(suffix[1:] for suffix in suffixes & {".safetensors", ".gguf"})
    return {
        "descriptor": {"name": name, "createdAt": created},
        "config": {"format": formats[0]} if len(formats) == 1 else {},
        "modelfs": {"type": "layers", "diffIds": [layer["digest"] for layer in layers]},
    }


def _manifest(
    name: str,
    created: Instant,
    config: Mapping[str, Json],
    layers: Sequence[Mapping[str, Json]],
    annotations: Mapping[str, str],
) -> dict[str, Json]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ARTEFACT,
        "config": config,
        "layers": layers,
        "annotations": {CREATED: created, TITLE: name, **annotations},
    }


def _add(work: Path, kind: str, document: Mapping[str, Json]) -> dict[str, Json]:
    """Write a document as a blob and return its descriptor."""
    data = canonical(document)
    blob = _blob(work, digest(data))
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def _blob(work: Path, value: Digest) -> Path:
    return work / "blobs" / "sha256" / hexadecimal(value)


def _read_back(work: Path) -> Origin:
    scratch = work / ".read-back"
    scratch.mkdir()
    try:
        return read(work, scratch, name=None, progress=silent).origin
    finally:
        shutil.rmtree(scratch)
