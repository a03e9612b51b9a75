"""Objects: the records about a model, kept as an OCFL 1.1 object that only grows.

Knows inventories, versions and how a version is committed by one write, whoever else writes.
Does not know what the records say. Writes objects (`SPEC.md`, "Records").

>>> from otium.records import Instant, ModelId
>>> from otium.store import LocalStore
>>> store, smol = LocalStore(tmp_path), ModelId("smol-1")
>>> commit(store, smol, {"a.json": b"{}"}, now=Instant("2026-11-22T00:00:00Z"), message="A")
>>> read(store, smol, "a.json")
b'{}'
"""

from otium.objects.inventory import UNFINISHED, Inventory, folder
from otium.objects.ocfl import (
    PLACE,
    ROOT_FILES,
    commit,
    digests,
    files,
    models,
    places,
    read,
    settle,
    trusted,
    verified,
)

__all__ = [
    "PLACE",
    "ROOT_FILES",
    "UNFINISHED",
    "Inventory",
    "commit",
    "digests",
    "files",
    "folder",
    "models",
    "places",
    "read",
    "settle",
    "trusted",
    "verified",
]
