"""Record objects: small files about a model, kept as OCFL 1.1 objects.

A version is committed by the one write that creates its ``inventory.json``. Everything before
that write is not yet part of the object; everything after it only repeats it. So a writer that
died is taken over by the next one, which never loses a complete record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from otium.errors import (
    BadInput,
    BadRecord,
    DamagedObject,
    Exists,
    NotFound,
    UnknownModel,
    UnknownRecord,
)
from otium.records import Digest, Instant, ModelId, Part, canonical, digest, hexadecimal
from otium.store import Store, check_name

ROOT = "models"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
ROOT_FILES = {
    f"{ROOT}/0=ocfl_1.1": b"ocfl_1.1\n",
    f"{ROOT}/ocfl_layout.json": canonical(
        {
            "extension": LAYOUT,
            "description": "Each object lies under the first nine digits of its id's SHA-256.",
        }
    ),
    f"{ROOT}/extensions/{LAYOUT}/config.json": canonical(
        {
            "extensionName": LAYOUT,
            "digestAlgorithm": "sha256",
            "tupleSize": 3,
            "numberOfTuples": 3,
        }
    ),
}
DECLARATION, DECLARED = "0=ocfl_object_1.1", b"ocfl_object_1.1\n"
SIDECAR = "inventory.json.sha512"
PLACE = re.compile(rf"{ROOT}/[0-9a-f]{{3}}/[0-9a-f]{{3}}/[0-9a-f]{{3}}/[^/]+(?=/)")
_LONGEST_FOLDER = 100
_CONTENT = re.compile(r"v[1-9][0-9]{0,5}/content/.+")


class Version(Part):
    """One version of an object."""

    created: Instant
    message: str
    state: dict[str, tuple[str, ...]]
    """SHA-512 of the bytes: logical paths."""


class Inventory(Part, rename="camel"):
    """What an object holds, as OCFL writes it."""

    id: str
    head: str
    manifest: dict[str, tuple[str, ...]]
    """SHA-512 of the bytes: content paths."""
    versions: dict[str, Version]
    fixity: dict[str, dict[str, tuple[str, ...]]]
    """``sha256``, then digest: content paths."""
    type: str = "https://ocfl.io/1.1/spec/#inventory"
    digest_algorithm: str = "sha512"

    def at(self, version: str) -> Inventory:
        """Return this inventory as it was written with an earlier version."""
        number = int(version[1:])

        def old(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
            kept = {
                sha: tuple(path for path in paths if int(path.partition("/")[0][1:]) <= number)
                for sha, paths in table.items()
            }
            return {sha: paths for sha, paths in kept.items() if paths}

        return Inventory(
            id=self.id,
            head=version,
            manifest=old(self.manifest),
            versions={f"v{n}": self.versions[f"v{n}"] for n in range(1, number + 1)},
            fixity={name: old(table) for name, table in self.fixity.items()},
        )

    def paths(self) -> dict[str, str]:
        """Return the content path of each logical path of the head."""
        return {
            path: self.manifest[sha][0]
            for sha, paths in self.versions[self.head].state.items()
            for path in paths
        }

    def digests(self) -> dict[str, Digest]:
        """Return the SHA-256 of each content path."""
        return {
            path: Digest(f"sha256:{sha}")
            for sha, paths in self.fixity["sha256"].items()
            for path in paths
        }


def folder(model: ModelId) -> str:
    """Return where a model's object lies."""
    sha = hashlib.sha256(model.encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02x}", model)
    if len(name) > _LONGEST_FOLDER:
        name = f"{name[:_LONGEST_FOLDER]}-{sha}"
    return f"{ROOT}/{sha[:3]}/{sha[3:6]}/{sha[6:9]}/{name}"


def sidecar(inventory: bytes) -> bytes:
    """Return the digest file that stands beside an inventory."""
    return f"{hashlib.sha512(inventory).hexdigest()}  inventory.json\n".encode()


def places(store: Store) -> list[str]:
    """Return where objects lie, damaged ones too."""
    found = (PLACE.match(name) for name in store.list(f"{ROOT}/"))
    return sorted({match[0] for match in found if match})


def models(store: Store) -> list[ModelId]:
    """Return the id of each object, in order; raise DamagedObject if one cannot be known."""
    there = [name for name in places(store) if _get(store, f"{name}/inventory.json") is not None]
    found = [trusted(store, place) for place in there]
    return sorted(ModelId(inventory.id) for inventory in found if inventory)


