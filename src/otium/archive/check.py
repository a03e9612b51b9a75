"""A full read of an archive, which names all that is not as it was stored.

What each file must be follows from very little: a pack or recipe is named by its digest, a
record's digest stands in its object's inventory, and an object's other files can be computed
from that inventory. What follows from nothing should not be there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources

from otium import objects
from otium.archive.packs import CHUNK, Pieces, index_name, load_recipe, pack_name, recipe_name
from otium.archive.records import (
    ArchiveInfo,
    CheckResult,
    Damage,
    Entry,
    File,
    Index,
    Manifest,
    Recipe,
)
from otium.errors import BadInput, BadRecord, DamagedObject, NotFound, UnknownModel
from otium.records import Instant, ModelId, Progress, digest, hexadecimal
from otium.store import Span, Store

INFO, INFO_DIGEST = "archive.json", "archive.json.sha256"
DEACCESSION = "deaccession.json"
"""The record of a model whose weights may be gone: kept from then on is what is said of it."""
COMPANIONS = {
    "README.txt": "archive-readme.txt",
    "SPEC.md": "archive-spec.md",
    "recover.py": "recover.py",
    "monitor.py": "monitor.py",
}
"""The files that explain and check an archive, and where the package keeps them."""
REFERENCE = "reference"
"""The folder of the engine that runs what is kept: the room of that name in the package."""
_NAMED_BY_CONTENT = re.compile(
    r"(?:packs|recipes|indexes|parity)/([0-9a-f]{2})/(\1[0-9a-f]{62})\.(?:pack|json|parity)"
)


def info_digest(info: bytes) -> bytes:
    """Return what stands in the file beside ``archive.json``, as ``sha256sum`` writes it."""
    return f"{hashlib.sha256(info).hexdigest()}  {INFO}\n".encode()


def companions() -> dict[str, bytes]:
    """Return the files that explain, check and run what a new archive keeps, by name."""
    data, engine = resources.files("otium") / "data", resources.files("otium") / REFERENCE
    sources = sorted(one.name for one in engine.iterdir() if one.name.endswith((".py", ".md")))
    return {name: (data / source).read_bytes() for name, source in COMPANIONS.items()} | {
        f"{REFERENCE}/{name}": (engine / name).read_bytes() for name in sources
    }


def check(
    store: Store, info: ArchiveInfo, model: ModelId | None, *, now: Instant, progress: Progress
) -> CheckResult:
    """Read everything, or all that *model* rests on; raise UnknownModel."""
    run = Audit(store, info, model)
    run.read(progress)
    run.refuse(run.found)
    return CheckResult(
        checked=now,
        objects=run.objects,
        bytes=run.bytes,
        damage=tuple(sorted(run.damage, key=lambda damage: (damage.name, damage.found))),
    )


@dataclass
class _Expected:
    """What a stored file must be, and what rests on it."""

    sha256: str
    size: int = 0
    """The least that it can have, where that is known."""
    models: set[ModelId] = field(default_factory=set)
    files: set[tuple[ModelId, File]] = field(default_factory=set)
    """Which models' files take pieces from it if it is a pack, or are put together by it."""
    entries: dict[tuple[int, str], Entry] = field(default_factory=dict)
    """Its pieces, if it is a pack, by where they begin and their SHA-256."""


