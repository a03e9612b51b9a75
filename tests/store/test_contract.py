"""What every store promises, held against each of them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otium.errors import BadInput, Exists, NotFound
from otium.store import Buffer, LocalStore, Span, Store, check_name, content_name
from otium.testing import MemoryStore

UNSAFE = [
    "", "/", "/etc/passwd", "a/", "a//b", "../a", "a/../b", "a/..", ".", "..", ".hidden",
    "a/.hidden", "a\\b", "a b", "a\n", "café", "a:b", "a*b", "a\x00b", "a" * 401, "C:/x",
]  # fmt: skip
NAMES = st.from_regex(
    r"[a-z0-9_%=][a-zA-Z0-9._=+%-]{0,8}(/[a-z0-9_][a-z0-9.-]{0,8}){0,3}", fullmatch=True
)


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not wait for the disk: test_local.py shows that it is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "store") if request.param == "local" else MemoryStore()


def test_what_was_put_is_got(store: Store) -> None:
    store.put("a/b.txt", b"kept")
    assert store.get("a/b.txt") == b"kept"
    assert store.size("a/b.txt") == 4


def test_a_name_is_never_given_twice(store: Store) -> None:
    store.put("a", b"first")
    with pytest.raises(Exists):
        store.put("a", b"second")
    assert store.get("a") == b"first"


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert store.size("empty") == 0
    assert list(store.list()) == ["empty"]


def test_a_span_is_just_those_bytes(store: Store) -> None:
    store.put("a", b"0123456789")
    assert store.get("a", Span(3, 4)) == b"3456"
    assert store.get("a", Span(10, 0)) == b""


def test_a_span_past_the_end_is_refused(store: Store) -> None:
    store.put("a", b"0123456789")
    with pytest.raises(BadInput):
        store.get("a", Span(8, 3))


def test_what_was_never_put_is_not_found(store: Store) -> None:
    store.put("a/b", b"")
    for name in ("x", "a", "a/b/c"):
        with pytest.raises(NotFound):
            store.get(name)
        with pytest.raises(NotFound):
            store.get(name, Span(0, 1))
        with pytest.raises(NotFound):
            store.size(name)


def test_replace_points_a_name_at_new_bytes(store: Store) -> None:
    store.replace("a/pointer", b"old")
    store.replace("a/pointer", b"new")
    assert store.get("a/pointer") == b"new"


def test_added_bytes_are_named_by_their_digest(store: Store) -> None:
    chunks: list[Buffer] = [b"one", bytearray(b"two"), memoryview(b"!")]
    sha256 = store.add("packs", iter(chunks), ".pack")
    assert sha256 == hashlib.sha256(b"onetwo!").hexdigest()
    assert store.get(content_name("packs", sha256, ".pack")) == b"onetwo!"


def test_adding_the_same_bytes_again_changes_nothing(store: Store) -> None:
    first = store.add("packs", [b"same"], ".pack")
    assert store.add("packs", [b"sa", b"me"], ".pack") == first
    assert len(list(store.list())) == 1


def test_chunks_that_fail_midway_leave_nothing(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        store.add("packs", broken(), ".pack")
    assert list(store.list()) == []


def test_a_listing_is_in_order_and_holds_to_its_prefix(store: Store) -> None:
    for name in ("b/2", "a/1", "b/1", "ba", "b/c/d"):
        store.put(name, b"")
    assert list(store.list()) == ["a/1", "b/1", "b/2", "b/c/d", "ba"]
    assert list(store.list("b/")) == ["b/1", "b/2", "b/c/d"]
    assert list(store.list("b")) == ["b/1", "b/2", "b/c/d", "ba"]
    assert list(store.list("nothing/")) == []


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_some_store_cannot_hold_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BadInput):
        store.put(name, b"")
    with pytest.raises(BadInput):
        store.replace(name, b"")
    assert list(store.list()) == []


def test_of_threads_that_put_one_name_one_wins(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    gate, outcomes = threading.Barrier(8), []

    def race(number: int) -> None:
        gate.wait()
        try:
            store.put("prize", b"%d" % number)
            outcomes.append(number)
        except Exists:
            outcomes.append(-1)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number in outcomes if number >= 0]
    assert len(winners) == 1
    assert store.get("prize") == b"%d" % winners[0]


@given(NAMES)
def test_a_safe_name_is_accepted_and_stays_itself(name: str) -> None:
    assert check_name(name) == name


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    operations=st.lists(
        st.tuples(
            st.sampled_from(["put", "replace", "add"]),
            st.sampled_from(["a", "b/c", "b/d", "e/f/g"]),
            st.binary(max_size=9),
        ),
        max_size=12,
    )
)
def test_a_directory_and_a_dictionary_never_differ(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, str, bytes]]
) -> None:
    local, memory = LocalStore(tmp_path_factory.mktemp("store")), MemoryStore()
    for verb, name, data in operations:
        answers = [_do(store, verb, name, data) for store in (local, memory)]
        assert answers[0] == answers[1]
    assert list(local.list()) == list(memory.list())
    assert [local.get(name) for name in local.list()] == [memory.get(n) for n in memory.list()]


def _do(store: Store, verb: str, name: str, data: bytes) -> str:
    try:
        if verb == "put":
            store.put(name, data)
        elif verb == "replace":
            store.replace(name, data)
        else:
            return store.add("packs", [data], ".pack")
    except Exists:
        return "exists"
    return "done"
