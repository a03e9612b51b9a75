"""Evidence: running a model under a protocol, and what it said."""

from otium.evidence.records import (
    Check,
    Citation,
    Transcript,
    Turn,
    Validity,
)

__all__ = [
    "Check",
    "Citation",
    "Transcript",
    "Turn",
    "Validity",
]