class Audit:
    """What an archive must hold, as it says itself; what of it was read, what was wrong."""

    def __init__(self, store: Store, info: ArchiveInfo, model: ModelId | None = None) -> None:
        """Learn what must be there, or all that *model* rests on; raise UnknownModel.

        What is damaged in doing so is noted: inventories, manifests and recipes are read.
        """
        self.store = store
        self.expected: dict[str, _Expected] = {}
        self.places: dict[str, tuple[ModelId, ...]] = {}
        self.damage: list[Damage] = []
        self.derived: dict[str, bytes] = {}
        """The bytes of files that follow from others: indexes."""
        self.objects = self.bytes = 0
        self.found = {name for name in store.list() if not name.startswith("log/")}
        places = {match[0] for name in self.found if (match := objects.PLACE.match(name))}
        if model is not None:
            places = {objects.folder(model)}
            self.found = {n for n in self.found if n.startswith(f"{objects.folder(model)}/")}
            if not self.found:
                raise UnknownModel(model=model)
        self.expect_root(info)
        for place in sorted(places):
            self.expect_object(place)
        self.expect_indexes()
        self.expect_content(self.found)

    def expect(self, name: str, sha256: str, *models: ModelId) -> _Expected:
        """Expect a file of this digest, on which *models* rest."""
        expected = self.expected.setdefault(name, _Expected(sha256))
        expected.models |= set(models)
        return expected

    def expect_root(self, info: ArchiveInfo) -> None:
        """Expect the files at the archive's root."""
        for name, value in info.files.items():
            self.expect(name, hexadecimal(value))
        data = info.encode()
        self.expect(INFO, hexadecimal(digest(data)))
        self.expect(INFO_DIGEST, hexadecimal(digest(info_digest(data))))

    def expect_object(self, place: str) -> None:
        """Expect the files of one object, and the recipes and packs that its manifest names."""
        try:
            inventory = objects.trusted(self.store, place)
        except DamagedObject as error:
            self.wrong(f"{place}/inventory.json", error.facts["found"], "an OCFL inventory")
            return
        if inventory is None:
            return
        model = ModelId(inventory.id)
        self.places[place] = (model,)
        for name, sha256 in objects.files(place, inventory).items():
            self.expect(name, sha256, model)
        content = inventory.paths().get("manifest.json")
        if content is not None and DEACCESSION not in inventory.paths():
            self.expect_weights(model, f"{place}/{content}", inventory.digests()[content])

    def expect_weights(self, model: ModelId, name: str, sha256: str) -> None:
        """Expect the recipes of a manifest."""
        try:
            data = self.store.get(name)
        except NotFound:
            return  # expected already, and so named when it is read
        if digest(data) != sha256:
            return
        try:
            manifest = Manifest.decode(data)
        except BadRecord as error:
            self.wrong(name, error, "a manifest", model)
            return
        for file in manifest.files:
            self.expect_recipe(model, file)

    def expect_recipe(self, model: ModelId, file: File) -> None:
        """Expect a recipe and the packs it takes pieces from."""
        name = recipe_name(file.recipe)
        self.expect(name, file.recipe, model).files.add((model, file))
        try:
            recipe = load_recipe(self.store, file.recipe)
        except DamagedObject:
            return  # named when it is read
        size = sum(recipe.pieces[number].size for number in recipe.order)
        if (recipe.sha256, recipe.size, size) != (file.sha256, file.size, file.size):
            self.wrong(name, f"a recipe for {recipe.sha256}", file.sha256, model)
        for piece in recipe.pieces:
            pack = self.expect(pack_name(piece.pack), piece.pack, model)
            pack.size = max(pack.size, piece.offset + piece.stored)
            pack.files.add((model, file))
            entry = Entry(
                offset=piece.offset,
                stored=piece.stored,
                size=piece.size,
                sha256=piece.sha256,
                codec=piece.codec,
                bases=tuple(recipe.pieces[base].sha256 for base in piece.bases),
            )
            pack.entries[entry.offset, entry.sha256] = entry

    def expect_indexes(self) -> None:
        """Expect the index of each pack all of whose pieces stand in recipes."""
        for pack in [one for one in self.expected.values() if one.entries]:
            entries = [entry for _, entry in sorted(pack.entries.items())]
            ends = [entry.offset + entry.stored for entry in entries]
            if [0, *ends] != [*(e.offset for e in entries), self.size(pack_name(pack.sha256))]:
                continue  # a writer that died may have left pieces that nothing names
            data = Index(pack=pack.sha256, pieces=tuple(entries)).encode()
            sha256 = hexadecimal(digest(data))
            self.expect(index_name(sha256), sha256, *pack.models)
            self.derived[index_name(sha256)] = data

    def expect_content(self, names: set[str]) -> None:
        """Expect packs and recipes that no manifest names: they are whole, or they are damage."""
        for name in names:
            if match := _NAMED_BY_CONTENT.fullmatch(name):
                self.expect(name, match[2])

    def read(self, progress: Progress) -> None:
        """Read each expected file and compare it."""
        sizes = {name: self.size(name) for name in self.expected}
        total = sum(size or 0 for size in sizes.values())

        def tell(_length: int) -> None:
            progress("checking", self.bytes, total)

        for name in sorted(self.expected):
            self.examine(name, tell)

    def examine(self, name: str, tell: Callable[[int], None]) -> None:
        """Read one file, *tell* how many bytes at a time, and note what is wrong with it."""
        expected = self.expected.get(name)
        if expected is None:
            self.refuse({name})
            return
        sha256, size = hashlib.sha256(), 0
        try:
            for chunk in self.chunks(name, self.store.size(name)):
                sha256.update(chunk)
                size += len(chunk)
                self.bytes += len(chunk)
                tell(len(chunk))
        except NotFound:
            self.lost(name, expected, "no file", f"sha256:{expected.sha256}")
        except (OSError, BadInput) as error:
            self.lost(name, expected, f"it cannot be read: {error}", f"sha256:{expected.sha256}")
        else:
            self.objects += 1
            self.compare(name, expected, size, sha256.hexdigest())

    def glance(self, name: str) -> None:
        """Look at one file's name and size, and note what is wrong with them."""
        expected = self.expected.get(name)
        if expected is None:
            self.refuse({name})
            return
        try:
            size = self.store.size(name)
        except NotFound:
            self.lost(name, expected, "no file", f"sha256:{expected.sha256}")
            return
        self.objects += 1
        if size < expected.size:
            self.compare(name, expected, size, "")

    def compare(self, name: str, expected: _Expected, size: int, sha256: str) -> None:
        """Note what is wrong with a file that was read."""
        if sha256 == expected.sha256:
            if name.startswith("recipes/"):
                self.decode(name, expected)
        else:
            short = size < expected.size
            found = f"{size} bytes" if short else f"sha256:{sha256}"
            wanted = f"{expected.size} bytes or more" if short else f"sha256:{expected.sha256}"
            self.lost(name, expected, found, wanted)

    def lost(self, name: str, expected: _Expected, found: str, wanted: str) -> None:
        """Note damage with all that rests on it."""
        touched, tensors = self.touched(name, expected)
        self.wrong(name, found, wanted, *touched, tensors=tensors)

    def decode(self, name: str, expected: _Expected) -> None:
        """Note a recipe that has the right digest but cannot be read."""
        try:
            Recipe.decode(self.store.get(name))
        except BadRecord as error:
            self.wrong(name, error, "a recipe", *expected.models)

    def touched(self, name: str, expected: _Expected) -> tuple[set[ModelId], set[str]]:
        """Return whose bytes are wrong, and in which tensors: for a pack, those of bad pieces."""
        if name.startswith("recipes/"):
            return expected.models, {part for _, file in expected.files for part in _all(file)}
        good: dict[str, bool] = {}
        models: set[ModelId] = set()
        tensors: set[str] = set()
        for model, file in expected.files:
            recipe = load_recipe(self.store, file.recipe)
            pieces = Pieces(self.store, recipe)
            for number, piece in enumerate(recipe.pieces):
                if pack_name(piece.pack) == name and piece.sha256 not in good:
                    good[piece.sha256] = _whole(pieces, number)
            bad = {n for n, p in enumerate(recipe.pieces) if not good.get(p.sha256, True)}
            if bad:
                models.add(model)
                tensors |= set(parts_lost(file, recipe, bad))
        return models or expected.models, tensors

    def refuse(self, names: set[str]) -> None:
        """Note each file that follows from nothing."""
        for name in names - self.expected.keys():
            place = objects.PLACE.match(name)
            models = self.places.get(place[0], ()) if place else ()
            self.wrong(name, "a file that nothing names", "no file", *models)

    def wrong(
        self, name: str, found: object, expected: str, *models: ModelId, tensors: Iterable[str] = ()
    ) -> None:
        """Note damage."""
        self.damage.append(
            Damage(
                name=name,
                found=str(found),
                expected=expected,
                models=tuple(sorted(models)),
                tensors=tuple(sorted(tensors)),
            )
        )

    def size(self, name: str) -> int | None:
        """Return a file's size, or None if it is not there."""
        try:
            return self.store.size(name)
        except NotFound:
            return None

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """Yield a file's bytes."""
        for offset in range(0, size, CHUNK):
            yield self.store.get(name, Span(offset, min(CHUNK, size - offset)))


