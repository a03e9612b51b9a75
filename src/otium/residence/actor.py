"""One model's actor: it alone changes what is known of its engine, one message at a time.

Messages are method calls on the event loop's thread. Nothing in them waits, so no decision rests
on a state that has changed meanwhile. Effects leave as orders; what becomes of them comes back
as further messages, which name the generation that they speak of.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

from otium.errors import EngineFailed, QuotaReached
from otium.records import ModelId
from otium.residence.choosing import Room
from otium.residence.history import History
from otium.residence.records import Limits, Notice, Running

Stage = Literal["unloaded", "waiting", "loading", "loaded", "stopping"]

_LONGEST_BACK_OFF = 16
_BREAKS = 4
"""So many crashes without an answer between them, each at the first one, are a failed load."""
_REFUSALS = 8
"""So many requests that one engine refused, with no answer between them, and it is replaced."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's claim to an engine."""

    model: ModelId
    caller: str
    state: Literal["waiting", "granted", "refused", "left"] = "waiting"
    generation: int = 0
    running: Running | None = None
    error: Exception | None = None
    heard: Literal["nothing", "answer", "refusal", "break"] = "nothing"
    """What the engine made of it, as far as is known."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start a model's engine; answer ``up`` or ``down``."""

    model: ModelId
    generation: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a model's engine; answer ``stopped``."""

    model: ModelId
    generation: int


Order = Start | Stop | Ticket | Notice
"""What is to be done outside: engines, requests that were granted or refused, notices."""


class Floor(Protocol):
    """What an actor knows of the rest: where it asks for room and whom it tells."""

    limits: Limits
    closing: bool

    def want(self, actor: Actor, now: float) -> None:
        """Put the actor into the line for room."""
        ...

    def occupied(self, actor: Actor, change: Room) -> None:
        """Count room as taken by the actor or, where the change is negative, as free."""
        ...

    def order(self, order: Order) -> None:
        """Have something done."""
        ...

    def alarm(self, actor: Actor, at: float) -> None:
        """Send the actor ``alarm`` at this time at the latest."""
        ...

    def freed(self, ticket: Ticket) -> None:
        """Count a caller's ticket as over."""
        ...


