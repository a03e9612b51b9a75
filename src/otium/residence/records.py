"""What is said of a model's place: its state, what it waits for, what it costs, who may ask."""

from __future__ import annotations

from typing import Literal

from otium.engine import Endpoint
from otium.fingerprints import Certificate
from otium.records import ModelId, Part

EngineStatus = Literal["unloaded", "loading", "loaded", "stopping", "failed"]
"""llama-server's words. A model that waits for room counts as ``loading``."""

_MINUTE = 60.0


class Running(Part):
    """An engine that is up, and how it compares with its model's fingerprint."""

    endpoint: Endpoint
    certificate: Certificate | None = None


class Limits(Part):
    """What a residence may use and whom it serves. Times are seconds; 0 means no limit."""

    engines: int = 2
    """How many engines may be up at once."""
    bytes: int = 0
    """How much memory all engines together may hold."""
    loads: int = 4
    """How many may load at once: loads share one disk."""
    idle_seconds: float = 300.0
    """An engine without use is stopped after this time."""
    turn_seconds: float = 15.0
    """A model that has waited so long for room is next: engines in use finish and make way."""
    hold_seconds: float = 30.0
    """How long a fresh engine is kept for those who asked for it and left meanwhile."""
    failure_seconds: float = 30.0
    """How long a failed load is remembered; doubled for each failure in a row, to 16 times."""
    half_life_seconds: float = 6 * 3600.0
    """How fast past use counts less."""
    per_caller: int = 0
    """How many leases one caller may hold or wait for."""
    per_model: int = 0
    """How many leases of one engine are held at once; the next ones queue."""
    queue: int = 512
    """How many may wait for one model."""
    pinned: tuple[ModelId, ...] = ()
    """Models that stay up once they are up."""


class Standing(Part):
    """One model's place, for people and for ``202 Accepted``."""

    model: ModelId
    status: EngineStatus
    stage: str
    """What happens now, in words."""
    users: int
    """Answers in the making."""
    waiting: int
    """Requests that wait for it."""
    ahead: int
    """Models that get room before it."""
    bytes: int
    """Resident size: measured, else estimated, else 0."""
    measured: bool
    """Whether the size was measured."""
    per_hour: float
    """Estimated requests an hour."""
    load_seconds: float | None
    """What a load takes, from earlier ones; None if nothing is known."""
    eta_seconds: float | None
    """When it is expected to be up; 0 if it is, None if nobody can say."""
    retry_seconds: float = 0.0
    """How long a failure is still remembered."""
    pinned: bool = False
    loads: int = 0
    failures: int = 0
    """Failed loads in a row."""
    crashes: int = 0
    """How often a running engine broke."""

    def sentence(self) -> str:
        """Return all that helps someone who waits, in one line.

        >>> wait = Standing(
        ...     model=ModelId("smol-1"), status="loading", stage="is being loaded", users=0,
        ...     waiting=2, ahead=0, bytes=0, measured=False, per_hour=1.0, load_seconds=12.0,
        ...     eta_seconds=9.0,
        ... )
        >>> wait.sentence()
        'smol-1 is being loaded, about 9 s left'
        """
        if self.status == "loading" and self.eta_seconds is not None:
            return f"{self.model} {self.stage}, about {_spell(self.eta_seconds)} left"
        if self.status == "failed":
            return f"{self.model} {self.stage}; tried again in {_spell(self.retry_seconds)}"
        return f"{self.model} {self.stage}"


class Notice(Part):
    """Something that happened to an engine, for logs and metrics."""

    kind: Literal["loaded", "failed", "tried again", "given up", "stopped", "crashed", "made way"]
    """``tried again``: a load broke and is repeated. ``given up``: it broke too often when up."""
    model: ModelId
    seconds: float = 0.0
    """How long the load took."""
    bytes: int = 0
    why: str = ""


def _spell(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
