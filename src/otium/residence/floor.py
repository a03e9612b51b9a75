"""The floor: memory and seats for engines, the line for them, and who makes way.

A pure state machine. It gets messages with the time and hands out orders; it knows no clock, no
thread and no engine, so thousands of its days can be played in a second.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable

from otium.errors import DoesNotFit, QuotaReached, Stopping
from otium.records import ModelId
from otium.residence.actor import Actor, Order, Ticket
from otium.residence.choosing import Candidate, Room, victims
from otium.residence.records import Limits, Running

_MEGA = 1_000_000

Sizes = Callable[[ModelId], int | None]
"""Estimates a model's resident size in bytes, None if nobody can. Quick; asked once a model."""


def unknown_sizes(_: ModelId) -> int | None:
    """Know no size."""
    return None


class Floor:
    """All actors and the room that they share."""

    def __init__(self, limits: Limits, sizes: Sizes = unknown_sizes) -> None:
        """Share out what *limits* allow."""
        self.limits = limits
        self.whole = Room(limits.bytes or math.inf, limits.engines or math.inf)
        self.used = Room(0, 0)
        self.most = 0.0
        """The most bytes that were taken at once."""
        self.actors: dict[ModelId, Actor] = {}
        self.present: dict[Actor, None] = {}
        """Whoever takes room: loading, loaded or stopping; in the order of their starts."""
        self.line: list[Actor] = []
        self.orders: list[Order] = []
        self.loads, self.load_seconds, self.load_bytes = 0, 0.0, 0
        """What loads have taken so far, of all models together."""
        self.closing = False
        self._sizes = sizes
        self._callers: Counter[str] = Counter()
        self._alarms: list[tuple[float, int, Actor]] = []
        self._numbers = itertools.count()

    # Messages from outside; each leaves its orders in `orders`

    def ask(self, model: ModelId, caller: str, now: float) -> Ticket:
        """Return a ticket for a model's engine: granted, refused, or waiting.

        Callers without a name have no quota.
        """
        ticket, actor = Ticket(model, caller), self.actor(model)
        actor.settle_owed(caller)
        self._callers[caller] += 1
        most = self.limits.per_caller if caller else 0
        if self.closing:
            self._turn_away(ticket, Stopping(what=model))
        elif most and self._callers[caller] > most:
            self._turn_away(ticket, QuotaReached(who="This caller", most=most))
        else:
            actor.ask(ticket, now)
            self.settle(now)
        return ticket

    def leave(self, ticket: Ticket, now: float) -> None:
        """Take a ticket back, whatever became of it."""
        self.actor(ticket.model).leave(ticket, now)
        self.settle(now)

    def warm(self, model: ModelId, now: float) -> None:
        """Load a model without a request."""
        if not self.closing:
            self.actor(model).warm(now)
            self.settle(now)

    def pin(self, model: ModelId, *, pinned: bool, now: float) -> None:
        """Keep a model up once it is up, or no longer."""
        actor = self.actor(model)
        actor.pinned = pinned
        if not pinned:
            self.alarm(actor, now + self.limits.idle_seconds)
        self.settle(now)

    def up(
        self,
        model: ModelId,
        generation: int,
        running: Running,
        *,
        seconds: float,
        size: int | None,
        now: float,
    ) -> None:
        """Hear that an engine is up, what its load took and its resident bytes, if measured."""
        actor = self.actor(model)
        actor.up(generation, running, seconds, size, now)
        self.loads += 1
        self.load_seconds += seconds
        self.load_bytes += actor.history.bytes or 0
        self.settle(now)

    def down(self, model: ModelId, generation: int, error: Exception, now: float) -> None:
        """Hear that a load failed."""
        self.actor(model).down(generation, error, now)
        self.settle(now)

    def sized(self, model: ModelId, generation: int, size: int, now: float) -> None:
        """Hear how much memory an engine holds by now."""
        self.actor(model).sized(generation, size)
        self.settle(now)

    def stopped(self, model: ModelId, generation: int, now: float, why: str = "") -> None:
        """Hear that an engine is gone; *why* says what went wrong with that."""
        self.actor(model).stopped(generation, why, now)
        self.settle(now)

    def tick(self, now: float) -> None:
        """Send the alarms whose time has come."""
        while self._alarms and self._alarms[0][0] <= now:
            at, _, actor = heapq.heappop(self._alarms)
            if at == actor.alarm_at:
                actor.alarm_at = math.inf
                actor.alarm(now)
        self.settle(now)

    def close(self, now: float) -> None:
        """Load nothing more and let every engine go."""
        self.closing = True
        for actor in self.line:
            actor.give_up(Stopping(what=actor.model), now)
        self.line.clear()
        for actor in self.actors.values():
            actor.dismiss(Stopping(what=actor.model))
        self.settle(now)

    # What is known

    def actor(self, model: ModelId) -> Actor:
        """Return a model's actor."""
        found = self.actors.get(model)
        if found is None:
            size = self._sizes(model)
            found = self.actors[model] = Actor(model, self)
            found.history.bytes = size
        return found

    @property
    def next_alarm(self) -> float:
        """Return when `tick` is due."""
        return self._alarms[0][0] if self._alarms else math.inf

    # Messages from actors

    def want(self, actor: Actor, now: float) -> None:
        """Put an actor into the line."""
        if self.closing:
            actor.give_up(Stopping(what=actor.model), now)
        else:
            self.line.append(actor)
            self.alarm(actor, now + self.limits.turn_seconds)

    def occupied(self, actor: Actor, change: Room) -> None:
        """Count room as taken by the actor or, where the change is negative, as free."""
        self.used = self.used.plus(change)
        self.most = max(self.most, self.used.bytes)
        if change.seats > 0:
            self.present[actor] = None
        elif change.seats < 0:
            del self.present[actor]

    def order(self, order: Order) -> None:
        """Have something done."""
        self.orders.append(order)

    def alarm(self, actor: Actor, at: float) -> None:
        """Send the actor ``alarm`` at this time at the latest."""
        if at < actor.alarm_at:
            actor.alarm_at = at
            heapq.heappush(self._alarms, (at, next(self._numbers), actor))

    def freed(self, ticket: Ticket) -> None:
        """Count a caller's ticket as over."""
        self._callers[ticket.caller] -= 1
        if not self._callers[ticket.caller]:
            del self._callers[ticket.caller]

    # Who gets room

    def settle(self, now: float) -> None:
        """Give room to those in line, each in turn; have engines make way for them.

        Who cannot have room yet is passed by smaller ones until its turn is due. From then on
        nobody passes it, and engines in use make way for it too.
        """
        if self.closing:
            self._let_go(now)
        if self.used.bytes > self.whole.bytes:
            self._trim(now)
        if self.line:
            self._serve_line(now)

    def _serve_line(self, now: float) -> None:
        waiting, self.line = self.line, []
        most = self.whole.less(self._pinned())
        free, coming = self.whole.less(self.used), self._coming()
        starts = (self.limits.loads or math.inf) - self._loading()
        blocked = False
        for actor in waiting:
            need = self._need(actor)
            if not most.holds(need):
                actor.give_up(_too_large(actor.model, need, most), now)
            elif blocked or starts <= 0:
                self.line.append(actor)
            elif free.holds(need):
                actor.start(need, now)
                free, starts = free.less(need), starts - 1
            else:
                self.line.append(actor)
                due = now >= actor.since + self.limits.turn_seconds
                lacking = need.less(free)
                makers = victims(self._able(now, busy=due), lacking.less(coming))
                if makers is None:
                    blocked = due
                    continue
                for one in makers:
                    coming = coming.plus(one.room)
                    one.make_way(now)
                free, coming = free.less(need), coming.less(lacking)

    def _able(self, now: float, *, busy: bool) -> list[Candidate[Actor]]:
        """Return the engines that could make way; those in use too, if *busy*."""
        half_life = self.limits.half_life_seconds
        return [
            Candidate(
                engine=one,
                room=one.room,
                worth=one.history.worth(now, half_life, one.share(self.whole)),
                used=one.history.last,
                busy=one.users > 0,
            )
            for one in self.present
            if one.stage == "loaded" and not one.leaving and not one.pinned and now >= one.held
            if busy or one.users == 0
        ]

    def _trim(self, now: float) -> None:
        """Let engines go until those that grew beyond the estimates fit again."""
        over = Room(self.used.bytes - self.whole.bytes, 0).less(self._coming())
        able = self._able(now, busy=True)
        makers = victims(able, over)
        for one in [candidate.engine for candidate in able] if makers is None else makers:
            one.make_way(now)

    def _let_go(self, now: float) -> None:
        for actor in self.present:
            if actor.stage == "loaded":
                actor.users = 0
                actor.make_way(now)

    def _loading(self) -> int:
        return sum(actor.stage == "loading" for actor in self.present)

    def _coming(self) -> Room:
        """Return what is about to become free."""
        return _total(one for one in self.present if one.stage == "stopping" or one.leaving)

    def _pinned(self) -> Room:
        return _total(one for one in self.present if one.pinned)

    def _need(self, actor: Actor) -> Room:
        """Return what to set aside. A model of unknown size is loaded alone, and measured."""
        size = actor.history.bytes
        if size is None and self.limits.bytes and not actor.history.loads:
            return Room(max(self.whole.bytes - self._pinned().bytes, 1), 1)
        return Room(size or 0, 1)

    def _turn_away(self, ticket: Ticket, error: Exception) -> None:
        ticket.state, ticket.error = "refused", error
        self.freed(ticket)
        self.order(ticket)


def _total(actors: Iterable[Actor]) -> Room:
    rooms = [actor.room for actor in actors]
    return Room(sum(room.bytes for room in rooms), sum(room.seats for room in rooms))


def _too_large(model: ModelId, need: Room, most: Room) -> DoesNotFit:
    room = most.bytes / _MEGA if most.seats >= need.seats else 0
    return DoesNotFit(what=model, need=round(need.bytes / _MEGA), room=round(room))
