"""From requests to engines that are up: exact for Poisson arrivals, checked by simulation.

A model that is asked for λ times a second, loads in L seconds and stays up for T seconds after
each request's turn, is up in cycles: down for 1/λ on average, loading for L, then up for a busy
period of an M/G/∞ queue, (exp(λT) - 1)/λ (Takács, "Introduction to the theory of queues", 1962).
So it is down for the share 1/(λL + exp(λT)) of the time, and as arrivals see time averages, the
same share of requests finds it down. With demand shared among ever more models the mean number
of engines that are up tends to λ(L + T), whatever the number of models.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from otium.capacity.records import DAY, Setup, Simulated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_EXPONENT = 700.0
_SIGMAS, _SPARE = 12, 40
_AT_ONCE = 1 << 21
"""Complex numbers that are held at once."""


def rates(asked: Setup) -> NDArray[np.float64]:
    """Return each model's requests a second, the most wanted first, by Zipf's law."""
    import numpy as np

    weights: NDArray[np.float64] = np.arange(1.0, asked.models + 1) ** -asked.skew
    return weights * (asked.requests / DAY / float(weights.sum()))


def chances(asked: Setup, load: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each model the share of time that it takes a slot, and that it is not ready.

    *load* is in seconds. Not ready is down or loading: who asks then waits.
    """
    import numpy as np

    each = rates(asked)
    busy = np.exp(np.minimum(each * (asked.answer + asked.linger), _MOST_EXPONENT))
    cycle = each * load + busy
    return 1 - 1 / cycle, (1 + each * load) / cycle


def expected_up(asked: Setup) -> float:
    """Return how many engines are up on average, those that load among them."""
    up, _ = chances(asked, asked.load)
    return float(up.sum())


def waiting(asked: Setup, load: float) -> float:
    """Return the share of requests that wait for an engine that takes *load* seconds."""
    each = rates(asked)
    total = float(each.sum())
    _, unready = chances(asked, load)
    return float((each * unready).sum()) / total if total else 0.0


def slots_for(asked: Setup, load: float) -> int:
    """Return the least number of slots that is enough for the quantile of the time.

    The number of engines that are up is a sum of independent, unequal coins (Poisson binomial);
    its distribution comes from the transform of its characteristic function (Hong, "On computing
    the distribution function for the Poisson binomial distribution", 2013), over a range so wide
    that what is folded into it is below 1e-12.
    """
    import numpy as np

    up, _ = chances(asked, load)
    mean, spread = float(up.sum()), float(np.sqrt((up * (1 - up)).sum()))
    size = min(asked.models, int(mean + _SIGMAS * spread) + _SPARE) + 1
    turns = np.exp(-2j * np.pi * np.arange(size) / size) - 1
    logs = np.zeros(size, dtype=np.complex128)
    coins, times = np.unique(up, return_counts=True)  # models that are asked alike: one of them
    for part in np.array_split(np.arange(coins.size), max(1, coins.size * size // _AT_ONCE)):
        logs += times[part] @ np.log1p(coins[part][:, None] * turns[None, :])
    masses = np.fft.ifft(np.exp(logs)).real
    enough = np.cumsum(masses) >= asked.quantile
    enough[-1] = True  # whatever rounding keeps from the whole
    return min(asked.models, max(1, int(np.argmax(enough))))


def simulate(asked: Setup, *, requests: int = 200_000, seed: int = 1) -> Simulated:
    """Play *requests* Poisson arrivals through engines that load, answer, linger and stop.

    Returns what the formulas foretell: engines that are up on average, the quantile of their
    number over time, and the share of requests that waited. Without demand nothing is played.
    """
    import numpy as np

    if not asked.requests:
        return Simulated(requests=0, mean_up=0.0, slots=0, waiting=0.0)
    chance = np.random.default_rng(seed)
    each = rates(asked)
    gaps = chance.exponential(1 / each.sum(), requests)
    models = chance.choice(asked.models, size=requests, p=each / each.sum())
    engines, now, waited = _Engines(asked.load, asked.answer + asked.linger), 0.0, 0
    for gap, model in zip(gaps.tolist(), models.tolist(), strict=True):
        now += gap
        waited += engines.ask(model, now)
    return Simulated(
        requests=requests,
        mean_up=engines.mean,
        slots=engines.quantile(asked.quantile),
        waiting=waited / requests,
    )


class _Engines:
    """Engines that load, answer and linger, and for how long how many of them were up."""

    def __init__(self, load: float, stays: float) -> None:
        self._load, self._stays = load, stays
        self._ready: dict[int, float] = {}
        self._until: dict[int, float] = {}
        self._stops: list[tuple[float, int]] = []
        self._held: dict[int, float] = defaultdict(float)
        self._now, self._up = 0.0, 0

    def ask(self, model: int, now: float) -> bool:
        """Ask *model*; say whether the request waits."""
        self._pass(now)
        if self._until.get(model, -1.0) < now:
            self._ready[model] = now + self._load
            self._up += 1
        until = max(now, self._ready[model]) + self._stays
        if until != self._until.get(model):
            self._until[model] = until
            heapq.heappush(self._stops, (until, model))
        return now < self._ready[model]

    def _pass(self, then: float) -> None:
        """Let time pass; engines stop when they are due, unless they were asked since."""
        while self._stops and self._stops[0][0] < then:
            when, model = heapq.heappop(self._stops)
            if self._until[model] == when:
                self._held[self._up] += when - self._now
                self._up, self._now = self._up - 1, when
        self._held[self._up] += then - self._now
        self._now = then

    @property
    def mean(self) -> float:
        return sum(up * time for up, time in self._held.items()) / sum(self._held.values())

    def quantile(self, share: float) -> int:
        """Return how many engines were enough for this share of the time."""
        left = share * sum(self._held.values())
        for up in sorted(self._held):
            left -= self._held[up]
            if left <= 0:
                return up
        return max(self._held)
