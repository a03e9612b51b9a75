"""What an archive holds, what it saves, and how much hangs on each pack."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from otium.archive import (
    DEACCESSION,
    Archive,
    File,
    Piece,
    Recipe,
    load_recipe,
    pack_name,
    parts_lost,
)
from otium.errors import BadInput
from otium.records import ModelId, Part, Record

_SHA256 = re.compile("[0-9a-f]{64}")


class CodecUse(Part):
    """What one codec does in an archive; each piece counts once."""

    codec: str
    pieces: int
    bytes: int
    """Decoded."""
    stored: int


class PackUse(Part):
    """How much hangs on a pack: its blast radius."""

    name: str
    bytes: int
    models: tuple[ModelId, ...]
    """That cannot be restored without it, those coded against its pieces among them."""


class Stats(Record, tag="otium.stats/1"):
    """What an archive holds."""

    models: int
    """Whose weights are kept."""
    files: int
    bytes: int
    """Of all deposited files."""
    stored: int
    """Of all packs."""
    ratio: float
    """Stored over deposited bytes; 0 if nothing was deposited."""
    codecs: tuple[CodecUse, ...]
    depths: tuple[int, ...]
    """How many pieces need 0, 1, 2, … others to be decoded before them."""
    packs: tuple[PackUse, ...]
    """Those on which most models rest, the most first."""
    fan_in: tuple[int, ...]
    """On how many packs 1, 2, 3, … models rest."""
    indexes: int
    orphans: tuple[str, ...]
    """Packs from which no recipe takes a piece."""
    parity: int
    """Bytes."""


class LostFile(Part):
    """What of a file could not be restored."""

    model: ModelId
    path: str
    parts: tuple[str, ...]
    """``path: tensor``, ``path`` for what is no tensor."""


class WhatIf(Record, tag="otium.what-if/1"):
    """What would be lost with a pack."""

    pack: str
    """The stored name."""
    models: tuple[ModelId, ...]
    files: tuple[LostFile, ...]


@dataclass(frozen=True)
class Kept:
    """One deposited file of a model, and its recipe."""

    model: ModelId
    file: File
    recipe: Recipe


def kept(archive: Archive) -> Iterator[Kept]:
    """Yield each file of each model that is not deaccessioned; raise DamagedObject."""
    for model in archive.models():
        records = archive.records(model)
        if "manifest.json" not in records or DEACCESSION in records:
            continue
        for file in archive.manifest(model).files:
            yield Kept(model, file, load_recipe(archive.store, file.recipe))


def resting(archive: Archive) -> dict[str, set[ModelId]]:
    """Return which models rest on each pack, by the packs' stored names; raise DamagedObject.

    A recipe holds what its pieces are coded against, so it names all that its file rests on.
    """
    found: dict[str, set[ModelId]] = {}
    for one in kept(archive):
        for piece in one.recipe.pieces:
            found.setdefault(pack_name(piece.pack), set()).add(one.model)
    return found


def stats(archive: Archive, *, top: int = 10) -> Stats:
    """Count what *archive* holds and name the *top* packs by models; raise DamagedObject."""
    tally = _Tally()
    for one in kept(archive):
        tally.take(one)
    store = archive.store
    packs = {name: store.size(name) for name in store.list("packs/")}
    uses = [
        PackUse(name=name, bytes=packs.get(name, 0), models=tuple(sorted(models)))
        for name, models in tally.models.items()
    ]
    uses.sort(key=lambda use: (-len(use.models), -use.bytes, use.name))
    fans, stored = Counter(len(use.models) for use in uses), sum(packs.values())
    return Stats(
        models=len(tally.names),
        files=tally.files,
        bytes=tally.bytes,
        stored=stored,
        ratio=round(stored / tally.bytes, 6) if tally.bytes else 0.0,
        codecs=tally.codecs(),
        depths=_row(tally.depths, 0),
        packs=tuple(uses[:top]),
        fan_in=_row(fans, 1),
        indexes=sum(1 for _ in store.list("indexes/")),
        orphans=tuple(sorted(packs.keys() - tally.models.keys())),
        parity=sum(store.size(name) for name in store.list("parity/")),
    )


class _Tally:
    """What was counted so far; a piece that several files share counts once."""

    def __init__(self) -> None:
        self.names: set[ModelId] = set()
        self.models: dict[str, set[ModelId]] = {}
        self.pieces: dict[str, Piece] = {}
        self.depths: Counter[int] = Counter()
        self.files = self.bytes = 0

    def take(self, one: Kept) -> None:
        """Count one file."""
        self.names.add(one.model)
        self.files += 1
        self.bytes += one.file.size
        depths: dict[int, int] = {}
        for number, piece in enumerate(one.recipe.pieces):
            self.models.setdefault(pack_name(piece.pack), set()).add(one.model)
            if piece.sha256 not in self.pieces:
                self.pieces[piece.sha256] = piece
                self.depths[_depth(one.recipe, number, depths)] += 1

    def codecs(self) -> tuple[CodecUse, ...]:
        """Return the use of each codec, the one with most bytes first."""
        found: dict[str, list[Piece]] = {}
        for piece in self.pieces.values():
            found.setdefault(piece.codec, []).append(piece)
        uses = [
            CodecUse(
                codec=codec,
                pieces=len(pieces),
                bytes=sum(piece.size for piece in pieces),
                stored=sum(piece.stored for piece in pieces),
            )
            for codec, pieces in found.items()
        ]
        return tuple(sorted(uses, key=lambda use: (-use.bytes, use.codec)))


def _depth(recipe: Recipe, number: int, known: dict[int, int]) -> int:
    if number not in known:
        bases = recipe.pieces[number].bases
        known[number] = max((1 + _depth(recipe, base, known) for base in bases), default=0)
    return known[number]


def _row(counts: Counter[int], first: int) -> tuple[int, ...]:
    return tuple(counts[n] for n in range(first, max(counts, default=first - 1) + 1))


def what_if(archive: Archive, pack: str) -> WhatIf:
    """Return what would be lost if *pack* (a stored name or its SHA-256) vanished.

    What is coded against its pieces is lost with them. Raises NotFound for a pack that the
    archive neither holds nor needs, DamagedObject.
    """
    name = stored_name(pack)
    files = []
    needed = False
    for one in kept(archive):
        bad = {n for n, p in enumerate(one.recipe.pieces) if pack_name(p.pack) == name}
        if bad:
            needed = True
            parts = tuple(parts_lost(one.file, one.recipe, bad))
            files.append(LostFile(model=one.model, path=one.file.path, parts=parts))
    if not needed:
        archive.store.size(name)
    models = tuple(sorted({file.model for file in files}))
    return WhatIf(pack=name, models=models, files=tuple(files))


def stored_name(pack: str) -> str:
    """Return the stored name of a pack that was named so or by its SHA-256; raise BadInput."""
    sha256 = sha256_of(pack)
    if not _SHA256.fullmatch(sha256):
        raise BadInput(what=f"the pack {pack!r}", why="name it by its 64 hexadecimal digits")
    return pack_name(sha256)


def sha256_of(name: str) -> str:
    """Return the SHA-256 in the name of a file that is named by its content."""
    return name.rpartition("/")[2].partition(".")[0]
