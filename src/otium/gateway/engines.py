"""Which engines are up: started once however many ask, stopped when idle, never too many.

All state is changed on the event loop's thread alone; starting and stopping happen in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from otium.engine import Endpoint
from otium.fingerprints import Certificate
from otium.gateway.records import EngineStatus
from otium.records import ModelId, Part


class Running(Part):
    """An engine that is up, and how it compares with its model's fingerprint."""

    endpoint: Endpoint
    certificate: Certificate | None = None


Starter = Callable[[ModelId], AbstractContextManager[Running]]
"""Starts a model's engine and stops it when the block ends. Called in a thread."""


class _Seat:
    """One model's place: its engine is loading, loaded, or failed a moment ago."""

    def __init__(self, model: ModelId, block: AbstractContextManager[Running]) -> None:
        self.model = model
        self.block = block
        self.loading: asyncio.Task[Running]
        self.users = 0
        self.touched = 0.0
        self.idle_timer: asyncio.TimerHandle | None = None
        self.stopping: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        return self.loading.done() and (
            self.loading.cancelled() or self.loading.exception() is not None
        )

    @property
    def idle(self) -> bool:
        return self.users == 0 and self.loading.done() and not self.failed


class Engines:
    """The engines of one service."""

    def __init__(
        self, start: Starter, *, most: int, idle_seconds: float, failure_seconds: float
    ) -> None:
        """Keep at most *most* up; stop one after *idle_seconds* without use.

        A start that failed is not tried again for *failure_seconds*.
        """
        self._start = start
        self._most = most
        self._idle_seconds = idle_seconds
        self._failure_seconds = failure_seconds
        self._seats: dict[ModelId, _Seat] = {}
        self._occupied: set[_Seat] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._stops: set[asyncio.Task[None]] = set()

    def status(self, model: ModelId) -> EngineStatus:
        """Return whether the model's engine is up."""
        seat = self._seats.get(model)
        if seat is None or seat.failed:
            return "unloaded"
        return "loaded" if seat.loading.done() else "loading"

    def loaded(self) -> list[ModelId]:
        """Return the models whose engine is up."""
        return [model for model in self._seats if self.status(model) == "loaded"]

    @asynccontextmanager
    async def lease(self, model: ModelId, patience: float) -> AsyncIterator[Running]:
        """Hold the model's engine for one answer, starting it if need be.

        Raises TimeoutError after *patience* seconds. The start goes on without its requests:
        a client that leaves never cancels it.
        """
        seat = self._seats.get(model) or self._open(model)
        seat.users += 1
        if seat.idle_timer is not None and not seat.failed:
            seat.idle_timer.cancel()
        try:
            yield await asyncio.wait_for(asyncio.shield(seat.loading), patience)
        finally:
            seat.users -= 1
            self._rest(seat)

    def prewarm(self, model: ModelId) -> None:
        """Begin to start a model's engine, if it is not up."""
        if model not in self._seats:
            self._open(model)

    async def discard(self, model: ModelId, running: Running) -> None:
        """Stop an engine that broke, so that the next lease starts a fresh one."""
        seat = self._seats.get(model)
        if seat and seat.loading.done() and not seat.failed and seat.loading.result() is running:
            await self._stop(seat)

    async def close(self) -> None:
        """Stop every engine; wait for those that are just starting."""
        for seat in self._seats.values():
            if seat not in self._occupied:
                seat.loading.cancel()
        while self._seats:
            seat = next(iter(self._seats.values()))
            await asyncio.wait([seat.loading])
            await self._stop(seat)
        while self._stops:
            await asyncio.wait(self._stops)

    def _open(self, model: ModelId) -> _Seat:
        seat = self._seats[model] = _Seat(model, self._start(model))
        seat.loading = asyncio.create_task(self._load(seat))
        seat.loading.add_done_callback(lambda _: self._loaded(seat))
        return seat

    async def _load(self, seat: _Seat) -> Running:
        await self._make_room()
        self._occupied.add(seat)
        try:
            return await asyncio.to_thread(seat.block.__enter__)
        except BaseException:
            self._occupied.discard(seat)
            raise

    async def _make_room(self) -> None:
        while len(self._occupied) >= self._most:
            idle = [seat for seat in self._seats.values() if seat.idle]
            if idle:
                await self._stop(min(idle, key=lambda seat: seat.touched))
            else:
                change = asyncio.get_running_loop().create_future()
                self._waiting.append(change)
                await change

    def _loaded(self, seat: _Seat) -> None:
        if seat.failed:
            self._announce()
            self._after(self._failure_seconds, seat)
        else:
            self._rest(seat)

    def _rest(self, seat: _Seat) -> None:
        """Let an engine that nobody uses wait for its next request, or its end."""
        if seat.idle and seat.stopping is None:
            self._announce()
            self._after(self._idle_seconds, seat)

    def _after(self, seconds: float, seat: _Seat) -> None:
        loop = asyncio.get_running_loop()
        seat.touched = loop.time()
        seat.idle_timer = loop.call_later(seconds, self._expire, seat)

    def _expire(self, seat: _Seat) -> None:
        if seat.failed or seat.idle:
            self._dismiss(seat)

    async def _stop(self, seat: _Seat) -> None:
        """Stop an engine. Whoever waits for that may leave; it is stopped all the same."""
        await asyncio.shield(self._dismiss(seat))

    def _dismiss(self, seat: _Seat) -> asyncio.Task[None]:
        """Take the model's place away at once, and begin to stop its engine."""
        if seat.stopping is None:
            if self._seats.get(seat.model) is seat:
                del self._seats[seat.model]
            if seat.idle_timer is not None:
                seat.idle_timer.cancel()
            seat.stopping = asyncio.create_task(self._end(seat))
            self._stops.add(seat.stopping)
            seat.stopping.add_done_callback(self._stops.discard)
        return seat.stopping

    async def _end(self, seat: _Seat) -> None:
        if not seat.failed:
            try:
                await asyncio.to_thread(seat.block.__exit__, None, None, None)
            finally:
                self._occupied.discard(seat)
                self._announce()

    def _announce(self) -> None:
        """Wake the starts that wait for room."""
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
        self._waiting.clear()
