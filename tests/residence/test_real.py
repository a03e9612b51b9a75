"""Real engines: llama.cpp with real weights, one of them killed in the middle of an answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from otium.engine import HttpModel, LlamaCpp, Message, Options, packaged_weights
from otium.errors import NotFound
from otium.records import ModelId, digest
from otium.residence import Limits, Notice, Residence, Running, estimate
from otium.residence.memory import _listening, _owners

A, B = ModelId("a"), ModelId("b")
FEW = Options(max_tokens=6)
QUESTION = [Message(role="user", content="Name three colours.")]


@contextmanager
def start(model: ModelId) -> Iterator[Running]:
    weights = packaged_weights()
    with LlamaCpp().run(weights, model=model, weights=digest(model.encode())) as endpoint:
        yield Running(endpoint=endpoint)


def size(_: ModelId) -> int:
    return estimate(packaged_weights().stat().st_size)


def processes(running: Running) -> list[int]:
    port = urlsplit(running.endpoint.base_url).port or 0
    return [int(owner.name) for owner in _owners(set(_listening(port)))]


def test_a_killed_engine_is_replaced_and_two_take_turns_where_one_fits() -> None:
    try:
        budget = int(1.1 * size(A))
    except NotFound as error:
        pytest.skip(f"NOT TESTED, no real weights here: {error}")
    heard: list[Notice] = []

    async def story() -> list[str]:
        limits = Limits(engines=0, bytes=budget, turn_seconds=1, hold_seconds=0)
        some = Residence(start, limits, sizes=size, tell=heard.append)
        victims: list[int] = []

        async def speak(running: Running) -> str:
            if not victims:
                victims.extend(processes(running))
                os.kill(victims[0], signal.SIGKILL)
            model = HttpModel(running.endpoint)
            return (await asyncio.to_thread(model.chat, QUESTION, FEW)).text

        said = await asyncio.gather(*[some.serve(one, speak, patience=60) for one in (A, B, B)])
        assert len(victims) == 1
        assert some.explain(B).measured
        assert 0 < some.explain(B).bytes < budget
        assert len(some.loaded()) == 1
        await some.close()
        return said

    said = asyncio.run(asyncio.wait_for(story(), 120))
    assert len(set(said)) == 1
    assert said[0]
    kinds = [notice.kind for notice in heard]
    assert kinds.count("crashed") == 1, heard
    assert kinds.count("loaded") == 3
