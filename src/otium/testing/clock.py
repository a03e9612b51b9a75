"""A clock that stands still until it is moved."""

from __future__ import annotations

from otium.records import Instant, instant, later


class FixedClock:
    """The time that a test or a story says it is."""

    def __init__(self, at: str = "2026-01-01T00:00:00Z") -> None:
        """Stop at *at*."""
        self._now = instant(at)

    def now(self) -> Instant:
        """Return the time."""
        return self._now

    def move(self, *, days: float = 0, seconds: float = 0) -> Instant:
        """Move on, or back."""
        self._now = later(self._now, days=days, seconds=seconds)
        return self._now

    def move_to(self, at: str) -> Instant:
        """Move to *at*."""
        self._now = instant(at)
        return self._now
