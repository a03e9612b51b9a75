"""What the archive writes down about a model's files."""

from __future__ import annotations

from typing import Literal, NamedTuple

from otium.records import Digest, Instant, ModelId, Part, Record

Format = Literal["safetensors", "gguf", "json", "text", "inert"]


class Extent(NamedTuple):
    """Consecutive bytes of a weights file: its header, a tensor, or padding between them."""

    offset: int
    length: int
    name: str = ""
    """The tensor's name, with its type and shape; empty for header and padding."""
    dtype: str = ""
    shape: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """Return the offset of the byte after the last."""
        return self.offset + self.length


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
    """Consecutive bytes of a file and where they rest."""

    pack: str
    """SHA-256 of the pack, hexadecimal."""
    offset: int
    length: int
    sha256: str
    """Of the decoded bytes."""
    codec: Literal["raw"] = "raw"
    base: str | None = None
    """The piece (its sha256) that this one is a difference from."""


class Recipe(Record, tag="otium.recipe/1"):
    """How to put a file together: its pieces in order."""

    size: int
    sha256: str
    pieces: tuple[Piece, ...]


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


class Runnable(Part):
    """What must be kept beside the weights so that they run as they ran."""

    chat_template: Digest | None = None
    """Of the record ``chat_template.jinja``."""
    tokenizer: Digest | None = None
    """Of the GGUF file's ``tokenizer.`` entries, or of ``tokenizer.json``."""
    sampling: dict[str, float] = {}
    """The provider's sampling defaults."""
    runtime: dict[str, str] = {}
    """Names and versions of what ran the model."""


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
    duplicate_bytes: int


class Damage(Part):
    """One thing that a check found wrong."""

    name: str
    """The stored name, ``packs/ab/….pack``."""
    found: str
    expected: str
    models: tuple[ModelId, ...] = ()
    """Whose weights or records it touches."""


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
