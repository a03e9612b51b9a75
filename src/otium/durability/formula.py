"""The closed form: right to first order, where faults are rare and mended soon."""

from __future__ import annotations

from math import exp, expm1, lgamma, log

from otium.durability.records import Setup


def formula(setup: Setup) -> float:
    """Return the chance to lose one pack within the years, common causes aside.

    A loss is a fault that strikes while all but the last of the copies that can be spared are
    bad: a rate of n! / ((k-1)! (L-1)!) rate^L exposure^(L-1), with L = n-k+1. Faults must be rare
    beside repair: it overstates once copies * rate * exposure comes near 1.
    """
    lost_at, rate, exposure = setup.lost_at, setup.rate, setup.exposure
    if not rate:
        return 0.0
    ways = lgamma(setup.copies + 1) - lgamma(setup.needed) - lgamma(lost_at)
    at_once = (lost_at - 1) * log(exposure)
    losses = exp(ways + lost_at * log(rate) + at_once) * setup.years
    return -expm1(-losses)
