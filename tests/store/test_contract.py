"""What every store promises, held against each of them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otium.errors import BadInput, Exists, NotFound
from otium.store import (
    Buffer,
    Span,
    Store,
    check_name,
    content_name,
    prove_put_if_absent,
)
from otium.testing import MemoryStore

UNSAFE = [
    "", "/", "/etc/passwd", "a/", "a//b", "../a", "a/../b", "a/..", ".", "..", ".hidden",
    "a/.hidden", "a\\b", "a b", "a\n", "café", "a:b", "a*b", "a\x00b", "a" * 401, "C:/x",
]  # fmt: skip
MakeStore = Callable[[], Store]
NAMES = st.from_regex(
    r"[a-z0-9_%=][a-zA-Z0-9._=+%-]{0,8}(/[a-z0-9_][a-z0-9.-]{0,8}){0,3}", fullmatch=True
)


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not wait for the disk: test_local.py shows that it is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


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


@pytest.mark.parametrize(
    ("span", "part"),
    [
        (Span(0, 1), b"0"),
        (Span(9, 1), b"9"),
        (Span(3, 4), b"3456"),
        (Span(0, 10), b"0123456789"),
        (Span(4, 0), b""),
        (Span(10, 0), b""),
    ],
)
def test_a_span_is_just_those_bytes(store: Store, span: Span, part: bytes) -> None:
    store.put("a", b"0123456789")
    assert store.get("a", span) == part


@pytest.mark.parametrize("span", [Span(8, 3), Span(0, 11), Span(10, 1), Span(1000, 5)])
def test_a_span_past_the_end_is_refused(store: Store, span: Span) -> None:
    store.put("a", b"0123456789")
    with pytest.raises(BadInput, match="past the end"):
        store.get("a", span)


def test_a_span_of_an_empty_object_is_empty_or_refused(store: Store) -> None:
    store.put("empty", b"")
    assert store.get("empty", Span(0, 0)) == b""
    with pytest.raises(BadInput):
        store.get("empty", Span(0, 1))


def test_what_was_never_put_is_not_found(store: Store) -> None:
    store.put("a/b", b"")
    for name in ("x", "a", "a/b/c"):
        with pytest.raises(NotFound):
            store.get(name)
        for span in (Span(0, 1), Span(0, 0)):
            with pytest.raises(NotFound):
                store.get(name, span)
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


def test_adding_writes_no_second_time(store: Store) -> None:
    sha256 = store.add("packs", [b"same"], ".pack")
    name = content_name("packs", sha256, ".pack")
    with pytest.raises(Exists):
        store.put(name, b"same")
    assert store.get(name) == b"same"


def test_adding_nothing_keeps_an_empty_object(store: Store) -> None:
    name = content_name("packs", store.add("packs", [], ".pack"), ".pack")
    assert store.size(name) == 0
    assert store.get(name) == b""


def test_a_big_object_comes_back_whole_and_in_parts(store: Store) -> None:
    block = bytes(range(256)) * 4096
    chunks = [block] * 64 + [b"!"]
    name = content_name("packs", store.add("packs", iter(chunks), ".pack"), ".pack")
    size = 64 * len(block) + 1
    assert store.size(name) == size
    assert store.get(name, Span(size - 2, 2)) == b"\xff!"
    far = Span((16 << 20) - 3, (32 << 20) + 7)  # over where a request or an upload is cut
    assert store.get(name, far) == (block * 64)[far.offset : far.offset + far.length]
    assert hashlib.sha256(store.get(name)).hexdigest() in name
    with pytest.raises(BadInput, match="past the end"):
        store.get(name, Span(0, size + 1))


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


def test_what_was_written_is_listed_at_once(store: Store) -> None:
    for number in range(20):
        store.put(f"log/{number:03}", b"")
        assert len(list(store.list("log/"))) == number + 1


def test_a_listing_is_longer_than_one_page(store: Store) -> None:
    names = [f"log/{number:04}" for number in range(1003)]  # S3 answers 1,000 at a time
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda name: store.put(name, b"x"), names))
    assert list(store.list()) == names
    assert list(store.list("log/09")) == names[900:1000]


@pytest.mark.parametrize("prefix", ["a/b.t", "a/b.txt", "a/", "a", "%", "x=/+"])
def test_a_prefix_may_end_within_a_name(store: Store, prefix: str) -> None:
    names = ["%41/x", "a-b", "a.txt", "a/b.txt", "a/b.txu", "a/b/c", "ab", "x=/+y", "x=/y"]
    for name in names:
        store.replace(name, b"")
    assert list(store.list(prefix)) == [name for name in names if name.startswith(prefix)]


@pytest.mark.parametrize("prefix", ["/", "..", "../", "a//", ".hidden/", "a\x00", "a b"])
def test_a_prefix_that_no_name_has_lists_nothing(store: Store, prefix: str) -> None:
    store.put("a/b", b"")
    assert list(store.list(prefix)) == []


@pytest.mark.parametrize("name", ["a%b", "a%2Fb", "a=b+c", "-", "_/%", "A/a.B-c", "x" * 200])
def test_a_strange_name_is_kept_as_it_is(store: Store, name: str) -> None:
    store.put(name, name.encode())
    assert list(store.list()) == [name]
    assert store.get(name) == name.encode()
    assert store.size(name) == len(name)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_some_store_cannot_hold_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BadInput):
        store.put(name, b"")
    with pytest.raises(BadInput):
        store.replace(name, b"")
    assert list(store.list()) == []


def race(runners: int, run: Callable[[int], object]) -> list[object]:
    """Run *run* in threads that start at once; return what each returned, or its Exists."""
    gate = threading.Barrier(runners)

    def start(number: int) -> object:
        gate.wait()
        try:
            return run(number)
        except Exists as error:
            return error

    with ThreadPoolExecutor(runners) as threads:
        return list(threads.map(start, range(runners)))


def test_of_32_threads_that_put_one_name_one_wins(store: Store) -> None:
    for prize in ("first", "second", "third"):
        ends = race(32, lambda number, prize=prize: store.put(prize, b"%d" % number))  # type: ignore[misc]
        winners = [number for number, end in enumerate(ends) if end is None]
        assert len(winners) == 1
        assert store.get(prize) == b"%d" % winners[0]


def test_of_threads_that_put_the_same_bytes_one_wins(store: Store) -> None:
    ends = race(16, lambda _: store.put("prize", b"same"))
    assert ends.count(None) == 1


def test_threads_that_add_the_same_content_all_succeed(store: Store) -> None:
    content = [b"weights" * 100_000] * 30  # more than one request holds
    ends = race(6, lambda _: store.add("packs", content, ".pack"))
    assert len(set(ends)) == 1
    (name,) = store.list()
    assert store.get(name) == b"".join(content)


def test_a_reader_of_a_pointer_sees_one_value_or_the_other(store: Store) -> None:
    values = [b"old" * 1000, b"new" * 2000]
    store.replace("pointer", values[0])

    def run(number: int) -> object:
        if number:
            return [store.get("pointer") for _ in range(20)]
        for turn in range(20):
            store.replace("pointer", values[turn % 2])
        return []

    seen = [value for end in race(4, run) if isinstance(end, list) for value in end]
    assert set(seen) <= set(values)


def test_a_store_that_keeps_its_promise_is_proved_to(store: Store) -> None:
    prove_put_if_absent(store, "archive.json", b"{}")
    assert store.get("archive.json") == b"{}"
    with pytest.raises(Exists):
        prove_put_if_absent(store, "archive.json", b"{}")


@given(NAMES)
def test_a_safe_name_is_accepted_and_stays_itself(name: str) -> None:
    assert check_name(name) == name


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
def test_a_store_and_a_dictionary_never_differ(
    make_store: MakeStore, operations: list[tuple[str, str, bytes]]
) -> None:
    tried, model = make_store(), MemoryStore()
    for verb, name, data in operations:
        answers = [_do(store, verb, name, data) for store in (tried, model)]
        assert answers[0] == answers[1]
    assert list(tried.list()) == list(model.list())
    assert [tried.get(name) for name in tried.list()] == [model.get(n) for n in model.list()]


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
