"""The residence: the floor's orders carried out with real engines, threads and time.

The floor is spoken to on the event loop's thread alone. Loads and stops happen in threads of the
residence's own, whoever asked for them, and report back to the loop.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import NamedTuple, TypeVar

from otium.errors import EngineFailed, EngineRefused
from otium.records import ModelId
from otium.residence.actor import Order, Start, Stop, Ticket
from otium.residence.floor import Floor, Sizes, unknown_sizes
from otium.residence.memory import measure
from otium.residence.records import EngineStatus, Limits, Notice, Running, Standing
from otium.residence.standing import standing, status

T = TypeVar("T")

Starter = Callable[[ModelId], AbstractContextManager[Running]]
"""Starts a model's engine and stops it when the block ends. Called in a thread."""

_STOPPERS = 8
"""Threads beyond those that load, so that stopping never waits for a load."""
_MANY_LOADS = 32
_REMEMBERED = 100
_LOOK_AGAIN = 60.0
"""Seconds after which the size of an engine that comes to rest is measured anew."""


class _Fresh(NamedTuple):
    """An engine that has just come up."""

    block: ExitStack
    running: Running
    seconds: float
    size: int | None


class Residence:
    """Which models are up. Use it on one event loop; `close` it there."""

    def __init__(
        self,
        start: Starter,
        limits: Limits | None = None,
        *,
        sizes: Sizes = unknown_sizes,
        measure: Callable[[Running], int | None] = measure,
        tell: Callable[[Notice], None] | None = None,
    ) -> None:
        """Start engines with *start*, within *limits*.

        *sizes* estimates resident bytes before the first load, *measure* finds them after it
        (in a thread; None if it cannot). *tell* hears of all that happens, a moment later, on the
        loop.
        """
        self.limits = limits or Limits()
        self.recent: deque[Notice] = deque(maxlen=_REMEMBERED)
        """What happened last, for people."""
        self._start = start
        self._measure = measure
        self._tell = tell
        self._floor = Floor(self.limits, sizes)
        workers = (self.limits.loads or _MANY_LOADS) + _STOPPERS
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="otium-residence")
        self._blocks: dict[tuple[ModelId, int], ExitStack] = {}
        self._grants: dict[Ticket, asyncio.Future[None]] = {}
        self._ends: dict[tuple[ModelId, int], asyncio.Future[None]] = {}
        self._looked: dict[ModelId, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    # Using engines

    @asynccontextmanager
    async def lease(
        self, model: ModelId, patience: float, caller: str = ""
    ) -> AsyncIterator[Running]:
        """Hold the model's engine for one answer, starting it if need be. `serve` also repeats.

        EngineFailed out of the block has the engine replaced; EngineRefused does not: an answer
        came, so it lives and answers others.

        Raises TimeoutError after *patience* seconds, QuotaReached, DoesNotFit, Stopping, and
        whatever the start raised. The start goes on without those who asked for it: a client that
        leaves never cancels it.
        """
        ticket = self._floor.ask(model, caller, self._now())
        self._carry_out()
        try:
            yield await self._granted(ticket, patience)
        except EngineRefused:
            ticket.heard = "refusal"
            raise
        except EngineFailed:
            ticket.heard = "break"
            raise
        else:
            ticket.heard = "answer"
        finally:
            self._floor.leave(ticket, self._now())
            self._carry_out()
            self._look_again(ticket)

    async def serve(
        self,
        model: ModelId,
        work: Callable[[Running], Awaitable[T]],
        *,
        patience: float,
        caller: str = "",
        again: Callable[[], bool] = lambda: True,
    ) -> T:
        """Return what *work* makes of the model's engine, under a `lease`.

        If it raises EngineFailed (the engine broke, and a fresh one is started) or EngineRefused,
        it is tried once more, if *again* allows: not after a client has heard a part. The second
        failure is raised. Raises what `lease` does; *patience* is for both waits together.
        """
        until, tried = self._now() + patience, False
        try:
            async with self.lease(model, patience, caller) as running:
                tried = True
                return await work(running)
        except EngineFailed:
            if not tried or not again():
                raise
        async with self.lease(model, max(until - self._now(), 0), caller) as running:
            return await work(running)

    def prewarm(self, model: ModelId) -> None:
        """Begin to start a model's engine, if it is not up."""
        self._floor.warm(model, self._now())
        self._carry_out()

    def pin(self, model: ModelId, *, pinned: bool = True) -> None:
        """Keep a model up once it is up; or, with *pinned* false, no longer."""
        self._floor.pin(model, pinned=pinned, now=self._now())
        self._carry_out()

    async def close(self) -> None:
        """Stop every engine; wait for those that are just starting. Refuse who still waits."""
        self._floor.close(self._now())
        self._carry_out()
        while self._floor.present:
            await asyncio.wait(
                [self._end(one.model, one.generation) for one in self._floor.present]
            )
        if self._timer is not None:
            self._timer.cancel()
        self._threads.shutdown(wait=False)

    # Asking about them

    def status(self, model: ModelId) -> EngineStatus:
        """Return whether the model's engine is up."""
        return status(self._floor, model, self._now())

    def loaded(self) -> list[ModelId]:
        """Return the models whose engine is up."""
        return [actor.model for actor in self._floor.present if actor.stage == "loaded"]

    def explain(self, model: ModelId) -> Standing:
        """Return what happens with a model, why, and when it should be up."""
        return standing(self._floor, model, self._now())

    @property
    def reserved(self) -> int:
        """Return the bytes that are set aside for engines."""
        return int(self._floor.used.bytes)

    @property
    def most_reserved(self) -> int:
        """Return the most bytes that were set aside at once."""
        return int(self._floor.most)

    def explain_all(self) -> list[Standing]:
        """Return the standing of every model that was ever asked for."""
        return [self.explain(model) for model in self._floor.actors]

    # Carrying out

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _granted(self, ticket: Ticket, patience: float) -> Running:
        if ticket.state == "waiting":
            grant = self._grants[ticket] = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(grant, patience)
            finally:
                del self._grants[ticket]
        if ticket.error is not None:
            raise ticket.error.with_traceback(None)
        assert ticket.running is not None
        return ticket.running

    def _carry_out(self) -> None:
        """Carry out the floor's orders, and have it woken when it wants to be."""
        orders, self._floor.orders = self._floor.orders, []
        for order in orders:
            self._do(order)
        at = self._floor.next_alarm
        timer = self._timer
        if at < (timer.when() if timer is not None and not timer.cancelled() else math.inf):
            if timer is not None:
                timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(at, self._tick)

    def _do(self, order: Order) -> None:
        match order:
            case Ticket():
                grant = self._grants.get(order)
                if grant is not None and not grant.done():
                    grant.set_result(None)
            case Notice():
                self.recent.append(order)
                if self._tell is not None:  # not here: if it raises, no order may be lost
                    asyncio.get_running_loop().call_soon(self._tell, order)
            case Start(model, generation):
                self._end(model, generation)
                loop = asyncio.get_running_loop()
                self._threads.submit(self._load, loop, model, generation)
            case Stop(model, generation):
                block = self._blocks.pop((model, generation))
                loop = asyncio.get_running_loop()
                self._threads.submit(self._stop, loop, model, generation, block)

    def _tick(self) -> None:
        self._timer = None
        self._floor.tick(self._now())
        self._carry_out()

    def _end(self, model: ModelId, generation: int) -> asyncio.Future[None]:
        """Return what is done once this engine is gone."""
        future = self._ends.get((model, generation))
        if future is None:
            future = self._ends[model, generation] = asyncio.get_running_loop().create_future()
        return future

    def _over(self, model: ModelId, generation: int) -> None:
        future = self._ends.pop((model, generation))
        if not future.done():
            future.set_result(None)
        self._carry_out()

    # In threads, and what they report

    def _load(self, loop: asyncio.AbstractEventLoop, model: ModelId, generation: int) -> None:
        began = loop.time()
        try:
            with ExitStack() as stack:
                running = stack.enter_context(self._start(model))
                seconds = loop.time() - began
                _check(running, model)
                size = self._measure(running)
                fresh = _Fresh(stack.pop_all(), running, seconds, size)
        except BaseException as error:  # noqa: BLE001  # whatever it is, those who wait must hear
            failed = error if isinstance(error, Exception) else EngineFailed(model=model, why=error)
            loop.call_soon_threadsafe(self._down, model, generation, failed)
        else:
            loop.call_soon_threadsafe(self._up, model, generation, fresh)

    def _stop(
        self,
        loop: asyncio.AbstractEventLoop,
        model: ModelId,
        generation: int,
        block: ExitStack,
    ) -> None:
        why = ""
        try:
            block.close()
        except BaseException as error:  # noqa: BLE001  # it counts as gone, and that is reported
            why = f"{type(error).__name__}: {error}"
        loop.call_soon_threadsafe(self._stopped, model, generation, why)

    def _up(self, model: ModelId, generation: int, fresh: _Fresh) -> None:
        now = self._now()
        self._blocks[model, generation] = fresh.block
        self._looked[model] = now
        self._floor.up(
            model, generation, fresh.running, seconds=fresh.seconds, size=fresh.size, now=now
        )
        self._carry_out()

    def _down(self, model: ModelId, generation: int, error: Exception) -> None:
        self._floor.down(model, generation, error, self._now())
        self._over(model, generation)

    def _stopped(self, model: ModelId, generation: int, why: str) -> None:
        self._floor.stopped(model, generation, self._now(), why)
        self._over(model, generation)

    def _look_again(self, ticket: Ticket) -> None:
        """Measure an engine that comes to rest, if that was long ago: it may have grown."""
        running, now = ticket.running, self._now()
        if running is None or self._floor.closing:
            return
        if now - self._looked.get(ticket.model, now) < _LOOK_AGAIN:
            return
        self._looked[ticket.model] = now
        loop = asyncio.get_running_loop()
        self._threads.submit(self._weigh, loop, ticket.model, ticket.generation, running)

    def _weigh(
        self, loop: asyncio.AbstractEventLoop, model: ModelId, generation: int, running: Running
    ) -> None:
        size = self._measure(running)
        if size is not None:
            loop.call_soon_threadsafe(self._weighed, model, generation, size)

    def _weighed(self, model: ModelId, generation: int, size: int) -> None:
        self._floor.sized(model, generation, size, self._now())
        self._carry_out()


def _check(running: Running, model: ModelId) -> None:
    answers = running.endpoint.identity.model
    if answers != model:
        raise EngineFailed(model=model, why=f"what was started is {answers}")
