from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from otium.engine import Endpoint, Identity
from otium.errors import EngineFailed, EngineRefused
from otium.records import ModelId, digest
from otium.residence import Limits, Notice, Residence, Running

T = TypeVar("T")
A, B, C = ModelId("a"), ModelId("b"), ModelId("c")


class Plant:
    """Starts that can be held back, and that say what happened."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.changed = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    @contextmanager
    def start(self, model: ModelId) -> Iterator[Running]:
        self.say(f"start {model}")
        assert self.gate.wait(10)
        if self.broken:
            raise EngineFailed(model=model, why="it is broken")
        identity = Identity(model=model, weights=digest(model.encode()), engine="double/1")
        endpoint = Endpoint(base_url="http://127.0.0.1:9/v1", api_key="k", identity=identity)
        try:
            yield Running(endpoint=endpoint)
        finally:
            self.say(f"stop {model}")

    def say(self, line: str) -> None:
        self.log.append(line)
        self.changed.set()


@pytest.fixture
def plant() -> Plant:
    return Plant()


def engines(plant: Plant, *, most: int = 2, idle: float = 60, failure: float = 60) -> Residence:
    limits = Limits(engines=most, idle_seconds=idle, failure_seconds=failure)
    return Residence(plant.start, limits)


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 10))


async def use(some: Residence, model: ModelId, patience: float = 5) -> Running:
    async def work(running: Running) -> Running:
        return running

    return await some.serve(model, work, patience=patience)


async def see_it_break(some: Residence, model: ModelId) -> None:
    async def work(_: Running) -> None:
        raise EngineFailed(model=model, why="it was killed")

    with pytest.raises(EngineFailed):
        await some.serve(model, work, patience=5, again=lambda: False)


async def until(plant: Plant, line: str) -> None:
    while line not in plant.log:
        await asyncio.to_thread(plant.changed.wait, 1)
        plant.changed.clear()


def test_eight_first_requests_start_one_engine(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        plant.gate.clear()
        asked = [asyncio.create_task(use(some, A)) for _ in range(8)]
        await until(plant, "start a")
        assert some.status(A) == "loading"
        plant.gate.set()
        answers = await asyncio.gather(*asked)
        assert all(answer is answers[0] for answer in answers)
        assert some.loaded() == [A]
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a"]


def test_a_client_that_leaves_does_not_cancel_the_start(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        plant.gate.clear()
        asked = asyncio.create_task(use(some, A))
        await until(plant, "start a")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        plant.gate.set()
        await use(some, A)
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a"]


def test_a_request_that_waits_too_long_ends_and_the_start_goes_on(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        plant.gate.clear()
        with pytest.raises(TimeoutError):
            await use(some, A, patience=0.01)
        plant.gate.set()
        await use(some, A)
        await some.close()

    run(story())
    assert plant.log.count("start a") == 1


def test_the_engine_that_was_idle_longest_makes_room(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=2)
        await use(some, A)
        await use(some, B)
        await use(some, A)
        await use(some, C)
        assert set(some.loaded()) == {A, C}
        await some.close()

    run(story())
    assert plant.log[:4] == ["start a", "start b", "stop b", "start c"]


def test_an_engine_in_use_is_never_stopped_for_another(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=1)

        async def work(_: Running) -> asyncio.Task[Running]:
            waiting = asyncio.create_task(use(some, B))
            for _turn in range(20):
                await asyncio.sleep(0)
            assert plant.log == ["start a"]
            return waiting

        await (await some.serve(A, work, patience=5))
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a", "start b", "stop b"]


def test_many_models_through_one_place_all_get_their_turn(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=1)
        names = [ModelId(f"m{number}") for number in range(6)] * 3
        answers = await asyncio.gather(*[use(some, name) for name in names])
        assert [answer.endpoint.identity.model for answer in answers] == names
        await some.close()

    run(story())
    up = 0
    for line in plant.log:
        up += 1 if line.startswith("start") else -1
        assert 0 <= up <= 1


def test_an_idle_engine_is_stopped(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, idle=0.01)
        await use(some, A)
        await until(plant, "stop a")
        assert some.status(A) == "unloaded"
        await some.close()

    run(story())


def test_a_failed_start_is_told_to_all_and_not_repeated_at_once(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        plant.broken = True
        for _ in range(3):
            with pytest.raises(EngineFailed):
                await use(some, A)
        assert plant.log == ["start a"]
        assert some.status(A) == "failed"
        await some.close()

    run(story())


def test_a_failed_start_is_tried_again_later_and_keeps_no_place(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=1, failure=0.01)
        plant.broken = True
        with pytest.raises(EngineFailed):
            await use(some, A)
        plant.broken = False
        await use(some, B)
        while plant.log.count("start a") < 2:
            try:
                await use(some, A)
            except EngineFailed:
                await asyncio.sleep(0.002)
        await some.close()

    run(story())


def test_a_broken_engine_is_replaced_once_for_all_who_saw_it_break(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        seen: list[Running] = []
        all_there = asyncio.Event()

        async def work(running: Running) -> Running:
            seen.append(running)
            if len(seen) == 3:
                all_there.set()
            if len(seen) <= 3:
                await all_there.wait()
                raise EngineFailed(model=A, why="it was killed")
            return running

        answers = await asyncio.gather(*[some.serve(A, work, patience=5) for _ in range(3)])
        assert some.explain(A).crashes == 1
        assert seen[0] is seen[1] is seen[2]
        assert all(one is answers[0] is not seen[0] for one in answers)
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a", "start a", "stop a"]


def test_closing_waits_for_a_start_and_stops_it(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=1)
        plant.gate.clear()
        some.prewarm(A)
        some.prewarm(A)
        some.prewarm(B)
        await until(plant, "start a")
        closing = asyncio.create_task(some.close())
        await asyncio.sleep(0)
        plant.gate.set()
        await closing

    run(story())
    assert plant.log == ["start a", "stop a"]


def test_an_engine_that_breaks_is_tried_once_more_with_a_fresh_one(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        seen: list[Running] = []

        async def work(running: Running) -> str:
            seen.append(running)
            if len(seen) == 1:
                raise EngineFailed(model=A, why="it was killed")
            return "answered"

        assert await some.serve(A, work, patience=5) == "answered"
        assert seen[0] is not seen[1]
        assert [one.kind for one in some.recent] == ["loaded", "crashed", "stopped", "loaded"]
        assert some.explain(A).crashes == 1
        await some.close()

    run(story())


@pytest.mark.parametrize("again", [True, False])
def test_a_second_failure_is_told_and_nothing_is_repeated_that_was_heard(
    plant: Plant, again: bool
) -> None:
    async def story() -> None:
        some = engines(plant)
        tried = 0

        async def work(_: Running) -> None:
            nonlocal tried
            tried += 1
            raise EngineFailed(model=A, why=f"attempt {tried}")

        with pytest.raises(EngineFailed, match=f"attempt {1 + again}"):
            await some.serve(A, work, patience=5, again=lambda: again)
        assert tried == 1 + again
        await some.close()

    run(story())


def test_what_comes_up_under_another_name_is_stopped_and_answers_nobody(plant: Plant) -> None:
    async def story() -> None:
        some = Residence(lambda _: plant.start(B), Limits())
        with pytest.raises(EngineFailed, match="what was started is b"):
            await use(some, A)
        assert plant.log == ["start b", "stop b"]
        await some.close()

    run(story())


def test_a_broken_measure_leaves_no_engine_behind(plant: Plant) -> None:
    def measure(_: Running) -> int | None:
        raise ValueError

    async def story() -> None:
        some = Residence(plant.start, Limits(), measure=measure)
        with pytest.raises(ValueError):  # noqa: PT011  # it has no message
            await use(some, A)
        assert plant.log == ["start a", "stop a"]
        await some.close()

    run(story())


def test_clients_that_are_out_of_patience_get_the_load_that_they_caused(plant: Plant) -> None:
    """Each waits less than a load takes. One of the next tries succeeds: no load is repeated."""

    async def story() -> None:
        some = engines(plant, most=1)
        plant.gate.clear()
        asyncio.get_running_loop().call_later(0.1, plant.gate.set)
        tries = 0
        while True:
            tries += 1
            try:
                await use(some, A, patience=0.02)
            except TimeoutError:
                continue
            break
        assert tries > 2
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a"]


def test_a_standing_says_what_happens_and_when_it_will_be_over(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant, most=1)
        assert some.explain(A).sentence() == "a is not loaded"
        assert some.explain(A).eta_seconds is None
        await use(some, A)
        assert some.explain(A).sentence() == "a is up"
        plant.gate.clear()
        some.prewarm(B)
        some.prewarm(C)
        await until(plant, "start b")
        assert some.status(A) == "unloaded"
        assert re.fullmatch(r"b is being loaded, about \d+ s left", some.explain(B).sentence())
        assert (some.status(C), some.explain(C).stage) == ("loading", "waits for room")
        assert some.explain(C).eta_seconds is not None
        plant.broken = True
        plant.gate.set()
        with pytest.raises(EngineFailed):
            await use(some, C)
        told = r"c could not be started \(EngineFailed\); tried again in \d+ s"
        assert re.fullmatch(told, some.explain(C).sentence())
        assert {one.model for one in some.explain_all()} == {A, B, C}
        await some.close()

    run(story())


def test_a_stop_never_waits_for_loads(plant: Plant) -> None:
    async def story() -> None:
        some = Residence(plant.start, Limits(engines=0, loads=2))
        await use(some, A)
        plant.gate.clear()
        some.prewarm(B)
        some.prewarm(C)
        await see_it_break(some, A)
        await until(plant, "stop a")
        plant.gate.set()
        await some.close()

    run(story())


def test_a_notice_that_cannot_be_told_loses_no_order(plant: Plant) -> None:
    told: list[str] = []

    def tell(notice: Notice) -> None:
        told.append(notice.kind)
        raise ValueError(notice.kind)

    async def story() -> None:
        reported: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: reported.append(what["exception"]))
        some = Residence(plant.start, Limits(engines=1), tell=tell)
        await use(some, A)
        await use(some, B)
        await some.close()
        await asyncio.sleep(0)
        assert len(reported) == len(told) == len(some.recent)

    run(story())
    assert told == ["loaded", "made way", "stopped", "loaded", "made way", "stopped"]
    assert plant.log == ["start a", "stop a", "start b", "stop b"]


def test_an_answer_that_outlives_the_residence_ends_as_it_ends(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otium.residence.residence._LOOK_AGAIN", 0)

    async def story() -> str:
        some = engines(plant)

        async def work(_: Running) -> str:
            await some.close()
            return "to the end"

        return await some.serve(A, work, patience=5)

    assert run(story()) == "to the end"


def test_an_engine_that_refuses_one_request_goes_on_answering_another(plant: Plant) -> None:
    async def story() -> None:
        some = engines(plant)
        refused = asyncio.Event()
        tries = 0

        async def long(_: Running) -> str:
            await refused.wait()
            return "whole"

        async def asks_for_trouble(_: Running) -> None:
            nonlocal tries
            tries += 1
            raise EngineRefused(model=A, why="status 500")

        other = asyncio.create_task(some.serve(A, long, patience=5))
        with pytest.raises(EngineRefused):
            await some.serve(A, asks_for_trouble, patience=5)
        refused.set()
        assert await other == "whole"
        assert (tries, some.explain(A).crashes) == (2, 0)
        await some.close()

    run(story())
    assert plant.log == ["start a", "stop a"]
