"""Doubles for every seam, for tests and for the demo's story."""

from otium.testing.clock import FixedClock
from otium.testing.store import MemoryStore

__all__ = ["FixedClock", "MemoryStore"]
