"""Hugging Face: the hub's cache, one repository or snapshot in it, a downloaded folder.

A blob in the cache is named by its digest: SHA-256 for what Git LFS or Xet holds, Git's SHA-1
for the rest. Newer caches also keep the listing of a commit's files; both are checked.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from otium.errors import BadInput, SeveralModels
from otium.exchange.records import Origin, Unpacked
from otium.exchange.tree import (
    Entry,
    Folder,
    Tally,
    digests_of,
    fresh,
    link_or_copy,
    model_files,
    place,
)
from otium.formats import check_path
from otium.records import Progress, canonical, digest, silent

LARGEST_LISTING = 64 << 20
LARGEST_NOTE = 64 << 10
"""Bytes of a ref, or of what a download noted of one file."""
LARGEST_GIT_FILE = 10 << 20
"""Bytes. What is larger, or is a weights file, Hugging Face keeps by SHA-256."""
LFS_POINTER = "version https://git-lfs.github.com/spec/v1"
_LOCAL = PurePosixPath(".cache/huggingface")
_REPOSITORY = re.compile(r"models--(?P<name>[\w.-]+)")
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGESTS = {40: "git-sha1", 64: "sha256"}
_LARGE = re.compile(
    r"\.(7z|arrow|bin|bz2|ckpt|ftz|gguf|gz|h5|joblib|mlmodel|model|msgpack|npy|npz|onnx|ot|parquet"
    r"|pb|pickle|pkl|pt|pth|rar|safetensors|tar|tflite|tgz|wasm|xz|zip|zst)$"
)


class _Listed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a listing says of one file."""

    size: int
    blob_id: str
    lfs_sha256: str | None = None
    lfs_size: int | None = None

    def digest(self) -> str:
        """Return the digest of the file's bytes."""
        return f"sha256:{self.lfs_sha256}" if self.lfs_sha256 else f"git-sha1:{self.blob_id}"


class _Listing(msgspec.Struct, frozen=True):
    """The files of one commit, in `trees/COMMIT.json`."""

    files: dict[str, _Listed]
    format_version: int


class _WeightIndex(msgspec.Struct, frozen=True):
    """Which file holds which tensor."""

    weight_map: dict[str, str]


T = TypeVar("T", bound=msgspec.Struct)


def is_layout(path: Path) -> bool:
    """Whether *path* is a hub cache, a repository or snapshot in one, or a downloaded folder."""
    return (
        bool(_repositories(path)) or _is_repository(path) or _is_snapshot(path) or _is_local(path)
    )


def read(
    path: Path,
    scratch: Path,
    *,
    name: str | None,
    revision: str | None,
    partial: bool,
    progress: Progress,
) -> Unpacked:
    """Check one snapshot, and return it with its links, or gathered below *scratch*.

    *name* is needed where a cache holds several repositories. *revision* is a commit or a ref;
    None means `main`, or the only one. A snapshot that lacks files which it names is refused
    unless *partial*. Raises BadLayout, SeveralModels, or as `check_path` does.
    """
    root = path.resolve()
    folder = Folder(root, "huggingface")
    if _is_snapshot(root):
        found = _Snapshot.at(folder, root)
    elif _is_repository(root):
        found = _Snapshot.at(folder, _choose_snapshot(folder, root, revision))
    elif _repositories(root):
        repository = _choose_repository(folder, name)
        found = _Snapshot.at(folder, _choose_snapshot(folder, repository, revision))
    else:
        found = _Snapshot.local(folder)
    for wanted, is_there in ((name, found.names[:1]), (revision, found.revisions())):
        if wanted and is_there and wanted not in is_there:
            raise folder.bad(f"it is {' '.join(is_there)}, not {wanted}")
    return found.unpack(scratch, progress, partial=partial)


def _is_repository(path: Path) -> bool:
    return (path / "snapshots").is_dir() and ((path / "blobs").is_dir() or (path / "refs").is_dir())


def _is_snapshot(path: Path) -> bool:
    real = path.resolve()
    return real.parent.name == "snapshots" and real.is_dir() and _is_repository(real.parent.parent)


def _is_local(path: Path) -> bool:
    return (path / _LOCAL / "download").is_dir()


def _repositories(path: Path) -> dict[str, Path]:
    """Return the repositories of models in a cache, by their names."""
    if not path.is_dir():
        return {}
    return {
        _repository_name(one): one
        for one in sorted(path.glob("models--*"))
        if _REPOSITORY.fullmatch(one.name) and _is_repository(one) and not one.is_symlink()
    }


def _repository_name(path: Path) -> str:
    found = _REPOSITORY.fullmatch(path.name)
    return found["name"].replace("--", "/") if found else ""