def _whole(pieces: Pieces, number: int) -> bool:
    try:
        pieces.read(number)
    except (DamagedObject, OSError):
        return False
    return True


def parts_lost(file: File, recipe: Recipe, bad: set[int]) -> list[str]:
    """Return the tensors of a file, or the file, that are lost if those pieces are."""
    return sorted(set(_parts(file, recipe, _resting_on(recipe, bad))))


def _resting_on(recipe: Recipe, bad: set[int]) -> set[int]:
    """Return the pieces that cannot be decoded if *bad* cannot."""
    hit = set(bad)
    while True:
        more = {n for n, p in enumerate(recipe.pieces) if n not in hit and hit & set(p.bases)}
        if not more:
            return hit
        hit |= more


def _all(file: File) -> list[str]:
    """Return the tensors of a file, or the file if it has none."""
    return [f"{file.path}: {tensor.name}" for tensor in file.tensors] or [file.path]


def _parts(file: File, recipe: Recipe, hit: set[int]) -> Iterator[str]:
    """Yield the tensors of a file that those pieces are part of, the file itself for others."""
    at = 0
    for number in recipe.order:
        end = at + recipe.pieces[number].size
        if number in hit:
            names = [t.name for t in file.tensors if t.offset < end and at < t.offset + t.length]
            yield from (f"{file.path}: {name}" for name in names)
            if not names:
                yield file.path
        at = end
