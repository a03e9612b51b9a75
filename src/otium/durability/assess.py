"""All three methods side by side, with what copies share and what rests on a pack."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, log1p

from otium.durability.chain import chain
from otium.durability.formula import formula
from otium.durability.records import YEAR, Durability, Estimate, Method, Setup, Term
from otium.durability.trials import trials

_BUSY = 0.1
"""From this load on the formula is off by more than its first term."""


def durability(setup: Setup, *, count: int = 100_000, seed: int = 1) -> Durability:
    """Return how likely a loss is, by three methods, with its terms and what limits them."""
    tried = trials(setup, count=count, seed=seed)
    exact = chain(setup)
    estimates = (
        _estimate(setup, "formula", formula(setup)),
        _estimate(setup, "chain", exact),
        _estimate(setup, "trials", tried.loss, tried.low, tried.high),
    )
    alone = Term(name="independent faults", loss=_any(exact, setup.packs))
    shared = [Term(name=c.name, loss=_any(c.rate, setup.years)) for c in setup.causes]
    kept, low, high = (_with_causes(setup, p) for p in (tried.loss, tried.low, tried.high))
    return Durability(
        setup=setup,
        loss=estimates[1].total,
        terms=tuple(sorted([alone, *shared], key=lambda term: -term.loss)),
        estimates=estimates,
        models_lost=setup.fan_in,
        bytes_lost=kept,
        bytes_low=low,
        bytes_high=high,
        sampled=tried.lives,
        how=tried.how,
        cautions=tuple(_cautions(setup)),
    )


def _any(chance: float, times: float) -> float:
    """Return the chance that at least one of so many independent losses comes."""
    return -expm1(times * log1p(-chance)) if chance < 1 else 1.0


def _with_causes(setup: Setup, loss: float) -> float:
    """Return the chance that *loss* or a common cause comes within the years."""
    spared = sum(setup.years * log1p(-cause.rate) for cause in setup.causes)
    return -expm1(spared + log1p(-loss)) if loss < 1 else 1.0


def _estimate(
    setup: Setup, method: Method, pack: float, low: float | None = None, high: float | None = None
) -> Estimate:
    found = [_any(p, setup.packs) for p in (pack, *(pack if x is None else x for x in (low, high)))]
    total, least, most = (_with_causes(setup, p) for p in found)
    return Estimate(
        method=method, independent=pack, model=found[0], total=total, low=least, high=most
    )


def _cautions(setup: Setup) -> Iterator[str]:
    load = setup.copies * setup.rate * setup.exposure
    if load > _BUSY and setup.lost_at > 1:
        yield (
            f"{load:.2g} of {setup.copies} copies are bad at a time: the formula is too high, and"
            " the chain, which knows no fixed scrubs, is off by some per cent; trust the trials."
        )
    if setup.lost_at > 1 and setup.years < 10 * setup.exposure:
        yield (
            f"{setup.years:g} years are short beside the {setup.exposure * YEAR:.0f} days for which"
            " a fault lasts, and all copies are good at the start: the formula is far too high, the"
            " chain knows that time by its mean alone; trust the trials."
        )
    if setup.packs > 1:
        yield (
            f"A model rests on {setup.packs:g} packs, taken to be lost one by one: if whole copies"
            " fail, they are lost together, and the chance for a model is nearer to a pack's."
        )
    if not setup.causes:
        yield "No common cause is counted. Copies that share nothing at all are rare."