def _choose_repository(folder: Folder, name: str | None) -> Path:
    found = _repositories(folder.root)
    if name is None and len(found) > 1:
        raise SeveralModels(path=folder.root, what="repository", names=", ".join(found))
    chosen = found.get(name) if name else next(iter(found.values()))
    if chosen is None:
        raise folder.bad(f"it holds no {name}, only {', '.join(found)}")
    return chosen


def _choose_snapshot(folder: Folder, repository: Path, revision: str | None) -> Path:
    snapshots = repository / "snapshots"
    check_path(revision or "main")
    there = sorted(one.name for one in snapshots.iterdir() if one.is_dir())
    chosen = _refs(folder, repository).get(revision or "main", revision)
    if chosen is None and len(there) > 1:
        raise SeveralModels(path=folder.root, what="snapshot", names=", ".join(there))
    chosen = chosen or next(iter(there), "none")
    if chosen not in there or (snapshots / chosen).resolve() != snapshots.resolve() / chosen:
        raise folder.bad(f"it holds no snapshot {chosen}")
    return snapshots / chosen


def _refs(folder: Folder, repository: Path) -> dict[str, str]:
    """Return the commit that each ref names."""
    if not (repository / "refs").is_dir():
        return {}
    return {
        path: folder.text(place, LARGEST_NOTE).strip()
        for path, place in folder.walk(repository / "refs")
    }


@dataclass(frozen=True)
class _Snapshot:
    """Files of one commit, and what their layout says of them."""

    folder: Folder
    top: Path
    entries: Sequence[Entry]
    names: tuple[str, ...]
    """The repository, then the refs that lead here; empty if nothing tells."""
    commits: Sequence[str]
    listing: Path
    as_it_is: bool
    """Whether the archive can take the files where they are."""
    stated: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Folder, top: Path) -> _Snapshot:
        """Find the files of a snapshot in a cache."""
        repository = top.resolve().parent.parent
        blobs = repository / "blobs"
        shared = repository.parent / "blobs"
        entries = folder.entries(top, links_into=[blobs, shared])
        stated = {
            entry.path: [_blob_digest(folder, top / entry.path, blobs)]
            for entry in entries
            if (top / entry.path).is_symlink()
        }
        refs = [ref for ref, commit in _refs(folder, repository).items() if commit == top.name]
        names = (_repository_name(repository), *sorted(refs))
        return cls(
            folder=folder,
            top=top,
            entries=entries,
            names=names if names[0] else (),
            commits=[top.name],
            listing=repository / "trees",
            as_it_is=all({blobs, top} & {*one.place.parents} for one in entries),
            stated=stated,
        )

    @classmethod
    def local(cls, folder: Folder) -> _Snapshot:
        """Find the files of a folder to which a repository was downloaded."""
        root = folder.root
        entries = folder.entries(root, links_into=[root], skip=root / _LOCAL)
        stated: dict[str, list[str]] = {}
        commits = set()
        for entry in entries:
            note = root / _LOCAL / "download" / f"{entry.path}.metadata"
            if note.exists():
                commit, named = [*folder.text(note, LARGEST_NOTE).split("\n"), "", ""][:2]
                commits.add(commit.strip())
                stated[entry.path] = [_named_digest(folder, named.strip())]
        return cls(
            folder=folder,
            top=root,
            entries=entries,
            names=(),
            commits=sorted(commits),
            listing=root / _LOCAL / "trees",
            as_it_is=False,
            stated=stated,
        )

    def revisions(self) -> Sequence[str]:
        """Return the commits and refs by which one may name this."""
        return [*self.commits, *self.names[1:]]

    def unpack(self, scratch: Path, progress: Progress, *, partial: bool) -> Unpacked:
        """Check every file; raise BadLayout for one that differs or is missing."""
        if not self.entries:
            raise self.folder.bad("the snapshot holds no files")
        missing = sorted({*self._check_listing(), *self._missing_weights()})
        if missing and not partial:
            few = ", ".join(missing[:3])
            raise self.folder.bad(f"{len(missing)} files that it names are missing: {few}")
        tally = Tally(progress, "verifying", sum(entry.size for entry in self.entries))
        files = self.folder.verify(self.entries, self.stated, tally)
        if not self.as_it_is:
            for entry in self.entries:
                link_or_copy(entry.place, scratch / entry.path)
        origin = Origin(
            layout="huggingface",
            names=self.names,
            revision=self.commits[0] if len(self.commits) == 1 else None,
            metadata={"missing": "\n".join(missing)} if missing else {},
            files=files,
        )
        return Unpacked(self.top if self.as_it_is else scratch, origin)

    def _check_listing(self) -> Iterator[str]:
        """Take up what the listing states of each file; yield what it names and is not here."""
        place = self.listing / f"{self.commits[0]}.json" if len(self.commits) == 1 else None
        if place is None or not place.exists():
            return
        listing = _decoded(self.folder, place, _Listing)
        sizes = {entry.path: entry.size for entry in self.entries}
        for path, listed in listing.files.items():
            if path not in sizes:
                yield path
                continue
            if sizes[path] != listed.size:
                found = f"{sizes[path]} bytes where {listed.size} are stated"
                raise self.folder.bad(f"{path} has {found}")
            self.stated.setdefault(path, []).append(listed.digest())

    def _missing_weights(self) -> Iterator[str]:
        """Yield each shard that a weights index names and that is not here."""
        there = {entry.path: entry for entry in self.entries}
        for path, entry in there.items():
            if re.search(r"\.(safetensors|bin)\.index\.json$", path):
                index = _decoded(self.folder, entry.place, _WeightIndex)
                beside = PurePosixPath(path).parent
                shards = {str(beside / shard) for shard in index.weight_map.values()}
                yield from shards - there.keys()


