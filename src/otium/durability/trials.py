"""Monte Carlo with scrubs at fixed intervals: each copy fails, waits for its scrub, is mended.

Where a loss is likely enough to be met, whole lives are played. Where it is not, each trial
begins with a fault and the next ones are forced to come before all is mended; the trial then
weighs what that chance was (importance sampling, "forced transitions" of Nicola, Nakayama,
Heidelberger and Goyal, 1991). Both are unbiased but for what `trials` says.
"""

from __future__ import annotations

from math import expm1, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from otium.durability.formula import formula
from otium.durability.records import YEAR, Setup

if TYPE_CHECKING:
    from numpy import bool_, float64, intp
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[float64]

_LIKELY = 0.01
"""From this chance on, some thousand whole lives meet enough losses."""
_Z = 1.959964
_EVENTS = 4e7
_FEWEST = 500


class Sampled(NamedTuple):
    """A chance that was sampled, with its 95 % interval."""

    loss: float
    low: float
    high: float
    lives: int
    how: Literal["whole lives", "forced cycles", "nothing to try"]


def trials(setup: Setup, *, count: int = 100_000, seed: int = 1) -> Sampled:
    """Return the chance to lose one pack within the years, common causes aside.

    Forced cycles need the chance that all copies are good when one begins, and take it from the
    chain's kind of faults; that is off by a part of copies * rate * exposure, no more. Fewer than
    *count* lives are played if each holds very many faults.
    """
    if not setup.rate:
        return Sampled(0.0, 0.0, 0.0, 0, "nothing to try")
    import numpy as np

    chance = np.random.default_rng(seed)
    if formula(setup) >= _LIKELY:
        events = 2 * setup.copies * setup.rate * setup.years + 1
        return _lives(setup, max(_FEWEST, min(count, int(_EVENTS / events))), chance)
    return _cycles(setup, count, chance)


class _Copies:
    """The clocks of some trials' copies: when each is scrubbed, how long its faults last."""

    def __init__(self, setup: Setup, count: int, chance: Generator) -> None:
        self.scrub, self.repair = setup.scrub_days / YEAR, setup.repair_days / YEAR
        self.latent = setup.latent / setup.rate
        self.chance = chance
        self.phases = chance.uniform(0, self.scrub, (count, setup.copies))

    def mended(self, rows: NDArray[intp], which: NDArray[intp], at: Floats) -> Floats:
        """Return when the faults at times *at* of copies *which* of trials *rows* are mended."""
        import numpy as np

        phase = self.phases[rows, which]
        scrubbed = phase + np.ceil((at - phase) / self.scrub) * self.scrub
        waits = self.chance.random(len(at)) < self.latent
        return np.where(waits, scrubbed, at) + self.chance.exponential(self.repair, len(at))


def _lives(setup: Setup, count: int, chance: Generator) -> Sampled:
    """Play whole lives, the next event of all of them at once, until each is lost or over."""
    import numpy as np

    copies = _Copies(setup, count, chance)
    due = chance.exponential(1 / setup.rate, (count, setup.copies))
    bad = np.zeros((count, setup.copies), dtype=bool)
    alive, lost = np.arange(count), 0
    while len(alive):
        which = due[alive].argmin(axis=1)
        at = due[alive, which]
        fails = ~bad[alive, which]
        bad[alive, which] = fails
        good_again = at + chance.exponential(1 / setup.rate, len(alive))
        due[alive, which] = np.where(fails, copies.mended(alive, which, at), good_again)
        gone = (bad[alive].sum(axis=1) >= setup.lost_at) & (at <= setup.years)
        lost += int(gone.sum())
        alive = alive[~gone & (at <= setup.years)]
    share = lost / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2) * _Z / (1 + _Z**2 / count)
    return Sampled(share, max(0.0, middle - half), min(1.0, middle + half), count, "whole lives")


def _cycles(setup: Setup, count: int, chance: Generator) -> Sampled:
    """Weigh cycles that begin with a fault, at a time when all copies are good."""
    weights = _weights(setup, count, chance)
    begun = setup.copies * setup.rate * setup.years
    mean = float(weights.mean())
    half = _Z * float(weights.std(ddof=1)) / sqrt(count)
    loss, low, high = (-expm1(-begun * max(0.0, x)) for x in (mean, mean - half, mean + half))
    return Sampled(loss, low, high, count, "forced cycles")


def _weights(setup: Setup, count: int, chance: Generator) -> Floats:
    """Return for each cycle the weight of the loss it ended in, or 0."""
    import numpy as np

    copies, lost_at = _Copies(setup, count, chance), setup.lost_at
    now = chance.uniform(0, setup.years, count)
    ends = np.full((count, setup.copies), -np.inf)
    weights, found = _all_good(setup, now), np.zeros(count)
    alive, which, faults = np.arange(count), np.zeros(count, dtype=np.intp), 0
    while len(alive):
        at = now[alive]
        ends[alive, which] = copies.mended(alive, which, at)
        faults += 1
        gone = (ends[alive] > at[:, None]).sum(axis=1) >= lost_at
        found[alive[gone]] = weights[alive[gone]]
        alive = alive[~gone]
        at, factor, goes_on = _next(setup, ends[alive], now[alive], chance, force=faults < lost_at)
        now[alive] = at
        weights[alive] *= factor
        alive = alive[goes_on & (at <= setup.years)]
        which = _one_good(ends[alive], now[alive], chance)
    return found


def _all_good(setup: Setup, at: Floats) -> Floats:
    """Return how likely all copies are good at times *at*, if all were at the start.

    As if faults lasted for exponential times, which matters while they are seldom over.
    """
    import numpy as np

    if setup.lost_at == 1:
        return np.ones(len(at))  # the first fault is the loss
    bad = setup.rate / (setup.rate + 1 / setup.exposure)
    settled = -np.expm1(-(setup.rate + 1 / setup.exposure) * at)
    good: Floats = (1 - bad * settled) ** setup.copies
    return good


def _next(
    setup: Setup, ends: Floats, now: Floats, chance: Generator, *, force: bool
) -> tuple[Floats, Floats, NDArray[bool_]]:
    """Draw each cycle's next fault: its time, its weight, and if it comes before all is mended.

    The more copies are mended, the more can fail: the hazard grows at each of the *ends*.
    """
    import numpy as np

    ends = np.sort(np.maximum(ends, now[:, None]), axis=1)
    good = np.arange(1, setup.copies + 1)
    waits = ends - now[:, None]
    hazards = setup.rate * (good * waits - waits.cumsum(axis=1))
    whole = hazards[:, -1]
    comes = -np.expm1(-whole)
    drawn = -np.log1p(-chance.random(len(now)) * (comes if force else 1.0))
    last = np.maximum((hazards <= drawn[:, None]).sum(axis=1) - 1, 0)
    rows = np.arange(len(now))
    at = ends[rows, last] + (drawn - hazards[rows, last]) / (setup.rate * good[last])
    return at, comes if force else np.ones(len(now)), drawn < whole


def _one_good(ends: Floats, now: Floats, chance: Generator) -> NDArray[intp]:
    """Choose one of the good copies of each cycle."""
    import numpy as np

    keys = np.where(ends > now[:, None], -1.0, chance.random(ends.shape))
    chosen: NDArray[intp] = keys.argmax(axis=1)
    return chosen
