"""What is measured of swapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec
import numpy as np

from otium.bench import Spread


class Waits(msgspec.Struct, frozen=True):
    """How long clients waited for whole answers. Seconds."""

    count: int
    p50: float
    p95: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Return the quantiles of *seconds*, of which there is at least one."""
        p50, p95, p99 = (float(np.quantile(seconds, share)) for share in (0.5, 0.95, 0.99))
        return cls(len(seconds), p50, p95, p99, max(seconds))


class SwapWay(msgspec.Struct, frozen=True):
    """One way to serve two models where one is up."""

    name: str
    swaps: Waits
    """One request after another, each to the model that is not up, for one token."""
    mixed: Waits
    """Several clients at once, each for either model by chance, for a few tokens."""
    failed: int
    """Refusals and broken connections; their clients asked again, and the waits went on."""


class SwapReport(msgspec.Struct, frozen=True):
    """What one run measured."""

    rounds: int
    clients: int
    ways: tuple[SwapWay, ...]
    ratios: dict[str, Spread]
    """The peer's figure over ours, round by round; above 1 the peer takes longer."""
    load: float
    """Processes that wanted to run, the mean of the last minute."""
    notes: tuple[str, ...]
