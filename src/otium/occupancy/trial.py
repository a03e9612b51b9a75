"""The trial: many clients, many more models than fit, engines that are killed, clients that leave.

Every answer is checked against what only the right weights can give.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
import numpy as np

from otium.errors import EngineFailed
from otium.occupancy.bounds import optimum
from otium.occupancy.tiny import Plant, held
from otium.occupancy.traces import Demand, of_requests, zipf
from otium.records import ModelId
from otium.residence import Limits, Notice, Residence, Running

_ATTEMPTS = 3
"""How often a client asks that is told of a failure: as the OpenAI SDK does by default."""
_LEAST_WAIT = 0.1
"""Seconds that it waits then, or as long as it is told to."""
_LONG = 120.0


@dataclass(frozen=True)
class Setting:
    """How a trial is held."""

    demand: Demand
    budget: int = 1_000_000_000
    clients: int = 24
    milliseconds: float = 5.0
    """What an answer takes."""
    kill_each: int = 50
    """After so many requests any one engine is killed that is up or loading."""
    leaving: float = 0.08
    """The share of requests whose client leaves within a moment."""
    seed: int = 0


class Found(msgspec.Struct, frozen=True):
    """What a trial found."""

    requests: int
    answered: int
    left: int
    """Requests whose client left before it had an answer."""
    wrong: int
    """Answers that the right weights do not give."""
    lost: int
    """Requests that were neither answered nor left."""
    told: int
    """How often a client was told of a failure and asked again."""
    kills: int
    crashes: int
    """Engines that were found broken by a request."""
    loads: int
    failed_loads: int
    """Loads that broke; of a model that had been up before, each was tried again at once."""
    cancelled_loads: int
    """Loads that were begun, and neither came up nor failed."""
    doubled_loads: int
    """Loads of a model beside another engine of it."""
    shared: int
    """Requests that waited for a load which another one had caused."""
    hit_rate: float
    """Requests for which no engine had to be loaded, as a share; reloads after kills count."""
    optimum: float
    """The bound on that rate for requests in that order, one at a time, with the sizes as measured.
    Requests that are served together, model by model, may pass it."""
    most_reserved: int
    """Bytes: the most that was set aside at once."""
    most_held: int
    """Bytes: the most that the processes really held together, looked at every half second."""
    budget: int
    seconds: float


@dataclass
class _Tally:
    asked: list[ModelId] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    loaded: int = 0
    failed: int = 0
    crashed: int = 0
    most_held: int = 0
    most_reserved: int = 0

    def hear(self, notice: Notice) -> None:
        self.loaded += notice.kind == "loaded"
        self.failed += notice.kind in {"failed", "tried again"}
        self.crashed += notice.kind == "crashed"


def hold_trial(setting: Setting) -> Found:
    """Hold a trial with real processes and return what it found."""
    with tempfile.TemporaryDirectory(prefix="otium-residence-") as folder:
        trace = zipf(setting.demand, setting.seed)
        plant = Plant(Path(folder), trace, seed=setting.seed, milliseconds=setting.milliseconds)
        asked = [trace.models[number] for number in trace.asked.tolist()]
        return asyncio.run(_Trial(setting, plant, asked).run())


class _Trial:
    def __init__(self, setting: Setting, plant: Plant, asked: list[ModelId]) -> None:
        self._setting = setting
        self._plant = plant
        self._todo: Iterator[tuple[int, ModelId]] = iter(enumerate(asked))
        self._random = Random(setting.seed)
        self._tally = _Tally()
        self._residence: Residence

    async def run(self) -> Found:
        """Serve all requests, then stop all engines."""
        limits = Limits(
            engines=0,
            bytes=self._setting.budget,
            idle_seconds=0,
            failure_seconds=0.05,
            turn_seconds=5,
            hold_seconds=2,
        )
        self._residence = Residence(
            self._plant.start, limits, sizes=self._plant.size, tell=self._tally.hear
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        looking = asyncio.create_task(self._look())
        await asyncio.gather(*[self._client() for _ in range(self._setting.clients)])
        seconds = loop.time() - began
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        sizes = {one.model: one.bytes for one in self._residence.explain_all()}
        await self._residence.close()
        return self._found(seconds, sizes)

    async def _client(self) -> None:
        for number, model in self._todo:
            question = json.dumps({"model": model, "messages": [{"content": str(number)}]})
            self._tally.asked.append(model)
            if number % self._setting.kill_each == self._setting.kill_each - 1:
                self._plant.kill_one()
            waits = self._residence.status(model) == "loading"
            self._tally.kinds["shared"] += waits
            work = self._ask(model, question.encode())
            if self._random.random() < self._setting.leaving:
                patience = self._random.choice([0.001, 0.01, 0.05])
                try:
                    async with asyncio.timeout(patience):
                        self._tally.kinds[await work] += 1
                except TimeoutError:
                    self._tally.kinds["left"] += 1
            else:
                self._tally.kinds[await work] += 1

    async def _ask(self, model: ModelId, question: bytes) -> str:
        async def speak(running: Running) -> str:
            return await _post(running, question)

        for _ in range(_ATTEMPTS):
            try:
                said = await self._residence.serve(model, speak, patience=_LONG)
            except EngineFailed:
                self._tally.kinds["told"] += 1
                told = self._residence.explain(model).retry_seconds
                await asyncio.sleep(max(told, _LEAST_WAIT))
            except TimeoutError:
                break
            else:
                right = self._plant.models[model].answer(question)
                return "right" if said == right else "wrong"
        return "lost"

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            now = [one.pid for one in list(self._plant.alive.values())]
            some = await asyncio.to_thread(held, now)
            self._tally.most_held = max(self._tally.most_held, some)

    def _found(self, seconds: float, sizes: dict[ModelId, int]) -> Found:
        tally, begun = self._tally, sum(self._plant.begun.values())
        count = len(tally.asked)
        trace = of_requests(tally.asked, sizes, dict.fromkeys(sizes, 1.0))
        best = optimum(trace, self._setting.budget, np.ones(len(sizes)))
        return Found(
            requests=count,
            answered=tally.kinds["right"] + tally.kinds["wrong"],
            left=tally.kinds["left"],
            wrong=tally.kinds["wrong"],
            lost=tally.kinds["lost"],
            told=tally.kinds["told"],
            kills=self._plant.killed,
            crashes=tally.crashed,
            loads=tally.loaded,
            failed_loads=tally.failed,
            cancelled_loads=begun - tally.loaded - tally.failed,
            doubled_loads=self._plant.twice,
            shared=tally.kinds["shared"],
            hit_rate=1 - begun / count,
            optimum=best / count,
            most_reserved=self._residence.most_reserved,
            most_held=tally.most_held,
            budget=self._setting.budget,
            seconds=seconds,
        )


async def _post(running: Running, question: bytes) -> str:
    """Ask over HTTP; raise EngineFailed if the engine breaks."""
    address = urlsplit(running.endpoint.base_url)
    model = running.endpoint.identity.model
    head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(question)}\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(head.encode() + question)
            data = await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        answer = msgspec.json.decode(data.partition(b"\r\n\r\n")[2])
        content: str = answer["choices"][0]["message"]["content"]
    except (OSError, msgspec.DecodeError, LookupError) as error:
        raise EngineFailed(model=model, why=f"it broke off: {type(error).__name__}") from error
    return content
