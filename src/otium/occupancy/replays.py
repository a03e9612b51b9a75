"""A trace replayed, one request after another, under a rule that says who makes way.

otium's rule is not rewritten here: the floor itself is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from otium.engine import Endpoint, Identity
from otium.occupancy.traces import Trace
from otium.records import ModelId
from otium.residence import Floor, Limits, Running, Start, Stop


@dataclass(frozen=True)
class Outcome:
    """What a rule made of a trace."""

    hits: int
    """Requests whose model was up."""
    saved: float
    """Seconds of loading that these would have taken."""


Rule = Callable[[Trace, int], Outcome]


def floor(trace: Trace, budget: int) -> Outcome:
    """Replay the floor: least load time * rate for the memory."""
    limits = Limits(engines=0, bytes=budget, idle_seconds=0, hold_seconds=0)
    sizes = dict(zip(trace.models, trace.sizes.tolist(), strict=True))
    ground = Floor(limits, sizes.get)
    seconds = dict(zip(trace.models, trace.costs.tolist(), strict=True))
    hit = np.zeros(len(trace.asked), dtype=bool)
    for number, (model, now) in enumerate(
        zip(trace.asked.tolist(), trace.times.tolist(), strict=True)
    ):
        name = trace.models[model]
        ticket = ground.ask(name, "", now)
        hit[number] = ticket.state == "granted"
        while ground.orders:
            _carry_out(ground, seconds, now)
        ground.leave(ticket, now)
    return _outcome(trace, hit)


def _carry_out(ground: Floor, seconds: dict[ModelId, float], now: float) -> None:
    orders, ground.orders = ground.orders, []
    for order in orders:
        if isinstance(order, Start):
            model = order.model
            size = ground.actor(model).history.bytes
            up = _running(model)
            ground.up(model, order.generation, up, seconds=seconds[model], size=size, now=now)
        elif isinstance(order, Stop):
            ground.stopped(order.model, order.generation, now)


def _running(model: ModelId) -> Running:
    identity = Identity(model=model, weights=None, engine="replayed")
    return Running(
        endpoint=Endpoint(base_url="http://127.0.0.1:9/v1", api_key="", identity=identity)
    )


def lru(trace: Trace, budget: int) -> Outcome:
    """Replay the rule that whoever was used least recently makes way."""
    return _replay(trace, budget, lambda use: use.last)


def ollama(trace: Trace, budget: int) -> Outcome:
    """Replay Ollama's scheduler: the idle runner with the shortest keep-alive, ties by name.

    All have the default keep-alive, so the name decides (`server/sched.go`, 2026). That the
    keep-alive runs out is left away, in its favour.
    """
    names = np.argsort(np.argsort(np.array(trace.models)))
    return _replay(trace, budget, lambda use: names[use.model])


def llama_server(trace: Trace, budget: int) -> Outcome:
    """Replay llama-server's router: least recently used, by a count and not by memory.

    The count (``--models-max``) is the largest with which any models fit the budget.
    """
    most = int(np.searchsorted(np.cumsum(np.sort(trace.sizes)[::-1]), budget, side="right"))
    ones = np.ones_like(trace.sizes)
    return _replay(trace, most, lambda use: use.last, sizes=ones.tolist())


def known_rates(trace: Trace, budget: int) -> Outcome:
    """Replay otium's rule with the true rates: what cannot be had by better estimates alone."""
    worth = trace.costs * trace.rates / trace.sizes
    return _replay(trace, budget, lambda use: worth[use.model])


def belady(trace: Trace, budget: int) -> Outcome:
    """Replay Belady's MIN: whoever is used last makes way. Needs the future; sizes are ignored."""
    return _replay(trace, budget, lambda use: -use.next)


def belady_by_size(trace: Trace, budget: int) -> Outcome:
    """Replay a rule with foresight for different sizes: the most bytes * time to the next use."""
    sizes = trace.sizes
    return _replay(trace, budget, lambda use: -(use.next - use.now) * float(sizes[use.model]))


RULES: dict[str, Rule] = {
    "otium": floor,
    "LRU": lru,
    "llama-server": llama_server,
    "Ollama": ollama,
}
FORESIGHT: dict[str, Rule] = {"Belady": belady, "Belady by size": belady_by_size}


@dataclass(slots=True)
class _Use:
    """What a rule may look at."""

    model: int
    last: int
    next: int
    now: int


def _replay(
    trace: Trace,
    budget: int,
    keep: Callable[[_Use], float],
    sizes: list[int] | None = None,
) -> Outcome:
    """Replay a rule: of all that are up, the least of what *keep* returns makes way."""
    sizes = trace.sizes.tolist() if sizes is None else sizes
    after = trace.next_uses().tolist()
    up: dict[int, _Use] = {}
    hit = np.zeros(len(trace.asked), dtype=bool)
    used = 0
    for number, model in enumerate(trace.asked.tolist()):
        hit[number] = model in up
        if not hit[number]:
            for gone in _leaving(up, number, used + sizes[model] - budget, keep, sizes):
                used -= sizes[gone]
                del up[gone]
            used += sizes[model]
        up[model] = _Use(model, number, after[number], number)
    return _outcome(trace, hit)


def _leaving(
    up: dict[int, _Use],
    now: int,
    over: int,
    keep: Callable[[_Use], float],
    sizes: list[int],
) -> Iterator[int]:
    if over <= 0:
        return
    for use in up.values():
        use.now = now
    for use in sorted(up.values(), key=keep):
        yield use.model
        over -= sizes[use.model]
        if over <= 0:
            return


def _outcome(trace: Trace, hit: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Outcome:
    return Outcome(int(hit.sum()), float(trace.costs[trace.asked[hit]].sum()))
