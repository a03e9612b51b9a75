"""Telling layouts apart by what is in them, and opening each as a plain directory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from otium.errors import NotFound, SeveralModels
from otium.exchange import bagit, huggingface, oci
from otium.exchange.records import Layout, Origin, OriginFile, Unpacked
from otium.exchange.tree import Folder, model_files
from otium.records import Progress, silent

_MARKS: dict[Layout, Callable[[Path], bool]] = {
    "huggingface": huggingface.is_layout,
    "oci": oci.is_layout,
    "bagit": bagit.is_layout,
}
_LONGEST_POINTER = 1024


def recognise(path: Path) -> Layout:
    """Return the layout of *path*, told by its content; `plain` if no other's mark is there.

    Only the mark is looked at; `unpacked` checks the rest. Raises NotFound if nothing is
    there, SeveralModels if the marks of two layouts are.
    """
    if not path.exists():
        raise NotFound(what=path)
    found: list[Layout] = [layout for layout, is_there in _MARKS.items() if is_there(path)]
    if len(found) > 1:
        raise SeveralModels(path=path, what="layout", names=", ".join(found))
    return found[0] if found else "plain"


@contextmanager
def unpacked(
    path: Path,
    scratch: Path,
    *,
    layout: Layout | None = None,
    name: str | None = None,
    revision: str | None = None,
    partial: bool = False,
    progress: Progress = silent,
) -> Iterator[Unpacked]:
    """Check *path* as its *layout* states it and give its files as a plain directory or file.

    Every digest and size that the layout states is verified before anything is given. Files
    stay where they are if they can; else they are linked, copied or unpacked below *scratch*,
    and that is removed in the end. *layout* None means `recognise`. *name* and *revision* say
    which model is meant: a reference or digest of an OCI index; a repository and a commit or
    ref of Hugging Face. *partial* accepts a snapshot that lacks files which it names.

    Raises NotFound; SeveralModels; BadLayout naming what is not as stated; UnsafePath or
    BadDeposit for a path that not every system can hold.
    """
    if not path.exists():
        raise NotFound(what=path)
    chosen = layout or recognise(path)
    scratch.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="unpacked-", dir=scratch))
    try:
        asked = _Asked(name, revision, partial)
        yield _checked(path, _read(chosen, path, work, asked, progress))
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True)
class _Asked:
    """Which model of a layout is meant."""

    name: str | None
    revision: str | None
    partial: bool


def _read(layout: Layout, path: Path, work: Path, asked: _Asked, progress: Progress) -> Unpacked:
    if layout == "oci":
        return oci.read(path, work, name=asked.name or asked.revision, progress=progress)
    if layout == "bagit":
        return bagit.read(path, progress=progress)
    if layout == "huggingface":
        return huggingface.read(
            path,
            work,
            name=asked.name,
            revision=asked.revision,
            partial=asked.partial,
            progress=progress,
        )
    found = model_files(path)
    files = tuple(OriginFile(path=one.path, size=one.size) for one in found)
    return Unpacked(path, Origin(layout="plain", files=files))


def _checked(path: Path, found: Unpacked) -> Unpacked:
    """Raise BadLayout for a file that only says where Git LFS holds the true one."""
    folder = Folder(path, found.origin.layout)
    for file in found.origin.files:
        if file.size <= _LONGEST_POINTER:
            place = found.files / file.path if found.files.is_dir() else found.files
            with place.open("rb") as opened:
                if opened.read(100).startswith(huggingface.LFS_POINTER.encode()):
                    raise folder.bad(f"{file.path} is a pointer of Git LFS, not the file itself")
    return found
