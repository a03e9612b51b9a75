"""Rounds that take turns between the two servers, so that the machine's load hits both alike."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from otium.bench import Spread
from otium.errors import BadInput
from otium.records import ModelId, Progress, silent
from otium.revival import materialise
from otium.soak import SERVED, plant
from otium.swapping.records import SwapReport, SwapWay, Waits
from otium.swapping.ways import ours, router
from otium.workflow import reading

if TYPE_CHECKING:
    import httpx2

PEER = "llama-server"
_OK = 200
_FEW = 8
"""Tokens of an answer in the mixed load."""
_PATIENCE, _PAUSE = 120.0, 0.1
"""Seconds that a client goes on asking, and waits after a failure."""


class _Measured:
    def __init__(self, name: str, url: str) -> None:
        self.name, self.url = name, url
        self.swaps: list[list[float]] = []
        self.mixed: list[list[float]] = []
        self.failed = 0

    async def ask(self, http: httpx2.AsyncClient, model: ModelId, *, tokens: int) -> float:
        """Ask until there is an answer; return the seconds. Raises BadInput if there is none."""
        said = [{"role": "user", "content": "Tell me about yourself."}]
        asked = {"model": model, "messages": said, "max_tokens": tokens, "temperature": 0}
        began = time.perf_counter()
        while not await self._answered(http, asked):
            self.failed += 1
            if time.perf_counter() - began > _PATIENCE:
                raise BadInput(what=f"the answers of {self.name}", why="there are none")
            await asyncio.sleep(_PAUSE)
        return time.perf_counter() - began

    async def _answered(self, http: httpx2.AsyncClient, asked: dict[str, object]) -> bool:
        import httpx2

        try:
            answer = await http.post(f"{self.url}/v1/chat/completions", json=asked)
        except httpx2.HTTPError:
            return False
        return answer.status_code == _OK

    def shown(self) -> SwapWay:
        return SwapWay(
            name=self.name,
            swaps=Waits.of([one for part in self.swaps for one in part]),
            mixed=Waits.of([one for part in self.mixed for one in part]),
            failed=self.failed,
        )


def swap_bench(
    *,
    rounds: int = 5,
    swaps: int = 10,
    requests: int = 20,
    clients: int = 3,
    peer: Path | None = None,
    progress: Progress = silent,
) -> SwapReport:
    """Measure; *peer* is a llama-server program, by default the one on the PATH, if any.

    Each round has so many *swaps*, and so many mixed *requests* by *clients*. Raises NotFound
    without the demo's weights, BadInput for a peer that does not serve.
    """
    found = str(peer) if peer else shutil.which(PEER)
    with tempfile.TemporaryDirectory(prefix="otium-swap-") as folder, ExitStack() as stack:
        place = Path(folder)
        progress("models are archived", 0, 1)
        plant(place / "home", questions=())
        archive = reading(place / "home").archive
        files = {it: materialise(archive, it, place / "home" / "cache") for it in SERVED}
        ways = [_Measured("otium", stack.enter_context(ours(place / "home")))]
        if found:
            ways.append(_Measured(PEER, stack.enter_context(router(Path(found), files, place))))
        for number in range(rounds):
            progress("rounds", number, rounds)
            for way in ways[:: 1 if number % 2 else -1]:
                asyncio.run(_round(way, number, swaps, requests, clients))
    return SwapReport(
        rounds=rounds,
        clients=clients,
        ways=tuple(way.shown() for way in ways),
        ratios=_ratios(*ways) if len(ways) > 1 else {},
        load=round(os.getloadavg()[0], 1),
        notes=() if found else (f"no {PEER} is installed here: --peer names one",),
    )


def _ratios(mine: _Measured, peer: _Measured) -> dict[str, Spread]:
    found = {}
    for what, one, other in (
        ("swap", mine.swaps, peer.swaps),
        ("mixed", mine.mixed, peer.mixed),
    ):
        pairs = [(Waits.of(a), Waits.of(b)) for a, b in zip(one, other, strict=True)]
        found[f"{what}, p50"] = Spread.of([b.p50 / a.p50 for a, b in pairs])
        found[f"{what}, p95"] = Spread.of([b.p95 / a.p95 for a, b in pairs])
    return found


async def _round(way: _Measured, number: int, swaps: int, requests: int, clients: int) -> None:
    import httpx2

    models = [*SERVED]
    async with httpx2.AsyncClient(timeout=_PATIENCE, trust_env=False) as http:
        await way.ask(http, models[1], tokens=1)  # from here on each request is a swap
        way.swaps.append([await way.ask(http, models[at % 2], tokens=1) for at in range(swaps)])
        draw = Random(number)  # the same requests for each
        todo = iter([draw.choice(models) for _ in range(requests)])
        waits: list[float] = []

        async def client() -> None:
            for model in todo:
                took = await way.ask(http, model, tokens=_FEW)
                waits.append(took)

        await asyncio.gather(*(client() for _ in range(clients)))
        way.mixed.append(waits)
