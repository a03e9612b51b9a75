"""The soak: two gateways on one state, clients, and two hands that kill; then the reckoning."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from otium.database import sqlite_url
from otium.errors import Unsupported
from otium.records import Progress, silent
from otium.soak.clients import Client, Field
from otium.soak.desk import Desk
from otium.soak.plant import SERVED, plant
from otium.soak.processes import Gateway, cluster
from otium.soak.reckoning import reckon
from otium.soak.records import Acknowledged, Planted, Setting, SoakReport


def hold_soak(
    setting: Setting, *, work: Path | None = None, progress: Progress = silent
) -> SoakReport:
    """Hold a soak and return what it found. Logs and state lie in *work* if it is given.

    Raises NotFound without the demo's weights, GatewayError if a gateway does not start.
    """
    with tempfile.TemporaryDirectory(prefix="otium-soak-") as scratch:
        place = work or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        progress("models are archived, and asked what they answer", 0, 1)
        planted = plant(place / "home")
        with _database(place) as (url, what):
            soak = _Soak(setting, place, url, planted, progress)
            asyncio.run(soak.run())
            return reckon(
                setting,
                soak.noted,
                [life for one in soak.gateways for life in one.lives],
                home=place / "home",
                url=url,
                database=what,
                engines_killed=soak.kills,
            )


@contextmanager
def _database(place: Path) -> Iterator[tuple[str, str]]:
    """Yield the URL of the state that the gateways share, and what it is."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(cluster()), "PostgreSQL"
        except Unsupported as error:
            found = sqlite_url(place / "state.sqlite"), f"SQLite ({error})"
        yield found


class _Soak:
    def __init__(
        self, setting: Setting, place: Path, url: str, planted: Planted, progress: Progress
    ) -> None:
        self._setting = setting
        self._planted = planted
        self._progress = progress
        self._random = Random(setting.seed)
        self._home, self._url = place / "home", url
        self.noted = Acknowledged()
        self.kills = 0
        """Engines that were killed."""
        self.gateways = [
            Gateway(f"gateway-{name}", self._home, url, [*SERVED], place / f"gateway-{name}.log")
            for name in "ab"
        ]

    async def run(self) -> None:
        """Let it rage, let it end in good order, then serve once more and look."""
        desk = Desk(self._home, self._url, self.noted)
        try:
            await self._both(one.start() for one in self.gateways)
            clients = await self._rage(desk)
            await self._both(one.stop() for one in self.gateways)
            last = self.gateways[0]
            await last.start()
            await self._both(one.look_back(last) for one in clients)
            await last.stop()
        finally:
            desk.close()
            await self._both(one.kill() for one in self.gateways)

    async def _both(self, acts: Iterator[Awaitable[None]]) -> None:
        await asyncio.gather(*acts)

    async def _rage(self, desk: Desk) -> list[Client]:
        until = time.monotonic() + self._setting.seconds
        await desk.grant()
        field = Field(self._setting, self.gateways, self._planted, self.noted, desk)
        clients = [
            Client(field, Random(f"{self._setting.seed}/{number}"))
            for number in range(self._setting.clients)
        ]
        hands = [
            asyncio.create_task(work)
            for work in (self._kill_gateways(until), self._kill_engines(until))
        ]
        granting = asyncio.create_task(self._grant(desk, until))
        await asyncio.gather(*(one.run(until) for one in clients), granting, *hands)
        return clients

    async def _kill_gateways(self, until: float) -> None:
        while await self._wait(self._setting.gateway_kill_each, until):
            gateway = self._random.choice(self.gateways)
            await gateway.kill()
            await gateway.start()

    async def _kill_engines(self, until: float) -> None:
        while await self._wait(self._setting.engine_kill_each, until):
            self.kills += self._random.choice(self.gateways).kill_engine(self._random)

    async def _grant(self, desk: Desk, until: float) -> None:
        while await self._wait(self._setting.grant_each, until):
            await desk.grant()

    async def _wait(self, each: float, until: float) -> bool:
        """Wait about *each* seconds; return whether there is time for another act."""
        left = until - time.monotonic()
        whole = round(self._setting.seconds)
        self._progress("soak", whole - round(max(left, 0)), whole)
        wait = each * self._random.uniform(0.5, 1.5)
        await asyncio.sleep(max(0.0, min(wait, left)))
        return time.monotonic() < until
