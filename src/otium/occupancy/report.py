"""What is measured, and the figures to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from otium.bench import Goal, Spread
from otium.occupancy.bounds import optimum
from otium.occupancy.replays import FORESIGHT, RULES, Outcome, Rule, known_rates
from otium.occupancy.traces import KINDS, Demand, Trace
from otium.occupancy.trial import Found, Setting, hold_trial
from otium.records import Progress, silent

BUDGET = 1_000_000_000
_OF_OPTIMUM = 0.95
_EXPONENTS = (0.8, 1.0, 1.2, 1.5)
_ANNOUNCED = 1.2
_ALL: dict[str, Rule] = {**RULES, "true rates": known_rates, **FORESIGHT}


class Rate(msgspec.Struct, frozen=True):
    """How often a rule had the model up, over seeded traces of one kind."""

    trace: str
    exponent: float
    rule: str
    hits: Spread
    """Share of the requests whose model was up."""
    of_optimum: Spread
    """Those hits, over the bound on any schedule's."""
    of_saving: Spread
    """The seconds of loading saved, over the bound on any schedule's."""


class Occupancy(msgspec.Struct, frozen=True):
    """All that one run measured."""

    models: int
    requests: int
    budget: int
    """Bytes."""
    seeds: int
    rates: tuple[Rate, ...]
    trials: tuple[Found, ...]
    goals: tuple[Goal, ...]


def replay(demand: Demand, kind: str, seeds: Sequence[int], budget: int = BUDGET) -> list[Rate]:
    """Replay traces of a kind under every rule; beside each stand the same bounds."""
    drawn = [KINDS[kind](demand, seed) for seed in seeds]
    best = [_bounds(trace, budget) for trace in drawn]
    return [
        _rate(kind, demand, name, [(rule(trace, budget), trace) for trace in drawn], best)
        for name, rule in _ALL.items()
    ]


def measure(
    *,
    seeds: int = 10,
    trials: int = 1,
    quick: bool = False,
    progress: Progress = silent,
) -> Occupancy:
    """Replay traces and hold trials with real processes; *quick* makes both a fifth as long."""
    demand = Demand(requests=1600) if quick else Demand()
    kinds = [("Zipf", exponent) for exponent in _EXPONENTS]
    kinds += [(name, _ANNOUNCED) for name in KINDS if name != "Zipf"]
    rates: list[Rate] = []
    for number, (kind, exponent) in enumerate(kinds):
        progress("traces", number, len(kinds))
        rates += replay(replace(demand, exponent=exponent), kind, range(seeds))
    found = []
    for seed in range(trials):
        progress("trials", seed, trials)
        requests = 1200 if quick else 6000
        found.append(hold_trial(Setting(demand=Demand(requests=requests), seed=seed)))
    return Occupancy(
        demand.models,
        demand.requests,
        BUDGET,
        seeds,
        tuple(rates),
        tuple(found),
        _goals(rates, found),
    )


def _bounds(trace: Trace, budget: int) -> tuple[float, float]:
    ones = np.ones(len(trace.models))
    return optimum(trace, budget, ones), optimum(trace, budget, trace.costs)


def _rate(
    kind: str,
    demand: Demand,
    name: str,
    outcomes: list[tuple[Outcome, Trace]],
    best: list[tuple[float, float]],
) -> Rate:
    return Rate(
        kind,
        demand.exponent,
        name,
        Spread.of([one.hits / len(trace.asked) for one, trace in outcomes]),
        Spread.of([one.hits / hits for (one, _), (hits, _) in zip(outcomes, best, strict=True)]),
        Spread.of([one.saved / most for (one, _), (_, most) in zip(outcomes, best, strict=True)]),
    )


def _goals(rates: Sequence[Rate], found: Sequence[Found]) -> tuple[Goal, ...]:
    [main] = [
        rate
        for rate in rates
        if (rate.trace, rate.exponent, rate.rule) == ("Zipf", _ANNOUNCED, "otium")
    ]
    what = f"hit rate over the optimum's, Zipf {_ANNOUNCED:g}"
    reached = main.of_optimum
    goals = [Goal(what, "", "more", _OF_OPTIMUM, reached.median, reached)]
    for name, figures in {
        "wrong answers in the trial": [one.wrong for one in found],
        "requests lost": [one.lost for one in found],
        "loads cancelled by clients": [one.cancelled_loads for one in found],
        "two loads of a model at once": [one.doubled_loads for one in found],
        "bytes set aside over the budget": [
            max(one.most_reserved - one.budget, 0) for one in found
        ],
        "bytes held over the budget": [max(one.most_held - one.budget, 0) for one in found],
    }.items():
        goals += [Goal(name, "", "less", 0, max(figures))] if figures else []
    if found:
        shares = [one.hit_rate / one.optimum for one in found]
        what = "hit rate over the optimum's, in the trial"
        goals.append(Goal(what, "", "more", _OF_OPTIMUM, min(shares), Spread.of(shares)))
    return tuple(goals)
