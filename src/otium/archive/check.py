"""A full read of an archive, which names all that is not as it was stored.

What each file must be follows from very little: a pack or recipe is named by its digest, a
record's digest stands in its object's inventory, and an object's other files can be computed
from that inventory. What follows from nothing should not be there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from otium.archive import objects
from otium.archive.deposit import CHUNK
from otium.archive.packs import holds, load_recipe, pack_name, recipe_name
from otium.archive.records import ArchiveInfo, CheckResult, Damage, File, Manifest, Recipe
from otium.errors import BadRecord, DamagedObject, NotFound, UnknownModel
from otium.records import Instant, ModelId, Progress, digest, hexadecimal
from otium.store import Span, Store

INFO, INFO_DIGEST = "archive.json", "archive.json.sha256"
_NAMED_BY_CONTENT = re.compile(r"(?:packs|recipes)/([0-9a-f]{2})/(\1[0-9a-f]{62})\.(?:pack|json)")


def info_digest(info: bytes) -> bytes:
    """Return what stands in the file beside ``archive.json``, as ``sha256sum`` writes it."""
    return f"{hashlib.sha256(info).hexdigest()}  {INFO}\n".encode()


def check(
    store: Store, info: ArchiveInfo, model: ModelId | None, *, now: Instant, progress: Progress
) -> CheckResult:
    """Read everything, or all that *model* rests on; raise UnknownModel."""
    names = {name for name in store.list() if not name.startswith("log/")}
    places = {match[0] for name in names if (match := objects.PLACE.match(name))}
    if model is not None:
        names = {name for name in names if name.startswith(f"{objects.folder(model)}/")}
        places = {objects.folder(model)}
        if not names:
            raise UnknownModel(model=model)
    run = _Check(store)
    run.expect_root(info)
    for place in sorted(places):
        run.expect_object(place)
    run.expect_content(names)
    run.read(progress)
    run.refuse(names)
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
    recipes: set[tuple[ModelId, str]] = field(default_factory=set)
    """Which models' recipes take pieces from it, if it is a pack."""


class _Check:
    """One run: what must be there, what was read, what was wrong."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing expected and nothing read."""
        self.store = store
        self.expected: dict[str, _Expected] = {}
        self.places: dict[str, tuple[ModelId, ...]] = {}
        self.damage: list[Damage] = []
        self.objects = self.bytes = 0

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
        if content is not None:
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
        self.expect(name, file.recipe, model)
        try:
            recipe = load_recipe(self.store, file.recipe)
        except DamagedObject:
            return  # named when it is read
        sizes = sum(piece.length for piece in recipe.pieces)
        if (recipe.sha256, recipe.size, sizes) != (file.sha256, file.size, file.size):
            self.wrong(name, f"a recipe for {recipe.sha256}", file.sha256, model)
        for piece in recipe.pieces:
            pack = self.expect(pack_name(piece.pack), piece.pack, model)
            pack.size = max(pack.size, piece.offset + piece.length)
            pack.recipes.add((model, file.recipe))

    def expect_content(self, names: set[str]) -> None:
        """Expect packs and recipes that no manifest names: they are whole, or they are damage."""
        for name in names:
            if match := _NAMED_BY_CONTENT.fullmatch(name):
                self.expect(name, match[2])

    def read(self, progress: Progress) -> None:
        """Read each expected file and compare it."""
        sizes = {name: self.size(name) for name in self.expected}
        total = sum(size or 0 for size in sizes.values())
        for name, expected in sorted(self.expected.items()):
            size = sizes[name]
            if size is None:
                self.wrong(name, "no file", f"sha256:{expected.sha256}", *expected.models)
                continue
            sha256 = hashlib.sha256()
            for chunk in self.chunks(name, size):
                sha256.update(chunk)
                self.bytes += len(chunk)
                progress("checking", self.bytes, total)
            self.objects += 1
            self.compare(name, expected, size, sha256.hexdigest())

    def compare(self, name: str, expected: _Expected, size: int, sha256: str) -> None:
        """Note what is wrong with a file that was read."""
        if sha256 == expected.sha256:
            if name.startswith("recipes/"):
                self.decode(name, expected)
        elif size < expected.size:
            touched = self.touched(name, expected)
            self.wrong(name, f"{size} bytes", f"{expected.size} bytes or more", *touched)
        else:
            touched = self.touched(name, expected)
            self.wrong(name, f"sha256:{sha256}", f"sha256:{expected.sha256}", *touched)

    def decode(self, name: str, expected: _Expected) -> None:
        """Note a recipe that has the right digest but cannot be read."""
        try:
            Recipe.decode(self.store.get(name))
        except BadRecord as error:
            self.wrong(name, error, "a recipe", *expected.models)

    def touched(self, name: str, expected: _Expected) -> set[ModelId]:
        """Return whose bytes are wrong: for a pack, those whose pieces are."""
        good = dict[str, bool]()
        touched = set()
        for model, recipe in sorted(expected.recipes):
            for piece in load_recipe(self.store, recipe).pieces:
                if pack_name(piece.pack) == name and piece.sha256 not in good:
                    good[piece.sha256] = holds(self.store, piece)
                if not good.get(piece.sha256, True):
                    touched.add(model)
        return touched or expected.models

    def refuse(self, names: set[str]) -> None:
        """Note each file that follows from nothing."""
        for name in names - self.expected.keys():
            place = objects.PLACE.match(name)
            models = self.places.get(place[0], ()) if place else ()
            self.wrong(name, "a file that nothing names", "no file", *models)

    def wrong(self, name: str, found: object, expected: str, *models: ModelId) -> None:
        """Note damage."""
        self.damage.append(
            Damage(name=name, found=str(found), expected=expected, models=tuple(sorted(models)))
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
