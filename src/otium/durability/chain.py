"""The absorbing Markov chain: exact for the times that it assumes."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

from otium.durability.records import Setup

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray


def chain(setup: Setup) -> float:
    """Return the chance to lose one pack within the years, common causes aside.

    State i says how many copies are bad; a fault leads up at (n-i) * rate, a repair down at
    i / exposure, and the last state is never left. All times are exponential, so a scrub that
    comes at fixed intervals is seen by its mean alone.
    """
    lost_at, rate, exposure = setup.lost_at, setup.rate, setup.exposure
    if not rate:
        return 0.0
    import numpy as np

    flow = np.zeros((lost_at + 1, lost_at + 1))
    for bad in range(lost_at):
        flow[bad, bad + 1] = (setup.copies - bad) * rate
        if bad:
            flow[bad, bad - 1] = bad / exposure
    return min(1.0, float(_after(flow, setup.years)[0, lost_at]))


def _after(flow: NDArray[float64], years: float) -> NDArray[float64]:
    """Return the chances to get from each state to each within *years*.

    By uniformization, scaling and squaring. Nothing is ever subtracted, so that a chance of
    1e-20 has as many right digits as one of 0.5; the usual exponential loses them.
    """
    import numpy as np

    leaving = flow.sum(axis=1)
    fastest = leaving.max() * years
    halvings = max(0, ceil(log2(fastest))) + 1 if fastest else 0
    step = years / 2**halvings
    stay = flow * step
    np.fill_diagonal(stay, (leaving.max() - leaving) * step)
    term = np.eye(len(flow))
    total = term.copy()
    for order in range(1, 24):  # the steps are at most 1/2: 0.5**24 / 24! is nothing
        term = term @ stay / order
        total += term
    total *= np.exp(-leaving.max() * step)
    for _ in range(halvings):
        total = total @ total
        total /= total.sum(axis=1, keepdims=True)
    return total
