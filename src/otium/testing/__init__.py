"""Doubles for every seam, for tests and for the demo's story."""

from otium.testing.clock import FixedClock
from otium.testing.planted import (
    Agreeable,
    EndsAbuse,
    FirstOption,
    Recaller,
    Refuser,
    Stable,
)
from otium.testing.scripted import END_CONVERSATION, REPLY, Scripted
from otium.testing.server import ServedEngine, serve
from otium.testing.store import MemoryStore

__all__ = [
    "END_CONVERSATION",
    "REPLY",
    "Agreeable",
    "EndsAbuse",
    "FirstOption",
    "FixedClock",
    "MemoryStore",
    "Recaller",
    "Refuser",
    "Scripted",
    "ServedEngine",
    "Stable",
    "serve",
]
