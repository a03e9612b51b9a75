"""What `otium gateway serve` makes of its options."""

from __future__ import annotations

from pathlib import Path

import pytest

import otium.gateway
from cli.said import Say, knowing
from otium.gateway import Service
from otium.records import ModelId


def test_options_reach_the_engines(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Service] = []
    monkeypatch.setattr(otium.gateway, "run", lambda service, *_: served.append(service))
    monkeypatch.setenv("OTIUM_ENDPOINT_KEY_GPU_1_8000", "theirs")
    words = [
        "--resident",
        "0",
        "--memory",
        "1.5",
        "--pin",
        "old",
        "--per-key",
        "3",
        "--ram-cache",
        "2",
    ]
    where = "old=http://gpu-1:8000/v1#org/old"
    answer = knowing(say, "old")("gateway", "serve", *words, "--engine-url", where)
    assert answer.code == 0, answer.err
    limits = served[0].settings.limits()
    assert (limits.engines, limits.bytes, limits.per_caller) == (0, 1_500_000_000, 3)
    assert limits.pinned == ("old",)
    cache = served[0]._cache
    assert not isinstance(cache, Path)
    assert (str(cache.memory)[:15], cache.most_in_memory) == ("/dev/shm/otium-", 2_000_000_000)
    there = served[0]._upstreams[ModelId("old")]
    assert vars(there) | {"url": "http://gpu-1:8000/v1", "served_as": "org/old"} == vars(there)
    assert vars(there)["key_variable"] == "OTIUM_ENDPOINT_KEY_GPU_1_8000"


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("old", "it is MODEL=URL"),
        ("new=http://x/v1", "No model 'new'"),
        ("old=", "it is MODEL=URL"),
    ],
)
def test_an_engine_that_cannot_be_meant_is_refused(
    say: Say, monkeypatch: pytest.MonkeyPatch, where: str, why: str
) -> None:
    monkeypatch.setattr(otium.gateway, "run", lambda *_: pytest.fail("it serves"))
    answer = knowing(say, "old")("gateway", "serve", "--engine-url", where)
    assert answer.code in {3, 4}
    assert why in answer.err