class Actor:
    """One model's place."""

    def __init__(self, model: ModelId, floor: Floor) -> None:
        """Begin with no engine."""
        self.model = model
        self.history = History()
        self.pinned = model in floor.limits.pinned
        self.stage: Stage = "unloaded"
        self.generation = 0
        self.running: Running | None = None
        """The engine that is up, until it is gone."""
        self.users = 0
        self.queue: deque[Ticket] = deque()
        self.leaving = False
        """Whether it is to make way as soon as nobody uses it."""
        self.room = Room(0, 0)
        self.since = 0.0
        """When the stage began."""
        self.rested = 0.0
        """When it was last left by its last user."""
        self.held = -math.inf
        """Until when an engine that nobody could use yet is kept."""
        self.retry = -math.inf
        """Until when a failure is remembered."""
        self.error: Exception | None = None
        self.alarm_at = math.inf
        self._wanted = False
        """Whether it is to be loaded although nobody waits."""
        self._owed: Ticket | None = None
        """The last ticket that was left before its load came up: its caller is not free of it."""
        self._tried = False
        """Whether this load may not be tried again."""
        self._served = 0
        self._refused = 0
        self._broken = False
        self._floor = floor

    @property
    def idle(self) -> bool:
        """Return whether it is up and nobody uses it."""
        return self.stage == "loaded" and self.users == 0

    def failed(self, now: float) -> bool:
        """Return whether it failed a moment ago."""
        return self.stage == "unloaded" and now < self.retry

    def share(self, whole: Room) -> float:
        """Return the share of the machine that the engine takes."""
        return self.room.share(whole)

    # Messages from requests

    def ask(self, ticket: Ticket, now: float) -> None:
        """Grant, queue or refuse a ticket; ask for room if the model is not up."""
        limits = self._floor.limits
        self.history.used(now, limits.half_life_seconds)
        if self.failed(now) and self.error is not None:
            self._refuse(ticket, self.error)
        elif limits.queue and len(self.queue) >= limits.queue:
            self._refuse(ticket, QuotaReached(who=f"the queue of {self.model}", most=limits.queue))
        else:
            self.queue.append(ticket)
            self._serve()
            self._want(now)

    def warm(self, now: float) -> None:
        """Load without a request. It counts as a use, so that it is not the next to go."""
        if self.failed(now):
            return
        if self.stage in {"unloaded", "stopping"} or self.leaving:
            self.history.used(now, self._floor.limits.half_life_seconds)
            self._wanted = True
            self._want(now)

    def leave(self, ticket: Ticket, now: float) -> None:
        """Take a ticket back: its answer is over, or its client is gone."""
        if ticket.state == "waiting":
            self.queue.remove(ticket)
            if not self.queue and self.stage in {"waiting", "loading"}:
                self.settle_owed()
                self._owed = ticket
            else:
                self._floor.freed(ticket)
        elif ticket.state == "granted":
            if ticket.heard == "break":
                self._broke(ticket.generation, now)
            if ticket.generation == self.generation:
                self._left(ticket, now)
            self._floor.freed(ticket)
        if ticket.state in {"waiting", "granted"}:
            ticket.state = "left"

    def settle_owed(self, caller: str | None = None) -> None:
        """Free the caller of the load that it left behind: it is up, or is waited for again."""
        if self._owed is not None and caller in {None, self._owed.caller}:
            self._floor.freed(self._owed)
            self._owed = None

    # Messages from the floor

    def start(self, room: Room, now: float) -> None:
        """Load: this room is yours."""
        self.room = room
        self._floor.occupied(self, room)
        self._tried = False
        self._load(now)

    def make_way(self, now: float) -> None:
        """Stop as soon as nobody uses it; who asks from now on waits for the next load."""
        self.leaving = True
        self._floor.order(Notice(kind="made way", model=self.model))
        if self.users == 0:
            self._stop(now)

    def give_up(self, error: Exception, now: float) -> None:
        """Wait for room no longer."""
        self._become("unloaded", now)
        self.dismiss(error)

    def dismiss(self, error: Exception) -> None:
        """Refuse all who wait."""
        self._wanted = False
        self.settle_owed()
        while self.queue:
            self._refuse(self.queue.popleft(), error)

    def alarm(self, now: float) -> None:
        """Stop an engine that nobody used for long; ask to be woken for what comes next."""
        limits = self._floor.limits
        if self.idle and limits.idle_seconds and not self.pinned:
            end = self.rested + limits.idle_seconds
            if now >= end:
                self._stop(now)
            else:
                self._floor.alarm(self, end)
        if self.stage == "loaded" and now < self.held:
            self._floor.alarm(self, self.held)
        if self.stage == "waiting" and now < self.since + limits.turn_seconds:
            self._floor.alarm(self, self.since + limits.turn_seconds)

    # Messages from the engine

    def up(
        self, generation: int, running: Running, seconds: float, size: int | None, now: float
    ) -> None:
        """Take over an engine that is up; *seconds* and *size* (bytes) are what it took."""
        if self.stage != "loading" or generation != self.generation:
            return
        self.history.loaded(seconds, size)
        self.running, self.users, self.leaving = running, 0, False
        self._served, self._refused, self._broken = 0, 0, False
        self._become("loaded", now)
        self.settle_owed()
        taken = self.history.bytes or 0
        self._floor.order(Notice(kind="loaded", model=self.model, seconds=seconds, bytes=taken))
        self._resize(taken)
        self._serve()
        if self.users == 0:
            self.held = now + self._floor.limits.hold_seconds
            self._floor.alarm(self, self.held)
            self._rest(now)

    def sized(self, generation: int, size: int) -> None:
        """Learn how much memory the engine holds by now, in bytes."""
        if self.stage == "loaded" and generation == self.generation:
            self.history.sized(size)
            self._resize(self.history.bytes or 0)

    def down(self, generation: int, error: Exception, now: float) -> None:
        """Tell all who wait that the load failed, and remember it for a while.

        An engine that has been up and now broke while it loaded is tried again first, once, at
        once and in the same room: it may have been killed. Other errors would come again.
        """
        if self.stage != "loading" or generation != self.generation:
            return
        may = self.history.loads and not self._tried and not self._floor.closing
        if may and isinstance(error, EngineFailed):
            self._tried = True
            self._floor.order(Notice(kind="tried again", model=self.model, why=str(error)))
            self._load(now)
        else:
            self._free()
            self._fail(error, now)

    def stopped(self, generation: int, why: str, now: float) -> None:
        """Free what the engine took; load again if somebody waits for the model."""
        if self.stage != "stopping" or generation != self.generation:
            return
        self._free()
        self._become("unloaded", now)
        self._floor.order(Notice(kind="stopped", model=self.model, why=why))
        if self.history.broken >= _BREAKS:
            self.history.broken = 0
            why = f"it broke {_BREAKS} times, each at its first answer"
            self._fail(EngineFailed(model=self.model, why=why), now, kind="given up")
        else:
            self._want(now)

    # Its own

    def _serve(self) -> None:
        """Let those who wait have the engine, in order, as far as it has places."""
        most = self._floor.limits.per_model or math.inf
        while self.queue and self.stage == "loaded" and not self.leaving and self.users < most:
            ticket = self.queue.popleft()
            self.users += 1
            self.held = -math.inf
            ticket.state, ticket.generation = "granted", self.generation
            ticket.running = self.running
            self._floor.order(ticket)

    def _want(self, now: float) -> None:
        if (self.queue or self._wanted) and self.stage == "unloaded":
            self._wanted = False
            self._become("waiting", now)
            self._floor.want(self, now)

    def _broke(self, generation: int, now: float) -> None:
        """Stop an engine that broke while it answered, and report it, once."""
        stands = self.stage in {"loaded", "stopping"} and generation == self.generation
        if not stands or self._broken or self._floor.closing:
            return
        self._broken = True
        past = self.history
        past.crashes += 1
        past.broken = past.broken + 1 if self._served == 0 else 1
        self._floor.order(Notice(kind="crashed", model=self.model))
        if self.stage == "loaded":
            self._stop(now)

    def _load(self, now: float) -> None:
        self.generation += 1
        self._become("loading", now)
        self._floor.order(Start(self.model, self.generation))

    def _left(self, ticket: Ticket, now: float) -> None:
        if self.stage != "loaded":
            return
        self.users -= 1
        if ticket.heard == "answer":
            self._served += 1
            self._refused = self.history.broken = 0
        elif ticket.heard == "refusal":
            self._refused += 1
            if self._refused >= _REFUSALS and not self.leaving:
                why = f"it refused {_REFUSALS} requests in a row"
                self._floor.order(Notice(kind="given up", model=self.model, why=why))
                self.leaving = True
        self._serve()
        if self.users == 0:
            self._rest(now)

    def _rest(self, now: float) -> None:
        self.rested = now
        if self.leaving:
            self._stop(now)
        elif self._floor.limits.idle_seconds and not self.pinned:
            self._floor.alarm(self, now + self._floor.limits.idle_seconds)

    def _stop(self, now: float) -> None:
        self._become("stopping", now)
        self.users, self.leaving = 0, False
        self._floor.order(Stop(self.model, self.generation))

    def _fail(
        self, error: Exception, now: float, kind: Literal["failed", "given up"] = "failed"
    ) -> None:
        limits, past = self._floor.limits, self.history
        self.error = error
        self.retry = now + limits.failure_seconds * min(2**past.failures, _LONGEST_BACK_OFF)
        past.failures += 1
        self._floor.order(Notice(kind=kind, model=self.model, why=str(error)))
        self.give_up(error, now)

    def _refuse(self, ticket: Ticket, error: Exception) -> None:
        ticket.state, ticket.error = "refused", error
        self._floor.freed(ticket)
        self._floor.order(ticket)

    def _resize(self, size: int) -> None:
        self._floor.occupied(self, Room(size - self.room.bytes, 0))
        self.room = Room(size, 1)

    def _free(self) -> None:
        self.running = None
        self._floor.occupied(self, Room(-self.room.bytes, -self.room.seats))
        self.room = Room(0, 0)

    def _become(self, stage: Stage, now: float) -> None:
        self.stage, self.since = stage, now
