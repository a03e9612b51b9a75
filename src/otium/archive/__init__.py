"""The archive: weights and records, kept so that they can be read in decades.

Knows packs, indexes, recipes and manifests; deposits, restores and checks them.
Does not know what a model's life is, who may do what, or how a model runs.
Writes manifests and records. The format is `docs/formats/archive-1.md`.

>>> from otium.records import Instant, ModelId
>>> from otium.store import LocalStore
>>> now = Instant("2026-11-22T00:00:00Z")
>>> weights = tmp_path / "weights.bin"
>>> _ = weights.write_bytes(b"not for nothing")
>>> archive = Archive.create(
...     LocalStore(tmp_path / "archive"),
...     archive_id="example",
...     created=now,
...     origin="example.org/log",
...     keys=[],
... )
>>> manifest = archive.add(ModelId("smol-1"), weights, deposited=now)
>>> archive.check(now=now).ok
True
>>> archive.restore(ModelId("smol-1"), tmp_path / "again").weights == manifest.weights
True
"""

from otium.archive.archive import Archive
from otium.archive.check import DEACCESSION, Audit, info_digest, parts_lost
from otium.archive.packs import Pieces, Shelf, index_name, load_recipe, pack_name, recipe_name
from otium.archive.records import (
    ArchiveInfo,
    CheckResult,
    Damage,
    Entry,
    File,
    Index,
    Manifest,
    Piece,
    Plan,
    PlannedFile,
    Recipe,
    Runtime,
    Tensor,
)
from otium.archive.restore import OpenFile
from otium.archive.survey import weights_digest
from otium.formats import Runnable

__all__ = [
    "DEACCESSION",
    "Archive",
    "ArchiveInfo",
    "Audit",
    "CheckResult",
    "Damage",
    "Entry",
    "File",
    "Index",
    "Manifest",
    "OpenFile",
    "Piece",
    "Pieces",
    "Plan",
    "PlannedFile",
    "Recipe",
    "Runnable",
    "Runtime",
    "Shelf",
    "Tensor",
    "index_name",
    "info_digest",
    "load_recipe",
    "pack_name",
    "parts_lost",
    "recipe_name",
    "weights_digest",
]
