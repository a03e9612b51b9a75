"""Record objects: small files about a model, kept as OCFL 1.1 objects.

A version is committed by the one write that creates its ``inventory.json``. Everything before
that write is not yet part of the object; everything after it only repeats it. So a writer that
died is taken over by the next one, which never loses a complete record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from otium.errors import BadInput, BadRecord, DamagedObject, Exists, NotFound, UnknownRecord
from otium.records import Digest, Instant, ModelId, Part, canonical, digest
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
DECLARATION = ("0=ocfl_object_1.1", b"ocfl_object_1.1\n")
SIDECAR = "inventory.json.sha512"
_LONGEST_FOLDER = 100


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


def models(store: Store) -> list[ModelId]:
    """Return the id of each object, in order."""
    names = (name for name in store.list(f"{ROOT}/") if name.count("/") == 5)  # noqa: PLR2004
    return sorted(
        ModelId(Inventory.decode(store.get(name)).id)
        for name in names
        if name.endswith("/inventory.json")
    )


def load(store: Store, model: ModelId) -> Inventory | None:
    """Return the model's inventory, verified, or None if there is no object.

    Raises DamagedObject.
    """
    name = f"{folder(model)}/inventory.json"
    try:
        data = store.get(name)
    except NotFound:
        return None
    return verified(store, folder(model), data)


def verified(store: Store, place: str, data: bytes) -> Inventory:
    """Return the root inventory *data*, if its own digest or that of its version is right."""
    found = hashlib.sha512(data).hexdigest()
    try:
        inventory = Inventory.decode(data)
    except BadRecord as error:
        raise DamagedObject(
            name=f"{place}/inventory.json", found=str(error), expected="an OCFL inventory"
        ) from error
    # A writer that died between the two last writes leaves the older sidecar at the root.
    sides = [f"{place}/{SIDECAR}", f"{place}/{inventory.head}/{SIDECAR}"]
    if sidecar(data) not in [_get(store, side) for side in sides]:
        raise DamagedObject(name=f"{place}/inventory.json", found=found, expected="its sidecar's")
    return inventory


def read(store: Store, model: ModelId, path: str) -> bytes:
    """Return a record's bytes, or raise UnknownRecord or DamagedObject."""
    inventory = load(store, model)
    content = inventory.paths().get(path) if inventory else None
    if inventory is None or content is None:
        raise UnknownRecord(model=model, path=path)
    name, expected = f"{folder(model)}/{content}", inventory.digests()[content]
    data = _get(store, name)
    if data is None:
        raise DamagedObject(name=name, found="no file", expected=expected)
    if digest(data) != expected:
        raise DamagedObject(name=name, found=digest(data), expected=expected)
    return data


def records(store: Store, model: ModelId) -> dict[str, Digest]:
    """Return the SHA-256 of each record, by logical path."""
    inventory = load(store, model)
    if inventory is None:
        return {}
    digests = inventory.digests()
    return {path: digests[content] for path, content in sorted(inventory.paths().items())}


def commit(
    store: Store, model: ModelId, new: Mapping[str, bytes], *, now: Instant, message: str
) -> None:
    """Add records as one new version; those that are there with the same bytes are passed over.

    Raises Exists, and changes nothing, if one is there with other bytes.
    """
    for path in new:
        check_name(path)
    place = folder(model)
    inventory = _settle(store, model)
    there = records(store, model)
    for path, data in new.items():
        if there.get(path, digest(data)) != digest(data):
            raise Exists(name=f"the record {path} of {model}, with other bytes,")
    fresh = {path: data for path, data in new.items() if path not in there}
    _check_paths([*there, *fresh])
    if not fresh:
        return
    number = int(inventory.head[1:]) + 1 if inventory else 1
    left = _left(store, f"{place}/v{number}/content/")
    _put(store, f"{place}/{DECLARATION[0]}", DECLARATION[1])
    for path, data in fresh.items():
        if path not in left:
            store.put(f"{place}/v{number}/content/{path}", data)
        elif left[path] != data:
            store.replace(f"{place}/v{number}/content/{path}", data)
    following = _next(inventory, model, number, {**left, **fresh}, now, message)
    store.put(f"{place}/v{number}/inventory.json", following.encode())
    _publish(store, place, number)
