"""What the archive writes down about a model's files."""

from __future__ import annotations

from typing import Literal

from otium.records import Digest, Instant, ModelId, Part, Record


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
    blake3: str
    format: Literal["safetensors", "gguf", "json", "text", "inert"]
    recipe: str
    """SHA-256 of the recipe."""
    tensors: tuple[Tensor, ...] = ()


class Runnable(Part):
    """What must be kept beside the weights so that they run as they ran."""

    chat_template: Digest | None = None
    tokenizer: Digest | None = None
    sampling: dict[str, float] = {}
    """The provider's sampling defaults."""
    runtime: dict[str, str] = {}
    """Names and versions of what ran the model."""


class Manifest(Record, tag="otium.manifest/1"):
    """Everything that was deposited for one model."""

    model: ModelId
    deposited: Instant
    weights: Digest
    """The digest that names these weights: of the canonical JSON list of ``[path, sha256]``."""
    files: tuple[File, ...]
    runnable: Runnable
    parents: tuple[ModelId, ...] = ()


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