def _decoded(folder: Folder, place: Path, kind: type[T]) -> T:
    data = folder.read(place, LARGEST_LISTING)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise folder.bad(f"{place.name} cannot be read: {error}") from error


def _blob_digest(folder: Folder, link: Path, blobs: Path) -> str:
    """Return the digest by which the blob is named that a link of a snapshot leads to."""
    blob = Path(os.path.normpath(link.parent / link.readlink()))
    if blob.parent != blobs:
        raise folder.bad(f"{link.name} does not lead to a blob of its repository")
    return _named_digest(folder, blob.name)


def _named_digest(folder: Folder, name: str) -> str:
    if len(name) not in _DIGESTS or not re.fullmatch("[0-9a-f]+", name):
        raise folder.bad(f"{name!r} is not a digest")
    return f"{_DIGESTS[len(name)]}:{name}"


def export_huggingface(
    files: Path,
    into: Path,
    *,
    repository: str,
    revision: str | None = None,
    link: bool = False,
    progress: Progress = silent,
) -> Origin:
    """Write *files* as a cache of the hub that holds one snapshot, to which `main` leads.

    *repository* is `ORGANISATION/NAME` or `NAME`; *revision* a commit of 40 hexadecimal
    digits, made from paths and digests if it is None. The same input gives the same bytes.
    With *link*, the files gain a name where the file system can, and must not change after.
    Raises BadInput, RestoreTargetNotEmpty, or as an import does.
    """
    if not _NAME.fullmatch(repository) or "--" in repository or ".." in repository:
        raise BadInput(what=f"repository {repository!r}", why="write it as ORGANISATION/NAME")
    if revision is not None and not _COMMIT.fullmatch(revision):
        raise BadInput(what=f"revision {revision!r}", why="a commit has 40 hexadecimal digits")
    entries = model_files(files)
    tally = Tally(progress, "exporting", sum(entry.size for entry in entries))
    listed = {entry.path: _listed(entry, tally) for entry in entries}
    commit = revision or _made_commit(listed)
    with fresh(into) as work:
        root = work / f"models--{repository.replace('/', '--')}"
        for entry in entries:
            blob = listed[entry.path].digest().partition(":")[2]
            place(entry, root / "blobs" / blob, link=link)
            _point(root / "snapshots" / commit / entry.path, root / "blobs" / blob)
        listing = _Listing(files=listed, format_version=1)
        _write(root / "trees" / f"{commit}.json", canonical(listing))
        _write(root / "refs" / "main", commit.encode())
        found = read(work, work, name=None, revision=None, partial=False, progress=silent)
    return found.origin


def _listed(entry: Entry, tally: Tally) -> _Listed:
    """Return how Hugging Face would name a file: through a pointer of Git LFS if it is large."""
    large = entry.size > LARGEST_GIT_FILE or _LARGE.search(entry.path) is not None
    found = digests_of(entry, ["sha256", "git-sha1"])
    tally.add(entry.size)
    if not large:
        return _Listed(size=entry.size, blob_id=found["git-sha1"])
    pointer = lfs_pointer(found["sha256"], entry.size)
    git = hashlib.new("sha1", b"blob %d\0%s" % (len(pointer), pointer), usedforsecurity=False)
    return _Listed(
        size=entry.size,
        blob_id=git.hexdigest(),
        lfs_sha256=found["sha256"],
        lfs_size=entry.size,
    )


def lfs_pointer(sha256: str, size: int) -> bytes:
    """Return what Git keeps in place of a file that Git LFS holds."""
    return f"{LFS_POINTER}\noid sha256:{sha256}\nsize {size}\n".encode()


def _made_commit(listed: Mapping[str, _Listed]) -> str:
    """Return a name for these files where they never were a commit of Git."""
    said = {path: one.digest() for path, one in listed.items()}
    return digest(canonical(said)).removeprefix("sha256:")[:40]


def _point(link: Path, blob: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(blob, link.parent))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
