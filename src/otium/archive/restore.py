"""Getting files out: whole into a fresh directory, or just the bytes that are asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from otium.archive.packs import Pieces, load_recipe, recipe_name
from otium.archive.records import File, Manifest, Recipe
from otium.errors import BadDeposit, BadInput, DamagedObject, NotFound, RestoreTargetNotEmpty
from otium.formats import check_path
from otium.parallel import in_order
from otium.records import Progress
from otium.store import Buffer, Store


def recipe_of(store: Store, file: File) -> Recipe:
    """Return a file's recipe; raise DamagedObject if it does not make that file."""
    recipe = load_recipe(store, file.recipe)
    size = sum(recipe.pieces[number].size for number in recipe.order)
    if (recipe.sha256, recipe.size, size) != (file.sha256, file.size, file.size):
        name = recipe_name(file.recipe)
        raise DamagedObject(name=name, found=f"{size} bytes", expected=f"{file.size} bytes")
    return recipe


def read_file(store: Store, file: File) -> Iterator[Buffer]:
    """Yield the bytes of a file, each piece verified; raise DamagedObject before any that is not.

    The pieces that stand in the recipe, whose digest the manifest has, make the file that was
    deposited: both digests were taken from the same bytes in one pass.
    """
    recipe = recipe_of(store, file)
    pieces = Pieces(store, recipe)
    yield from in_order(pieces.read, recipe.order, lambda number: recipe.pieces[number].size)


class OpenFile:
    """One deposited file, read where it is asked for and no further.

    A range costs one read of the store for each piece it touches and each piece that is coded
    against; neighbours in a pack are read together.
    """

    def __init__(self, store: Store, file: File) -> None:
        """Read the recipe; raise DamagedObject."""
        self.file = file
        self.recipe = recipe_of(store, file)
        sizes = (self.recipe.pieces[number].size for number in self.recipe.order)
        self.ends = list(accumulate(sizes))
        self.pieces = Pieces(store, self.recipe)

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; raise BadInput past the end, DamagedObject."""
        if offset < 0 or length < 0 or offset + length > self.file.size:
            raise BadInput(what=f"{self.file.path} bytes {offset}+{length}", why="past the end")
        if not length:
            return b""
        first = bisect_right(self.ends, offset)
        last = bisect_right(self.ends, offset + length - 1)
        numbers = self.recipe.order[first : last + 1]
        self.pieces.fetch(numbers)
        data = b"".join(self.pieces.read(number) for number in numbers)
        begin = offset - (self.ends[first - 1] if first else 0)
        return data[begin : begin + length]

    def tensor(self, name: str) -> bytes:
        """Return a tensor's bytes; raise NotFound if the file has none of that name."""
        for tensor in self.file.tensors:
            if tensor.name == name:
                return self.read(tensor.offset, tensor.length)
        raise NotFound(what=f"the tensor {name} of {self.file.path}")


def restore(store: Store, manifest: Manifest, into: Path, progress: Progress) -> None:
    """Write the files of *manifest* into a fresh directory, or leave nothing.

    They are written beside *into* and take its name when all are there and right.
    """
    if into.is_symlink() or (into.exists() and not (into.is_dir() and not any(into.iterdir()))):
        raise RestoreTargetNotEmpty(path=into)
    into.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{into.name}.", suffix=".partial", dir=into.parent))
    try:
        _write_files(store, manifest, beside, progress)
        beside.chmod(0o755)
        try:
            beside.rename(into)
        except OSError as error:
            raise RestoreTargetNotEmpty(path=into) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_files(store: Store, manifest: Manifest, root: Path, progress: Progress) -> None:
    total, done = sum(file.size for file in manifest.files), 0
    for file in manifest.files:
        with _fresh_file(root, file.path) as out:
            for data in read_file(store, file):
                out.write(data)
                done += len(data)
                progress("restoring", done, total)
            out.flush()
            os.fsync(out.fileno())


def _fresh_file(root: Path, path: str) -> BinaryIO:
    """Create a file below *root*; raise DamagedObject for a path that no deposit can have had."""
    try:
        check_path(path)
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(place, flags, 0o644), "wb")
    except (BadDeposit, FileExistsError, NotADirectoryError) as error:
        raise DamagedObject(
            name="manifest.json", found=f"the path {path!r}", expected="a fresh and safe one"
        ) from error
