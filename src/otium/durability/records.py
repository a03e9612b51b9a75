"""What goes into the calculation and what comes out of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from otium.records import Part, Record

YEAR = 365.25
"""Days."""

Method = Literal["formula", "chain", "trials"]
_Rate = Annotated[float, Meta(ge=0, le=100)]
_Days = Annotated[float, Meta(ge=0.001, le=36525)]


class Cause(Part):
    """Something that all copies share, so that it can take all of them at once."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    rate: Annotated[float, Meta(ge=0, lt=1)]
    """The chance in a year that it does (beta)."""


CAUSES = (
    Cause(name="administrator", rate=1e-3),
    Cause(name="account and billing", rate=1e-3),
    Cause(name="software", rate=1e-3),
    Cause(name="key set", rate=1e-3),
    Cause(name="region", rate=1e-3),
    Cause(name="law", rate=1e-3),
)
"""What copies share unless somebody has seen to it that they do not. The rates are assumed."""


class Setup(Part):
    """How one pack is kept. Rates are per copy and year."""

    copies: Annotated[int, Meta(ge=1, le=40)] = 3
    needed: Annotated[int, Meta(ge=1, le=40)] = 1
    """How many of the copies (fragments, for an erasure code) are enough to read it."""
    visible: _Rate = 0.01
    """Faults that are noticed at once: a disk, a bucket, a custodian that is gone."""
    latent: _Rate = 0.01
    """Faults that nobody sees before the next scrub."""
    scrub_days: _Days = 90
    repair_days: _Days = 30
    """From the moment a fault is known until the copy is whole again, on average."""
    years: Annotated[float, Meta(gt=0, le=1000)] = 50
    causes: tuple[Cause, ...] = CAUSES
    packs: Annotated[float, Meta(ge=1, le=1e6)] = 1
    """On how many packs a model rests, on average."""
    fan_in: Annotated[float, Meta(ge=1, le=1e6)] = 1
    """How many models rest on a pack, on average."""

    @property
    def rate(self) -> float:
        """Return faults per copy and year."""
        return self.visible + self.latent

    @property
    def lost_at(self) -> int:
        """Return how many copies must be bad at once for a loss."""
        return self.copies - self.needed + 1

    @property
    def exposure(self) -> float:
        """Return for how many years a copy with a fault stays bad, on average."""
        if not self.rate:
            return 0.0
        waiting = self.latent * self.scrub_days / 2 / self.rate
        return (waiting + self.repair_days) / YEAR


class Estimate(Part):
    """What one method finds."""

    method: Method
    independent: float
    """The chance to lose one pack within the years by faults that strike copies one by one."""
    model: float
    """The same for a model, which needs all its packs."""
    total: float
    """The chance to lose a model, common causes among them."""
    low: float
    high: float
    """A 95 % interval of `total`; the same as it for a method without chance."""


class Term(Part):
    """One way in which a model can be lost, alone."""

    name: str
    loss: float
    """Its chance within the years."""


class Durability(Record, tag="otium.durability/1"):
    """How likely a loss is, what it hangs on, and how well that is known."""

    setup: Setup
    loss: float
    """The chance to lose a given model within the years: the chain's total."""
    terms: tuple[Term, ...]
    """The largest first."""
    estimates: tuple[Estimate, ...]
    models_lost: float
    """Expected number of models lost with a pack."""
    bytes_lost: float
    """Expected bytes lost for each byte kept, over the years, by the trials (after NOMDL)."""
    bytes_low: float
    bytes_high: float
    """A 95 % interval of `bytes_lost`."""
    sampled: int
    """How many lives were tried."""
    how: Literal["whole lives", "forced cycles", "nothing to try"]
    cautions: tuple[str, ...]
    """Where these inputs lie outside of what a method can say."""

    @property
    def largest(self) -> Term:
        """Return the term that contributes most."""
        return self.terms[0]
