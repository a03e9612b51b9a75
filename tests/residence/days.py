"""Days on the floor: engines, clients and time are simulated, the floor is the real one.

Loads, answers and stops take their time on a virtual clock; clients leave, engines fail and
break. After every message it is checked that nothing is up that must not be.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from otium.engine import Endpoint, Identity
from otium.errors import EngineFailed
from otium.records import ModelId, digest
from otium.residence import Floor, Limits, Notice, Running, Start, Stop, Ticket


def endpoint(model: ModelId) -> Running:
    identity = Identity(model=model, weights=digest(model.encode()), engine="double/1")
    return Running(endpoint=Endpoint(base_url="http://x.test/v1", api_key="k", identity=identity))


@dataclass
class Plan:
    """What kind of day it is. Times are seconds."""

    load: float = 5.0
    answer: float = 10.0
    stop: float = 1.0
    fails: float = 0.0
    """The chance that a load fails."""
    breaks: float = 0.0
    """The chance that an engine breaks while it answers."""
    leaves: float = 0.0
    """The chance that a client leaves after a while, whatever happens then."""
    exact: bool = False
    """Whether everything takes exactly so long, or at most."""


@dataclass
class Day:
    limits: Limits
    sizes: dict[ModelId, int]
    plan: Plan
    random: Random
    grown: dict[ModelId, int] = field(default_factory=dict)
    """What the engine turns out to hold, where that is not what was estimated."""

    def __post_init__(self) -> None:
        self.now = 0.0
        self.floor = Floor(self.limits, self.sizes.get)
        self.todo: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        self.open: set[Ticket] = set()
        self.settled: set[Ticket] = set()
        self.alive: dict[ModelId, int] = {}
        """Engines that exist: loading, loaded or stopping, with what they hold."""
        self.loading: set[ModelId] = set()
        self.asked: dict[ModelId, float] = {}
        self.waits: list[tuple[float, int]] = []
        """How long each load waited for room, and how many stood before it."""
        self.stood: dict[ModelId, int] = {}
        self.starts: Counter[ModelId] = Counter()
        self.notices: list[Notice] = []
        self.ended = 0

    def takes(self, seconds: float) -> float:
        return seconds if self.plan.exact else self.random.uniform(0, seconds)

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.todo, (when, next(self.numbers), what))

    def ask(self, when: float, model: ModelId, caller: str = "") -> None:
        def come() -> None:
            ticket = self.floor.ask(model, caller, self.now)
            self.open.add(ticket)
            if self.random.random() < self.plan.leaves:
                self.at(self.now + self.random.uniform(0, 20), lambda: self.leave(ticket))
            self.obey()

        self.at(when, come)

    def warm(self, when: float, model: ModelId) -> None:
        def come() -> None:
            self.floor.warm(model, self.now)
            self.obey()

        self.at(when, come)

    def close(self, when: float) -> None:
        def come() -> None:
            self.floor.close(self.now)
            self.obey()

        self.at(when, come)

    def leave(self, ticket: Ticket) -> None:
        if ticket.state in {"waiting", "granted"}:
            self.floor.leave(ticket, self.now)
            self.open.discard(ticket)
            self.obey()

    def run(self, until: float = math.inf) -> None:
        while True:
            alarm = self.floor.next_alarm
            when = self.todo[0][0] if self.todo else math.inf
            if min(alarm, when) > until or (alarm == when == math.inf):
                return
            self.now = max(self.now, min(alarm, when))
            if alarm <= when:
                self.floor.tick(self.now)
                self.obey()
            else:
                heapq.heappop(self.todo)[2]()
            self.check()

    def obey(self) -> None:
        orders, self.floor.orders = self.floor.orders, []
        for order in orders:
            if isinstance(order, Start):
                self.start(order)
            elif isinstance(order, Stop):
                self.stop(order)
            elif isinstance(order, Ticket):
                self.settle(order)
            else:
                self.notices.append(order)
                pinned = self.floor.actors[order.model].pinned and not self.floor.closing
                assert order.kind != "made way" or not pinned or self.grown
        for place, actor in enumerate(self.floor.line):
            if actor.model not in self.asked:
                self.asked[actor.model], self.stood[actor.model] = self.now, place

    def start(self, order: Start) -> None:
        model = order.model
        assert model not in self.alive, f"{model} is loaded twice"
        self.alive[model] = self.sizes.get(model, 0)
        self.loading.add(model)
        self.starts[model] += 1
        self.waits.append((self.now - self.asked.pop(model, self.now), self.stood.pop(model, 0)))
        seconds = self.takes(self.plan.load)

        def done() -> None:
            self.loading.remove(model)
            if self.random.random() < self.plan.fails:
                del self.alive[model]
                why = EngineFailed(model=model, why="a bad day")
                self.floor.down(model, order.generation, why, self.now)
            else:
                size = self.grown.get(model, self.sizes.get(model))
                self.alive[model] = size or 0
                self.floor.up(
                    model,
                    order.generation,
                    endpoint(model),
                    seconds=seconds,
                    size=size,
                    now=self.now,
                )
            self.obey()

        self.at(self.now + seconds, done)

    def stop(self, order: Stop) -> None:
        assert order.model in self.alive

        def done() -> None:
            del self.alive[order.model]
            self.floor.stopped(order.model, order.generation, self.now)
            self.obey()

        self.at(self.now + self.takes(self.plan.stop), done)

    def settle(self, ticket: Ticket) -> None:
        assert ticket not in self.settled, "a ticket is settled twice"
        self.settled.add(ticket)
        if ticket.state != "granted":
            assert ticket.error is not None
            self.open.discard(ticket)
            return
        assert ticket.running is not None
        assert ticket.running.endpoint.identity.model == ticket.model
        assert self.floor.actors[ticket.model].stage == "loaded"

        def done() -> None:
            if ticket.state != "granted":
                return
            ticket.heard = "break" if self.random.random() < self.plan.breaks else "answer"
            self.leave(ticket)
            self.ended += 1

        self.at(self.now + self.takes(self.plan.answer), done)

    def check(self) -> None:
        """Look that nothing is up that must not be."""
        floor, limits = self.floor, self.limits
        assert not limits.engines or len(self.alive) <= limits.engines
        assert not limits.loads or len(self.loading) <= limits.loads
        if limits.bytes and not self.grown:
            assert sum(self.alive.values()) <= limits.bytes
        assert floor.used.seats == len(self.alive)
        assert floor.used.bytes == sum(one.room.bytes for one in floor.present)
        assert {one.model for one in floor.present} == set(self.alive)
        held = Counter((t.model, t.generation) for t in self.open if t.state == "granted")
        waiting = Counter(t.model for t in self.open if t.state == "waiting")
        for actor in floor.actors.values():
            if actor.stage == "loaded":
                assert actor.users == held[actor.model, actor.generation]
                assert not limits.per_model or actor.users <= limits.per_model
                full = actor.users == limits.per_model
                assert not actor.queue or actor.leaving or full, "a waiter is not let in"
            assert len(actor.queue) == waiting[actor.model]
            assert (actor in floor.line) == (actor.stage == "waiting")
            assert not actor.queue or actor.stage != "unloaded", "nobody cares for a waiter"

    def end(self) -> None:
        """Look that the day came to its end: no deadlock, and nobody who still waits."""
        self.check()
        assert not self.open
        assert not self.floor.line
        assert not self.loading
        assert all(not actor.queue for actor in self.floor.actors.values())
