"""The archive: weights and records, kept so that they can be read in decades."""

from otium.archive.records import (
    CheckResult,
    Damage,
    File,
    Manifest,
    Piece,
    Recipe,
    Runnable,
    Tensor,
)

__all__ = [
    "CheckResult",
    "Damage",
    "File",
    "Manifest",
    "Piece",
    "Recipe",
    "Runnable",
    "Tensor",
]
