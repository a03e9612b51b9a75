"""What the archive writes down about a model's files."""

from __future__ import annotations

from typing import Literal

from otium.formats import Runnable
from otium.records import Digest, Instant, ModelId, Part, Record

Codec = Literal[
    "raw", "deflate", "lzma", "bytes", "float", "delta", "exponent", "quant", "scaled"
]  # fmt: skip
"""How a piece is stored (SPEC.md, "Codecs")."""
Format = Literal["safetensors", "gguf", "json", "text", "inert"]


class ArchiveInfo(Record, tag="otium.archive/1"):
    """What an archive is: ``archive.json``, written last, whose digest opens the ledger."""

    id: str
    created: Instant
    hashes: tuple[str, ...]
    """The algorithms in use, the authoritative one first."""
    origin: str
    """The origin line of the ledger's checkpoints."""
    keys: tuple[str, ...]
    """Verifier keys of the ledger."""
    files: dict[str, Digest]
    """The files beside this one that explain and check the archive."""


class Piece(Part):
    """Consecutive bytes of a file, how they are coded and where they rest."""

    pack: str
    """SHA-256 of the pack, hexadecimal."""
    offset: int
    stored: int
    """Bytes in the pack, from *offset*."""
    size: int
    """Bytes when decoded."""
    sha256: str
    """Of the decoded bytes."""
    codec: Codec
    bases: tuple[int, ...] = ()
    """The pieces of the recipe that it is coded against."""


class Recipe(Record, tag="otium.recipe/1"):
    """How to put a file together."""

    size: int
    sha256: str
    pieces: tuple[Piece, ...]
    """The file's, and those that they are coded against."""
    order: tuple[int, ...]
    """The file is these pieces, one after the other."""


class Entry(Part):
    """A piece of a pack."""

    offset: int
    stored: int
    size: int
    sha256: str
    codec: Codec
    bases: tuple[str, ...] = ()
    """The pieces (their sha256) that it is coded against."""


class Index(Record, tag="otium.index/1"):
    """What is in a pack: so that a deposit that was cut short goes on where it was."""

    pack: str
    pieces: tuple[Entry, ...]


class Tensor(Part):
    """One tensor of a weights file."""

    name: str
    dtype: str
    """The format's own name: BF16, F32, Q4_1."""
    shape: tuple[int, ...]
    """As the format writes it (GGUF: the fastest dimension first)."""
    offset: int
    """From the start of the file."""
    length: int
    sha256: str


class File(Part):
    """One deposited file."""

    path: str
    """Relative, ``/``-separated."""
    size: int
    sha256: str
    """Hexadecimal, as ``sha256sum`` prints it."""
    blake3: str
    format: Format
    recipe: str
    """SHA-256 of the recipe."""
    tensors: tuple[Tensor, ...] = ()


class Runtime(Record, tag="otium.runtime/1"):
    """What ran the model, and how it was sampled: the record ``runtime.json``."""

    versions: dict[str, str]
    sampling: dict[str, float]


class Manifest(Record, tag="otium.manifest/1"):
    """Everything that was deposited for one model."""

    model: ModelId
    deposited: Instant
    weights: Digest
    """The digest that names these weights: of the canonical JSON list of ``[path, sha256]``."""
    files: tuple[File, ...]
    """All files deposited, in order of path."""
    runnable: Runnable
    parents: tuple[ModelId, ...] = ()
    """What it was made from, as the depositor said."""
    sketch: str = ""
    """A few of its weights, base64, by which its relatives are found (``sketch-1.md``)."""


class PlannedFile(Part):
    """What a deposit would store for one file."""

    path: str
    size: int
    sha256: str
    format: Format
    tensors: int
    new_bytes: int
    """Not in the archive yet, and not in a file listed before."""


class Plan(Part):
    """What a deposit would store: its dry run."""

    weights: Digest
    files: tuple[PlannedFile, ...]
    bytes: int
    new_bytes: int
    """Before they are coded."""
    duplicate_bytes: int
    relatives: tuple[ModelId, ...] = ()
    """The kept models against which they would be coded."""


class Damage(Part):
    """One thing that a check found wrong."""

    name: str
    """The stored name, ``packs/ab/….pack``."""
    found: str
    expected: str
    models: tuple[ModelId, ...] = ()
    """Whose weights or records it touches."""
    tensors: tuple[str, ...] = ()
    """``path: tensor`` of what cannot be restored, ``path`` where it is no tensor."""


class CheckResult(Record, tag="otium.check/1"):
    """What a full read of the archive, or of one model's part of it, found."""

    checked: Instant
    objects: int
    bytes: int
    damage: tuple[Damage, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.damage
