"""A store that fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from otium.errors import Exists, StoreUnreachable
from otium.store import Span, Store
from otium.testing import FaultyStore, MemoryStore

OUTAGE = StoreUnreachable(path="s3://bucket", why="HTTP status 503")


def test_the_call_that_was_named_fails_and_no_other() -> None:
    store = FaultyStore(MemoryStore(), OUTAGE, call=2)
    store.put("a", b"first")
    with pytest.raises(StoreUnreachable):
        store.put("b", b"second")
    store.put("b", b"third")
    assert store.get("b") == b"third"


def test_a_call_that_fails_after_its_effect_has_had_it() -> None:
    store = FaultyStore(MemoryStore(), OUTAGE, call=1, after=True)
    with pytest.raises(StoreUnreachable):
        store.put("a", b"first")
    with pytest.raises(Exists):
        store.put("a", b"first")


def test_a_refusal_is_itself_also_where_the_answer_would_be_lost() -> None:
    inner = MemoryStore()
    inner.put("a", b"there")
    with pytest.raises(Exists):
        FaultyStore(inner, OUTAGE, call=1, after=True).put("a", b"new")


def test_an_outage_lasts_as_long_as_it_is_told() -> None:
    store = FaultyStore(MemoryStore(), OUTAGE, call=1, times=3)
    for _ in range(3):
        with pytest.raises(StoreUnreachable):
            store.size("a")
    store.replace("a", b"")
    assert store.size("a") == 0


@pytest.mark.parametrize("after", [False, True])
def test_each_call_can_fail_and_is_told(*, after: bool) -> None:
    calls: list[Callable[[Store], object]] = [
        lambda store: store.put("a", b"12"),
        lambda store: store.replace("b", b""),
        lambda store: store.add("packs", [b"x"], ".pack"),
        lambda store: store.get("a", Span(0, 1)),
        lambda store: store.size("a"),
        lambda store: list(store.list("a")),
    ]
    counting = FaultyStore(MemoryStore(), OUTAGE, call=0)
    for call in calls:
        call(counting)
    verbs = ["put a", "replace b", "add packs", "get a", "size a", "list a"]
    assert counting.calls == verbs
    for number in range(1, len(calls) + 1):
        store = FaultyStore(MemoryStore(), OUTAGE, call=number, after=after)
        for call in calls[: number - 1]:
            call(store)
        with pytest.raises(StoreUnreachable):
            calls[number - 1](store)
