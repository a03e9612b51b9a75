"""What is remembered of a model's use: how often it is asked, how long it loads, how large it is.

From this follows what its engine is worth: the seconds of loading that it saves in a second, for
the share of the machine that it takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_GUESS = 1.0
"""Seconds: what a load is taken to cost while nothing at all is known."""
_SMOOTH = 0.3
"""Weight of the newest load in the smoothed load time."""


@dataclass(slots=True)
class History:
    """One model's past. A hundred bytes; it outlives the engine."""

    count: float = 0.0
    """Uses, each halved with every half-life since."""
    counted: float = -math.inf
    """When the count was last brought up to date."""
    last: float = -math.inf
    """The last use."""
    load_seconds: float | None = None
    bytes: int | None = None
    measured: bool = False
    loads: int = 0
    failures: int = 0
    crashes: int = 0
    broken: int = 0
    """Crashes since the last good answer."""

    def used(self, now: float, half_life: float) -> None:
        """Count a use."""
        self.count = self._decayed(now, half_life) + 1.0
        self.counted = self.last = now

    def rate(self, now: float, half_life: float) -> float:
        """Return the estimated uses per second: the decayed count over its mean memory.

        An exponentially decayed count of a Poisson stream has the mean rate * half_life / ln 2.
        """
        return self._decayed(now, half_life) * math.log(2) / half_life

    def loaded(self, seconds: float, size: int | None) -> None:
        """Learn from a load that went well; *size* is in bytes if it could be measured."""
        self.loads += 1
        self.failures = 0
        old = self.load_seconds
        self.load_seconds = seconds if old is None else old + _SMOOTH * (seconds - old)
        if size is not None:
            self.sized(size)

    def sized(self, size: int) -> None:
        """Learn how large the engine is, in bytes. It may shrink again: the largest size counts."""
        self.bytes = max(size, self.bytes or 0) if self.measured else size
        self.measured = True

    def worth(self, now: float, half_life: float, share: float) -> float:
        """Return what keeping the engine saves per second, over the *share* that it takes."""
        cost = _GUESS if self.load_seconds is None else max(self.load_seconds, 1e-3)
        return cost * self.rate(now, half_life) / max(share, 1e-12)

    def _decayed(self, now: float, half_life: float) -> float:
        if self.count == 0.0:
            return 0.0
        return self.count * math.exp2((self.counted - now) / half_life)
