"""Protocols by what people call them: published here, or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otium.protocols import Protocol

STANDARD = "retirement-interview-1.0"
"""The protocol that is meant where none is named."""


def protocol_named(name: str) -> Protocol:
    """Return the protocol that comes with otium under *name*, or stands in a file ``….md``."""
    from otium.protocols import load_protocol

    return load_protocol(Path(name) if name.endswith(".md") else name)
