"""Packs, indexes and recipes: bytes kept once, and how to put files together from them.

A pack is coded pieces one after the other, nothing else. An index names the pieces of one
pack, a recipe those of one file and all that they are coded against. All three are named by
the SHA-256 of their bytes and never change.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

from otium.archive.records import Entry, Index, Piece, Recipe
from otium.errors import BadData, BadInput, BadRecord, DamagedObject, NotFound
from otium.records import digest, hexadecimal
from otium.store import Buffer, Span, Store, content_name

CHUNK = 1 << 20
_RECENT = 48 << 20
DEEPEST = 3
"""How many pieces may have to be decoded before one."""


def pack_name(sha256: str) -> str:
    """Return the stored name of a pack."""
    return content_name("packs", sha256, ".pack")


def index_name(sha256: str) -> str:
    """Return the stored name of an index."""
    return content_name("indexes", sha256, ".json")


def recipe_name(sha256: str) -> str:
    """Return the stored name of a recipe."""
    return content_name("recipes", sha256, ".json")


def load_recipe(store: Store, sha256: str) -> Recipe:
    """Return a recipe, verified and found to fit together; raise DamagedObject."""
    name = recipe_name(sha256)
    try:
        data = store.get(name)
        found = hexadecimal(digest(data))
        if found != sha256:
            raise DamagedObject(name=name, found=found, expected=sha256)
        recipe = Recipe.decode(data)
        if any(not 0 <= number < len(recipe.pieces) for number in recipe.order):
            raise DamagedObject(name=name, found="a piece that is not there", expected="a recipe")
        depths(recipe, name)
    except (NotFound, BadRecord) as error:
        raise DamagedObject(name=name, found=str(error), expected="a recipe") from error
    return recipe


def depths(recipe: Recipe, name: str) -> list[int]:
    """Return how many decodings stand before each piece; raise DamagedObject beyond three."""
    known: dict[int, int] = {}

    def depth(number: int, seen: int) -> int:
        if seen > DEEPEST or not 0 <= number < len(recipe.pieces):
            raise DamagedObject(name=name, found="bases without end", expected="a recipe")
        if number not in known:
            bases = recipe.pieces[number].bases
            known[number] = 1 + max((depth(base, seen + 1) for base in bases), default=-1)
        return known[number]

    return [depth(number, 0) for number in range(len(recipe.pieces))]


@dataclass(frozen=True)
class Place:
    """A piece and the pack that it is in."""

    pack: str
    entry: Entry
    depth: int


class Shelf:
    """The packs of an archive, and what is in them."""

    def __init__(self, store: Store) -> None:
        """Read nothing yet."""
        self.store = store
        self.recent = Recent(_RECENT)
        self._places: dict[str, Place] | None = None
        self.stored: set[str] = set()
        """The pieces that this deposit has stored, and read back."""

    @property
    def places(self) -> dict[str, Place]:
        """Return where each piece is, by its SHA-256, as the indexes in the store say."""
        if self._places is None:
            self._places = {}
            packs = {name: self.store.size(name) for name in self.store.list("packs/")}
            waiting = [
                index
                for index in self._indexes()
                if packs.get(pack_name(index.pack), 0) >= _length(index)
            ]
            while waiting:
                left = [index for index in waiting if not self._take(index)]
                if len(left) == len(waiting):
                    break  # their bases are gone: nothing new may rest on them
                waiting = left
        return self._places

    def find(self, sha256: str) -> Place | None:
        """Return where a piece is, or None if the archive does not have it."""
        return self.places.get(sha256)

    def forget(self) -> None:
        """Read the indexes again when next asked."""
        self._places, self.stored = None, set()

    def learn(self, index: Index) -> None:
        """Take a new index into account."""
        if not self._take(index):
            raise BadInput(what=f"the index of pack {index.pack}", why="its bases are not kept")
        self.stored |= {entry.sha256 for entry in index.pieces}

    def read(self, sha256: str) -> Buffer:
        """Return the bytes of a piece, verified; raise NotFound or DamagedObject."""
        place = self.find(sha256)
        if place is None:
            raise NotFound(what=f"the piece {sha256}")
        recipe = self.recipe([sha256], size=place.entry.size, sha256=sha256)
        return Pieces(self.store, recipe, self.recent).read(recipe.order[0])

    def recipe(self, pieces: Iterable[str], *, size: int, sha256: str) -> Recipe:
        """Return the recipe of a file that is these pieces, one after the other."""
        numbers: dict[str, int] = {}
        found: list[Piece] = []

        def number(piece: str) -> int:
            if piece not in numbers:
                place = self.places[piece]
                bases = tuple(number(base) for base in place.entry.bases)
                numbers[piece] = len(found)
                found.append(_piece(place, bases))
            return numbers[piece]

        order = tuple(number(piece) for piece in pieces)
        return Recipe(size=size, sha256=sha256, pieces=tuple(found), order=order)

    def lost(self, recipes: Iterable[Recipe]) -> list[Index]:
        """Return indexes of the pieces of *recipes* that no index in the store names."""
        found: dict[str, dict[str, Entry]] = {}
        for recipe in recipes:
            for piece in recipe.pieces:
                if self.find(piece.sha256) is None:
                    bases = tuple(recipe.pieces[base].sha256 for base in piece.bases)
                    found.setdefault(piece.pack, {})[piece.sha256] = Entry(
                        offset=piece.offset,
                        stored=piece.stored,
                        size=piece.size,
                        sha256=piece.sha256,
                        codec=piece.codec,
                        bases=bases,
                    )
        return [
            Index(pack=pack, pieces=tuple(sorted(pieces.values(), key=lambda one: one.offset)))
            for pack, pieces in sorted(found.items())
        ]

    def verify(self, pack: str) -> None:
        """Read a pack back; raise DamagedObject if it is not what was written."""
        name, sha = pack_name(pack), hashlib.sha256()
        size = self.store.size(name)
        for offset in range(0, size, CHUNK):
            sha.update(self.store.get(name, Span(offset, min(CHUNK, size - offset))))
        if sha.hexdigest() != pack:
            raise DamagedObject(name=name, found=sha.hexdigest(), expected=pack)

    def _indexes(self) -> Iterator[Index]:
        """Yield each index that can be read; check() names the others."""
        for name in self.store.list("indexes/"):
            data = self.store.get(name)
            try:
                if index_name(hexadecimal(digest(data))) == name:
                    yield Index.decode(data)
            except BadRecord:
                continue

    def _take(self, index: Index) -> bool:
        places = self.places
        ready: dict[str, Place] = {}
        for entry in index.pieces:
            bases = [ready.get(base) or places.get(base) for base in entry.bases]
            depth = 1 + max((base.depth if base else DEEPEST for base in bases), default=-1)
            if depth > DEEPEST:
                return False
            ready[entry.sha256] = Place(index.pack, entry, depth)
        for sha256, place in ready.items():
            # Writers that did not know of each other may have stored a piece twice.
            if sha256 not in places or places[sha256].depth > place.depth:
                places[sha256] = place
        return True


def _length(index: Index) -> int:
    return max((entry.offset + entry.stored for entry in index.pieces), default=0)


def _piece(place: Place, bases: tuple[int, ...]) -> Piece:
    entry = place.entry
    return Piece(
        pack=place.pack,
        offset=entry.offset,
        stored=entry.stored,
        size=entry.size,
        sha256=entry.sha256,
        codec=entry.codec,
        bases=bases,
    )


class Recent:
    """The pieces decoded last, as many as fit into some bytes; for several threads."""

    def __init__(self, room: int) -> None:
        """Begin empty; hold *room* bytes."""
        self.room = room
        self._lock = Lock()
        self._pieces: OrderedDict[str, Buffer] = OrderedDict()

    def get(self, sha256: str) -> Buffer | None:
        """Return a piece, if it is held."""
        with self._lock:
            data = self._pieces.get(sha256)
            if data is not None:
                self._pieces.move_to_end(sha256)
            return data

    def put(self, sha256: str, data: Buffer) -> None:
        """Hold a piece, in place of those that were not asked for longest."""
        with self._lock:
            if sha256 not in self._pieces:
                self._pieces[sha256] = data
                self.room -= len(data)
            while self.room < 0:
                self.room += len(self._pieces.popitem(last=False)[1])


class Pieces:
    """The pieces of one recipe, decoded one at a time."""

    def __init__(self, store: Store, recipe: Recipe, recent: Recent | None = None) -> None:
        """Read nothing yet; look into *recent* for pieces that were verified."""
        self.store, self.recipe, self.recent = store, recipe, recent
        self._fetched: dict[int, bytes] = {}

    def read(self, number: int) -> Buffer:
        """Return the bytes of a piece, verified; raise DamagedObject naming what is damaged."""
        piece = self.recipe.pieces[number]
        if self.recent is not None and (there := self.recent.get(piece.sha256)) is not None:
            return there
        data = self._decode(number)
        if hashlib.sha256(data).hexdigest() != piece.sha256:
            raise self._blame(number)
        if self.recent is not None:
            self.recent.put(piece.sha256, data)
        return data

    def fetch(self, numbers: Iterable[int]) -> None:
        """Read what these pieces need, neighbours in a pack together; forget what was fetched."""
        needed: set[int] = set()
        todo = list(numbers)
        while todo:
            number = todo.pop()
            if number not in needed:
                needed.add(number)
                todo += self.recipe.pieces[number].bases
        self._fetched = {}
        pieces = self.recipe.pieces
        run: list[int] = []
        for number in sorted(needed, key=lambda one: (pieces[one].pack, pieces[one].offset)):
            if run and not _follows(pieces[run[-1]], pieces[number]):
                self._fetch(run)
                run = []
            run.append(number)
        self._fetch(run)

    def _fetch(self, run: list[int]) -> None:
        if not run:
            return
        pieces = [self.recipe.pieces[number] for number in run]
        start, end = pieces[0].offset, pieces[-1].offset + pieces[-1].stored
        data = self._get(pieces[0], Span(start, end - start))
        for number, piece in zip(run, pieces, strict=True):
            begin = piece.offset - start
            self._fetched[number] = data[begin : begin + piece.stored]

    def _decode(self, number: int) -> Buffer:
        from otium.codec import decode

        piece = self.recipe.pieces[number]
        known = self.recent.get(piece.sha256) if self.recent is not None else None
        if known is not None:
            return known
        bases = [self._decode(base) for base in piece.bases]
        stored = self._fetched.get(number)
        if stored is None:
            stored = self._get(piece, Span(piece.offset, piece.stored))
        try:
            return decode(piece.codec, stored, piece.size, bases)
        except BadData as error:
            raise _damaged(piece, str(error)) from error

    def _get(self, piece: Piece, span: Span) -> bytes:
        name = pack_name(piece.pack)
        try:
            return self.store.get(name, span)
        except (NotFound, BadInput) as error:
            raise DamagedObject(name=name, found=str(error), expected=piece.sha256) from error

    def _blame(self, number: int) -> DamagedObject:
        """Return which piece is damaged: the deepest whose bytes are not as recorded."""
        piece = self.recipe.pieces[number]
        for base in piece.bases:
            try:
                self.read(base)
            except DamagedObject as error:
                return error
        return _damaged(piece, "other bytes")


def _follows(one: Piece, other: Piece) -> bool:
    return one.pack == other.pack and one.offset + one.stored == other.offset


def _damaged(piece: Piece, found: str) -> DamagedObject:
    return DamagedObject(
        name=f"{pack_name(piece.pack)} at {piece.offset}", found=found, expected=piece.sha256
    )
