"""Packs and recipes: bytes kept once, and how to put files together from them.

A pack is pieces one after the other, nothing else. A recipe names the pieces of one file.
Both are named by the SHA-256 of their bytes and never change.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from otium.archive.deposit import CHUNK, Slice, Survey, check_path
from otium.archive.records import File, Manifest, Piece, Recipe
from otium.errors import (
    BadDeposit,
    BadInput,
    BadRecord,
    DamagedObject,
    NotFound,
    RestoreTargetNotEmpty,
)
from otium.records import Progress, digest, hexadecimal
from otium.store import Span, Store, content_name

LARGEST_PACK = 1 << 30
"""Bytes."""


def pack_name(sha256: str) -> str:
    """Return the stored name of a pack."""
    return content_name("packs", sha256, ".pack")


def recipe_name(sha256: str) -> str:
    """Return the stored name of a recipe."""
    return content_name("recipes", sha256, ".json")


def load_recipe(store: Store, sha256: str) -> Recipe:
    """Return a recipe, verified; raise DamagedObject."""
    name = recipe_name(sha256)
    try:
        data = store.get(name)
        found = hexadecimal(digest(data))
        if found != sha256:
            raise DamagedObject(name=name, found=found, expected=sha256)
        return Recipe.decode(data)
    except (NotFound, BadRecord) as error:
        raise DamagedObject(name=name, found=str(error), expected="a recipe") from error


class Shelf:
    """The packs of an archive, and the index of the pieces in them."""

    def __init__(self, store: Store, manifests: Callable[[], Iterable[Manifest]]) -> None:
        """Use the packs in *store*, and index the pieces of what *manifests* returns.

        What no manifest names is not in the index, so that a deposit that was cut short makes
        the same packs and recipes when it is made again: they are found by their names.
        """
        self.store = store
        self.manifests = manifests
        self._index: dict[str, Piece] | None = None

    @property
    def index(self) -> dict[str, Piece]:
        """Return each piece by its SHA-256, rebuilt from manifests and recipes if need be."""
        if self._index is None:
            self._index = dict(self._read_index())
        return self._index

    def forget(self) -> None:
        """Forget the index."""
        self._index = None

    def _read_index(self) -> Iterator[tuple[str, Piece]]:
        packs = {name: self.store.size(name) for name in self.store.list("packs/")}
        for file in chain.from_iterable(manifest.files for manifest in self.manifests()):
            try:
                recipe = load_recipe(self.store, file.recipe)
            except DamagedObject:
                continue  # check() names it; new deposits must not rest on it
            for piece in recipe.pieces:
                if packs.get(pack_name(piece.pack), 0) >= piece.offset + piece.length:
                    yield piece.sha256, piece

    def missing(self, surveys: Iterable[Survey]) -> Iterator[list[Slice]]:
        """Yield the slices that are not in the archive, in the packs they will form.

        Each weights file begins a pack, so that a later deposit that differs only in small
        files makes the same packs again. Small files share the last ones.
        """
        known = set(self.index)
        small: list[Slice] = []
        for survey in surveys:
            fresh = []
            for piece in survey.slices:
                if piece.length and piece.sha256 not in known:
                    known.add(piece.sha256)
                    fresh.append(piece)
            if survey.source.is_weights:
                yield from _packs(fresh)
            else:
                small += fresh
        yield from _packs(small)

    def add(self, slices: Sequence[Slice]) -> None:
        """Store one pack and take its pieces into the index."""
        pack = self.store.add("packs", (chunk for one in slices for chunk in one.read()), ".pack")
        offset = 0
        for one in slices:
            self.index[one.sha256] = Piece(
                pack=pack, offset=offset, length=one.length, sha256=one.sha256
            )
            offset += one.length

    def write_recipe(self, survey: Survey) -> str:
        """Store the recipe of one file, whose pieces are all in packs; return its SHA-256."""
        pieces = tuple(self.index[one.sha256] for one in survey.slices if one.length)
        recipe = Recipe(size=survey.source.size, sha256=survey.sha256, pieces=pieces)
        return self.store.add("recipes", [recipe.encode()], ".json")


def read_file(store: Store, file: File) -> Iterator[bytes]:
    """Yield the bytes of a file; raise DamagedObject before the end if any is wrong."""
    recipe = load_recipe(store, file.recipe)
    whole = hashlib.sha256()
    for piece in recipe.pieces:
        for chunk in read_piece(store, piece):
            whole.update(chunk)
            yield chunk
    if whole.hexdigest() != file.sha256:
        raise DamagedObject(
            name=recipe_name(file.recipe), found=whole.hexdigest(), expected=file.sha256
        )


def read_piece(store: Store, piece: Piece) -> Iterator[bytes]:
    """Yield the bytes of a piece; raise DamagedObject before the end if any is wrong."""
    name = pack_name(piece.pack)
    sha = hashlib.sha256()
    end = piece.offset + piece.length
    for offset in range(piece.offset, end, CHUNK):
        try:
            chunk = store.get(name, Span(offset, min(CHUNK, end - offset)))
        except (NotFound, BadInput) as error:
            raise DamagedObject(name=name, found=str(error), expected=piece.sha256) from error
        sha.update(chunk)
        yield chunk
    if sha.hexdigest() != piece.sha256:
        raise DamagedObject(
            name=f"{name} at {piece.offset}", found=sha.hexdigest(), expected=piece.sha256
        )


def holds(store: Store, piece: Piece) -> bool:
    """Tell whether a piece is there and whole."""
    try:
        for _ in read_piece(store, piece):
            pass
    except DamagedObject:
        return False
    return True


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
            for chunk in read_file(store, file):
                out.write(chunk)
                done += len(chunk)
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


def _packs(slices: Iterable[Slice]) -> Iterator[list[Slice]]:
    pack: list[Slice] = []
    room = LARGEST_PACK
    for one in slices:
        if pack and one.length > room:
            yield pack
            pack, room = [], LARGEST_PACK
        pack.append(one)
        room -= one.length
    if pack:
        yield pack
