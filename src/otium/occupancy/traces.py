"""Traces of requests whose truth is known: who is asked when, how large each model is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from otium.records import ModelId

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SPAWN = 0.05
_BYTES_PER_SECOND = 1e9
_GOES_ON = 0.7
_ANNOUNCED = 0.1
"""Requests per second for all retired models together, the demand of the cost model."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Requests, one after another."""

    models: tuple[ModelId, ...]
    sizes: Ints
    """Resident bytes of each model."""
    costs: Floats
    """Seconds that a load of each takes."""
    asked: Ints
    """The number of the model that each request asks for."""
    times: Floats
    """When, in seconds."""
    rates: Floats
    """The true chance that a request asks for each model, on average over the trace."""

    def next_uses(self) -> Ints:
        """Return for each request the number of the next one for its model, or their count."""
        after = np.full(len(self.asked), len(self.asked), dtype=np.int64)
        last: dict[int, int] = {}
        for number, model in enumerate(self.asked.tolist()):
            if model in last:
                after[last[model]] = number
            last[model] = number
        return after


@dataclass(frozen=True)
class Demand:
    """How a trace is drawn. Popularity and size have nothing to do with one another."""

    models: int = 200
    requests: int = 8000
    exponent: float = 1.2
    """Zipf's: the model of rank r is asked in proportion to r to minus this."""
    mean_bytes: float = 10e6
    spread: float = 0.5
    """Sizes are uniform between (1 - spread) and (1 + spread) times the mean."""
    per_second: float = _ANNOUNCED


def zipf(demand: Demand, seed: int) -> Trace:
    """Draw each request by itself: nothing but popularity tells what comes next."""
    chances = _zipf(demand)
    random = np.random.default_rng(seed)
    order = random.permutation(demand.models)
    return _trace(demand, random, random.choice(order, demand.requests, p=chances))


def drifting(demand: Demand, seed: int) -> Trace:
    """Draw likewise, but every tenth of the trace a quarter of the models change their places."""
    chances = _zipf(demand)
    random = np.random.default_rng(seed)
    order = random.permutation(demand.models)
    parts: list[Ints] = []
    marks = np.linspace(0, demand.requests, 11).astype(int)
    for start, end in pairwise(marks.tolist()):
        moved = random.choice(demand.models, demand.models // 4, replace=False)
        order[moved] = order[random.permutation(moved)]
        parts.append(random.choice(order, end - start, p=chances))
    return _trace(demand, random, np.concatenate(parts))


def in_sessions(demand: Demand, seed: int) -> Trace:
    """Draw conversations: with a chance of 0.7 a request asks for one of the last four models."""
    chances = _zipf(demand)
    random = np.random.default_rng(seed)
    order = random.permutation(demand.models)
    asked = random.choice(order, demand.requests, p=chances)
    goes_on = random.random(demand.requests) < _GOES_ON
    back = random.integers(1, 5, demand.requests)
    for number in range(4, demand.requests):
        if goes_on[number]:
            asked[number] = asked[number - back[number]]
    return _trace(demand, random, asked)


KINDS: dict[str, Callable[[Demand, int], Trace]] = {
    "Zipf": zipf,
    "Zipf, drifting": drifting,
    "Zipf, in sessions": in_sessions,
}


def of_requests(
    asked: Sequence[ModelId], sizes: dict[ModelId, int], costs: dict[ModelId, float]
) -> Trace:
    """Return a trace of requests that really happened, a second apart."""
    models = tuple(sorted(sizes))
    number = {model: index for index, model in enumerate(models)}
    chosen = np.array([number[model] for model in asked], dtype=np.int64)
    return Trace(
        models,
        np.array([sizes[model] for model in models], dtype=np.int64),
        np.array([costs[model] for model in models], dtype=np.float64),
        chosen,
        np.arange(len(asked), dtype=np.float64),
        np.bincount(chosen, minlength=len(models)) / max(len(asked), 1),
    )


def _zipf(demand: Demand) -> Floats:
    weights = np.arange(1, demand.models + 1, dtype=np.float64) ** -demand.exponent
    chances: Floats = weights / weights.sum()
    return chances


def _trace(demand: Demand, random: np.random.Generator, asked: Ints) -> Trace:
    least, most = 1 - demand.spread, 1 + demand.spread
    factors = random.uniform(least, most, demand.models)
    sizes = (demand.mean_bytes * factors).astype(np.int64)
    gaps = random.exponential(1 / demand.per_second, demand.requests)
    return Trace(
        tuple(ModelId(f"m{number:03}") for number in range(demand.models)),
        sizes,
        _SPAWN + sizes / _BYTES_PER_SECOND,
        asked.astype(np.int64),
        np.cumsum(gaps),
        np.bincount(asked, minlength=demand.models) / demand.requests,
    )