def load(store: Store, model: ModelId) -> Inventory | None:
    """Return the model's inventory, or None if there is no object; raise DamagedObject."""
    return verified(store, folder(model))


def verified(store: Store, place: str) -> Inventory | None:
    """Return the inventory of the object at *place*, or None; raise DamagedObject."""
    data = _get(store, f"{place}/inventory.json")
    if data is None:
        return None
    inventory = _decode(place, data)
    # A writer that died between the two last writes leaves an older digest at the root.
    sides = [f"{place}/{SIDECAR}", f"{place}/{inventory.head}/{SIDECAR}"]
    if sidecar(data) not in [_get(store, side) for side in sides]:
        raise _damaged(place, digest(data))
    return inventory


def trusted(store: Store, place: str) -> Inventory | None:
    """Return the inventory of an object, from its latest whole version if the root's is not.

    None if the object has no inventory at all; raises DamagedObject if it has no whole one.
    """
    try:
        inventory = verified(store, place)
    except DamagedObject:
        inventory = _newest(store, place)
        if inventory is None:
            raise
    return inventory or _newest(store, place)


def _newest(store: Store, place: str) -> Inventory | None:
    """Return the inventory in the folder of the latest version, if it is whole."""
    number = 0
    while _get(store, f"{place}/v{number + 1}/inventory.json") is not None:
        number += 1
    data = _get(store, f"{place}/v{number}/inventory.json")
    if data is None or _get(store, f"{place}/v{number}/{SIDECAR}") != sidecar(data):
        return None
    return _decode(place, data)


def files(place: str, inventory: Inventory) -> dict[str, str]:
    """Return the name and SHA-256 of each file that an object of this inventory consists of."""
    every = {DECLARATION: DECLARED}
    for version in inventory.versions:
        data = inventory.at(version).encode()
        every |= {f"{version}/inventory.json": data, f"{version}/{SIDECAR}": sidecar(data)}
    data = inventory.encode()
    every |= {"inventory.json": data, SIDECAR: sidecar(data)}
    digests = {path: digest(data) for path, data in every.items()} | inventory.digests()
    return {f"{place}/{path}": hexadecimal(value) for path, value in digests.items()}


def read(store: Store, model: ModelId, path: str) -> bytes:
    """Return a record's bytes; raise UnknownModel, UnknownRecord or DamagedObject."""
    inventory = load(store, model)
    if inventory is None:
        raise UnknownModel(model=model)
    content = inventory.paths().get(path)
    if content is None:
        raise UnknownRecord(model=model, path=path)
    name, expected = f"{folder(model)}/{content}", inventory.digests()[content]
    data = _get(store, name)
    if data is None:
        raise DamagedObject(name=name, found="no file", expected=expected)
    if digest(data) != expected:
        raise DamagedObject(name=name, found=digest(data), expected=expected)
    return data


def digests(store: Store, model: ModelId) -> dict[str, Digest]:
    """Return the SHA-256 of each record by its path; empty if there is no object."""
    inventory = load(store, model)
    if inventory is None:
        return {}
    contents = inventory.digests()
    return {path: contents[content] for path, content in sorted(inventory.paths().items())}


def commit(
    store: Store, model: ModelId, new: Mapping[str, bytes], *, now: Instant, message: str
) -> None:
    """Add records as one new version; those that are there with the same bytes are passed over.

    Raises Exists, and changes nothing, if one is there with other bytes.
    """
    place = folder(model)
    inventory = settle(store, model)
    there = digests(store, model)
    for path, data in new.items():
        if there.get(path, digest(data)) != digest(data):
            raise Exists(name=f"the record {path} of {model}, with other bytes,")
    fresh = {path: data for path, data in new.items() if path not in there}
    number = len(inventory.versions) + 1 if inventory else 1
    # What a writer that died left complete in the next version's folder is taken over.
    left = _folder(store, f"{place}/v{number}/content/")
    _check_paths([*there, *{**left, **fresh}])
    if not fresh:
        return
    for path, data in fresh.items():
        if path not in left:
            store.put(f"{place}/v{number}/content/{path}", data)
        elif left[path] != data:
            store.replace(f"{place}/v{number}/content/{path}", data)
    version = Version(created=now, message=message, state={})
    following = _next(model, inventory, version, {**left, **fresh})
    _same(store, f"{place}/{DECLARATION}", DECLARED)
    store.put(f"{place}/v{number}/inventory.json", following.encode())
    _publish(store, place, number)


