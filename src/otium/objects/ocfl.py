"""Record objects: small files about a model, kept as OCFL 1.1 objects.

A version is committed by the one write that creates its ``inventory.json``. Everything before
that write is not yet part of the object; everything after it only repeats it. Of writers that
race for a version one creates it, and the others try the next one.

No content is ever replaced: an inventory may be about to name it. What a writer left that died
or lost its race is named by the next version under ``unfinished/``, so that each file of the
object is accounted for, and is no record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

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
from otium.objects.inventory import (
    ROOT,
    UNFINISHED,
    Inventory,
    Version,
    folder,
    sidecar,
    version_of,
)
from otium.records import Digest, Instant, ModelId, canonical, digest, hexadecimal
from otium.store import Store, check_name

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
_CONTENT = re.compile(r"v[1-9][0-9]{0,5}/content/.+")


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
    # A slow writer may have put an older inventory over a newer one, and will mend that.
    while (later := _whole(store, place, len(inventory.versions) + 1)) is not None:
        inventory = later
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
    return _whole(store, place, number)


def _whole(store: Store, place: str, number: int) -> Inventory | None:
    """Return the inventory in the folder of a version, if it matches the digest beside it."""
    data = _get(store, f"{place}/v{number}/inventory.json")
    if data is None or _get(store, f"{place}/v{number}/{SIDECAR}") != sidecar(data):
        return None
    with suppress(DamagedObject):
        inventory = _decode(place, data)
        return inventory if len(inventory.versions) == number else None
    return None


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

    Raises Exists, and adds no record, if one is there with other bytes.
    """
    version, lost = Version(created=now, message=message, state={}), False
    while True:
        inventory = settle(store, model)
        there = digests(store, model)
        other = [
            path for path, data in new.items() if there.get(path, digest(data)) != digest(data)
        ]
        fresh = {path: data for path, data in new.items() if path not in there and not other}
        _check_paths([*there, *fresh])
        # Whoever lost a race has left content behind, and sees to it that it is named.
        if (fresh or lost) and not _commit_next(store, model, inventory, version, fresh):
            lost = True
            continue
        if other:
            raise Exists(name=f"the record {other[0]} of {model}, with other bytes,")
        return


def _commit_next(
    store: Store, model: ModelId, old: Inventory | None, version: Version, fresh: dict[str, bytes]
) -> bool:
    """Write the version after *old*, if there is anything new to name.

    Returns whether no other writer was quicker.
    """
    place, number = folder(model), len(old.versions) + 1 if old else 1
    left = _left(store, place, old, number)
    new = [(path, *_content(store, place, number, path, fresh[path], left=left)) for path in fresh]
    new += [(f"{UNFINISHED}/{content}", content, data) for content, data in left.items()]
    if not new:
        return True
    _same(store, f"{place}/{DECLARATION}", DECLARED)
    try:
        store.put(f"{place}/v{number}/inventory.json", _next(model, old, version, new).encode())
    except Exists:
        return False
    _publish(store, place, number)
    return True


def _left(store: Store, place: str, old: Inventory | None, number: int) -> dict[str, bytes]:
    """Return the content that no inventory names, up to a version, by its content path."""
    known = old.digests() if old else {}
    names = (name.removeprefix(f"{place}/") for name in store.list(f"{place}/"))
    return {
        name: store.get(f"{place}/{name}")
        for name in names
        if name not in known and _CONTENT.fullmatch(name) and version_of(name) <= number
    }


def _content(
    store: Store, place: str, number: int, path: str, data: bytes, *, left: dict[str, bytes]
) -> tuple[str, bytes]:
    """Store a record's bytes, or find them stored; return the content path, and the bytes.

    Where another writer's bytes have the record's path, it is called by its digest.
    """
    for name in (path, hashlib.sha256(data).hexdigest()):
        content = f"v{number}/content/{name}"
        if content not in left and not _clashes(content, left):
            try:
                store.put(f"{place}/{content}", data)
            except Exists:
                left[content] = store.get(f"{place}/{content}")
            else:
                return content, data
        if left.get(content) == data:
            return content, left.pop(content)
    raise Exists(name=f"{place}/v{number}/content/{path}")


def _clashes(content: str, left: Iterable[str]) -> bool:
    """Return whether some system could not hold this file beside those."""
    low = content.lower()
    pairs = [(f"{low}/", f"{other.lower()}/") for other in left]
    return any(one.startswith(other) or other.startswith(one) for one, other in pairs)


def _next(
    model: ModelId, old: Inventory | None, version: Version, new: Iterable[tuple[str, str, bytes]]
) -> Inventory:
    """Return the inventory after *old* with *new*: paths, content paths and bytes."""
    old = old or Inventory(id=model, head="v0", manifest={}, versions={}, fixity={})
    head = f"v{len(old.versions) + 1}"
    manifest, sha256 = dict(old.manifest), dict(old.fixity.get("sha256", {}))
    state = dict(old.versions[old.head].state) if old.versions else {}
    for path, content, data in sorted(new):
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
    head = known = len(inventory.versions) if inventory else 0
    while _get(store, f"{place}/v{head + 1}/inventory.json") is not None:
        head += 1
    names = (f"v{head}/inventory.json", "inventory.json", SIDECAR)
    newest, *root = [_get(store, f"{place}/{name}") for name in names]
    # Compared with what the version says: to encode a long inventory anew takes far longer.
    settled = newest is not None and root == [newest, sidecar(newest)]
    if inventory and not settled:
        settled = root == [inventory.encode(), sidecar(inventory.encode())]
    if head > known or (inventory and not settled):
        _publish(store, place, head)
        return load(store, model)
    return inventory


def _publish(store: Store, place: str, number: int) -> None:
    """Repeat the inventory of a version at the object's root, and each that is newer by then.

    So whoever was overtaken, and has put an older one over a newer, mends it.
    """
    while (data := _get(store, f"{place}/v{number}/inventory.json")) is not None:
        _decode(place, data)
        _same(store, f"{place}/v{number}/{SIDECAR}", sidecar(data))
        store.replace(f"{place}/inventory.json", data)
        store.replace(f"{place}/{SIDECAR}", sidecar(data))
        number += 1


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
        if path.lower().partition("/")[0] == UNFINISHED:
            raise BadInput(what=f"the record {path}", why=f"{UNFINISHED} is not for records")
        if seen.setdefault(path.lower(), path) != path:
            raise BadInput(
                what=f"the record {path}", why=f"it differs from {seen[path.lower()]} only in case"
            )
        parts = path.lower().split("/")
        folders |= {"/".join(parts[:end]) for end in range(1, len(parts))}
    for path in folders & seen.keys():
        raise BadInput(what=f"the record {seen[path]}", why="it is a folder of other records")