def _folder(store: Store, prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): store.get(name) for name in store.list(prefix)}


def _next(
    model: ModelId, old: Inventory | None, version: Version, new: Mapping[str, bytes]
) -> Inventory:
    """Return the inventory after *old* in which *new* is added to the records."""
    old = old or Inventory(id=model, head="v0", manifest={}, versions={}, fixity={})
    head = f"v{len(old.versions) + 1}"
    manifest, sha256 = dict(old.manifest), dict(old.fixity.get("sha256", {}))
    state = dict(old.versions[old.head].state) if old.versions else {}
    for path, data in sorted(new.items()):
        content = f"{head}/content/{path}"
        for table, algorithm, value in (
            (manifest, hashlib.sha512, content),
            (sha256, hashlib.sha256, content),
            (state, hashlib.sha512, path),
        ):
            key = algorithm(data).hexdigest()
            table[key] = (*table.get(key, ()), value)
    return Inventory(
        id=model,
        head=head,
        manifest=manifest,
        versions={**old.versions, head: msgspec.structs.replace(version, state=state)},
        fixity={"sha256": sha256},
    )


def settle(store: Store, model: ModelId) -> Inventory | None:
    """Finish what a writer that died had committed; return the inventory then."""
    place = folder(model)
    inventory = load(store, model)
    head = published = len(inventory.versions) if inventory else 0
    while _get(store, f"{place}/v{head + 1}/inventory.json") is not None:
        head += 1
    stale = inventory and _get(store, f"{place}/{SIDECAR}") != sidecar(inventory.encode())
    if head > published or stale:
        _publish(store, place, head)
    return load(store, model)


def _publish(store: Store, place: str, number: int) -> None:
    """Repeat the inventory of a version at the object's root."""
    data = store.get(f"{place}/v{number}/inventory.json")
    _decode(place, data)
    _same(store, f"{place}/v{number}/{SIDECAR}", sidecar(data))
    store.replace(f"{place}/inventory.json", data)
    store.replace(f"{place}/{SIDECAR}", sidecar(data))


def _decode(place: str, data: bytes) -> Inventory:
    """Read an inventory and see that it fits together and to *place*."""
    try:
        inventory = Inventory.decode(data)
        numbers = range(1, len(inventory.versions) + 1)
        fits = (
            folder(ModelId(inventory.id)) == place
            and inventory.head == f"v{len(numbers)}"
            and inventory.versions.keys() == {f"v{number}" for number in numbers}
            and all(_CONTENT.fullmatch(path) for path in inventory.digests())
            and inventory.digests().keys() >= set(inventory.paths().values())
        )
    except (BadRecord, KeyError, IndexError) as error:
        raise _damaged(place, str(error)) from error
    if not fits:
        raise _damaged(place, "an inventory that does not fit together")
    return inventory


def _damaged(place: str, found: str) -> DamagedObject:
    return DamagedObject(name=f"{place}/inventory.json", found=found, expected="an OCFL inventory")


def _same(store: Store, name: str, data: bytes) -> None:
    """Put *data*; if the name is taken, by other bytes, raise DamagedObject."""
    try:
        store.put(name, data)
    except Exists as error:
        found = store.get(name)
        if found != data:
            raise DamagedObject(name=name, found=digest(found), expected=digest(data)) from error


def _get(store: Store, name: str) -> bytes | None:
    try:
        return store.get(name)
    except NotFound:
        return None


def _check_paths(paths: Sequence[str]) -> None:
    """Raise BadInput if two records could not both be files on every system."""
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for path in paths:
        check_name(path)
        if seen.setdefault(path.lower(), path) != path:
            raise BadInput(
                what=f"the record {path}", why=f"it differs from {seen[path.lower()]} only in case"
            )
        parts = path.lower().split("/")
        folders |= {"/".join(parts[:end]) for end in range(1, len(parts))}
    for path in folders & seen.keys():
        raise BadInput(what=f"the record {seen[path]}", why="it is a folder of other records")
