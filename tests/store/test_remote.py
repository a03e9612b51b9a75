"""A bucket as a store: lost answers, servers that fail, and what a message may say."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from flaky import (
    Fault,
    Flaky,
    Relay,
    answer_too_late,
    be_busy,
    cut_the_answer,
    fail_after,
    hang_up_before,
    lose_the_answer,
    pass_on,
    report_a_conflict,
)
from otium.errors import (
    BadInput,
    Exists,
    NotFound,
    StoreRefuses,
    StoreUnreachable,
    Unsupported,
)
from otium.store import (
    RemoteStore,
    Span,
    Store,
    content_name,
    open_store,
)


@pytest.fixture(params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Any:
    """The real server behind it all."""
    return request.getfixturevalue(kind)


@pytest.fixture
def direct(store: Store) -> RemoteStore:
    """A store in the mock server, which the environment names now."""
    assert isinstance(store, RemoteStore)
    return store


@pytest.fixture
def flaky(direct: RemoteStore, server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    """A server that fails as it is told, which the environment names from now on."""
    assert direct.where  # it was opened while the environment named the real server
    between = Flaky(server.url)
    thread = threading.Thread(target=between.serve_forever, args=(0.02,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{between.server_port}")
    yield between
    between.over.set()
    between.shutdown()
    thread.join()
    between.server_close()


@pytest.fixture
def through(direct: RemoteStore, flaky: Flaky) -> Store:
    """The same place as *direct*, by way of *flaky*."""
    assert flaky.server_port
    return open_store(direct.where)


def impatient(where: str, **client: Any) -> RemoteStore:
    """Return the store at *where* without obstore's own retries."""
    from obstore.store import from_url

    options: Any = {"allow_http": True, **client}
    return RemoteStore(from_url(where, client_options=options, retry_config=NO_RETRY), where)


NO_RETRY: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
only_moto = pytest.mark.parametrize("kind", ["moto"])
LOST: list[Fault] = [lose_the_answer, fail_after]
NEVER_ARRIVED: list[Fault] = [hang_up_before, be_busy, report_a_conflict]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_ARRIVED])
def test_a_put_that_fails_once_is_done_by_us_once(
    direct: Store, through: Store, flaky: Flaky, fault: Fault
) -> None:
    flaky.plan["PUT"] = [fault]
    through.put("a", b"ours")
    assert direct.get("a") == b"ours"
    assert flaky.seen.count("PUT a") == 2
    with pytest.raises(Exists):
        through.put("a", b"ours")


@pytest.mark.parametrize("fault", [*LOST, *NEVER_ARRIVED])
def test_a_name_that_was_taken_is_taken_whatever_fails(
    direct: Store, through: Store, flaky: Flaky, fault: Fault
) -> None:
    direct.put("a", b"the same")
    flaky.plan["PUT"] = [fault]
    with pytest.raises(Exists):
        through.put("a", b"the same")


def test_who_came_between_two_tries_has_the_name(
    direct: Store, through: Store, flaky: Flaky
) -> None:
    def lose_to_another(relay: Relay, flaky: Flaky) -> None:
        direct.put("a", b"the same")
        be_busy(relay, flaky)

    flaky.plan["PUT"] = [lose_to_another]
    with pytest.raises(Exists):
        through.put("a", b"the same")


def test_a_put_that_is_answered_too_late_is_done(direct: RemoteStore, flaky: Flaky) -> None:
    store = impatient(direct.where, timeout="400ms")
    flaky.plan["PUT"] = [answer_too_late]
    store.put("a", b"ours")
    assert flaky.seen.count("PUT a") == 2
    assert direct.get("a") == b"ours"


@only_moto  # a real server checks the signature, which covers the metadata
def test_a_service_that_drops_metadata_errs_to_exists(
    direct: Store, through: Store, flaky: Flaky
) -> None:
    flaky.drops_metadata = True
    flaky.plan["PUT"] = [lose_the_answer]
    with pytest.raises(Exists):
        through.put("a", b"ours")
    assert direct.get("a") == b"ours"


def test_a_name_refused_though_nothing_is_there_is_not_said_to_exist(
    direct: RemoteStore, flaky: Flaky
) -> None:
    flaky.plan["PUT"] = [report_a_conflict] * 9
    with pytest.raises(StoreUnreachable, match="refuses a, which is not there"):
        impatient(direct.where).put("a", b"ours")


@pytest.mark.parametrize("fault", [*LOST, hang_up_before, be_busy])
def test_replace_survives_a_failure(
    direct: Store, through: Store, flaky: Flaky, fault: Fault
) -> None:
    direct.replace("pointer", b"old")
    flaky.plan["PUT"] = [fault]
    through.replace("pointer", b"new")
    assert direct.get("pointer") == b"new"


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("fault", [*LOST, hang_up_before, be_busy])
def test_an_upload_in_parts_survives_a_failure(
    direct: Store, through: Store, flaky: Flaky, fault: Fault, method: str
) -> None:
    # POST begins an upload and completes it: fail both, and each part once.
    flaky.plan[method] = [fault, pass_on, fault]
    content = [b"weights " * (1 << 20)] * 5
    name = content_name("packs", through.add("packs", iter(content), ".pack"), ".pack")
    assert direct.size(name) == 5 << 23
    assert direct.get(name) == b"".join(content)


def test_what_is_there_is_not_sent_again(through: Store, flaky: Flaky) -> None:
    through.add("packs", [b"weights"], ".pack")
    sent = len([line for line in flaky.seen if line.startswith(("PUT", "POST"))])
    through.add("packs", [b"weights"], ".pack")
    assert len([line for line in flaky.seen if line.startswith(("PUT", "POST"))]) == sent == 1


def test_a_copy_of_another_size_is_mended_by_adding_again(direct: Store) -> None:
    name = content_name("packs", direct.add("packs", [b"weights"], ".pack"), ".pack")
    direct.replace(name, b"weigh")
    direct.add("packs", [b"weights"], ".pack")
    assert direct.get(name) == b"weights"


@pytest.mark.parametrize("fault", [cut_the_answer, hang_up_before, be_busy, fail_after])
def test_reading_survives_a_failure(
    direct: Store, through: Store, flaky: Flaky, fault: Fault
) -> None:
    data = bytes(range(256)) * 4096
    direct.put("a", data)
    for span in (None, Span(7, 600_000)):
        flaky.plan["GET"] = [fault]
        wanted = data if span is None else data[span.offset : span.offset + span.length]
        assert through.get("a", span) == wanted
    flaky.plan["GET"] = [fault]
    assert list(through.list()) == ["a"]


def test_a_server_that_stays_down_is_said_to_be_unreachable(
    direct: RemoteStore, flaky: Flaky
) -> None:
    store = impatient(direct.where)
    for method in ("GET", "HEAD", "PUT", "POST"):
        flaky.plan[method] = [be_busy] * 99
    for call in _calls(store):
        with pytest.raises(StoreUnreachable, match="503") as caught:
            call()
        assert "AWS_ENDPOINT_URL" in caught.value.advice()


def test_a_server_that_is_not_there_is_said_to_be_unreachable(
    direct: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for call in _calls(impatient(direct.where)):
        with pytest.raises(StoreUnreachable, match="no connection could be made"):
            call()


def test_a_bucket_that_is_not_there_is_named(direct: RemoteStore) -> None:
    assert direct.where
    store = impatient("s3://no-such-bucket/x")
    calls = _calls(store)
    calls.pop(4)  # S3 says why to no HEAD
    for call in calls:
        with pytest.raises(StoreRefuses, match=r"no-such-bucket.* no such bucket"):
            call()


def _calls(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.put("a", b""),
        lambda: store.replace("a", b""),
        lambda: store.get("a"),
        lambda: store.get("a", Span(0, 1)),
        lambda: store.size("a"),
        lambda: list(store.list()),
        lambda: store.add("packs", [b""], ".pack"),
    ]


@pytest.mark.rgw
@pytest.mark.parametrize("kind", ["rgw"])  # moto lets anyone in
def test_a_wrong_key_is_refused_and_not_repeated(
    server: Any, direct: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    for call in _calls(open_store(direct.where)):
        with pytest.raises(StoreRefuses, match="403") as caught:
            call()
        assert "AWS_SECRET_ACCESS_KEY" in caught.value.advice()
        told = "".join(traceback.format_exception(caught.value))
        assert "a-wrong-secret" not in told
        assert server.access not in told


def test_no_credentials_is_what_is_missing(
    direct: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreRefuses, match="no credentials were found"):
        impatient(direct.where).put("a", b"")


def test_a_key_is_not_sent_over_plain_http(
    direct: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.invalid")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9")  # another service's
    with pytest.raises(StoreRefuses, match="https"):
        open_store(direct.where).put("a", b"")


def test_others_objects_are_not_listed(direct: RemoteStore, server: Any) -> None:
    import boto3  # type: ignore[import-untyped]

    keys = {"aws_access_key_id": server.access, "aws_secret_access_key": server.secret}
    client = boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys)
    bucket, _, prefix = direct.where.removeprefix("s3://").partition("/")
    for name in ("", "folder/", "folder/.DS_Store", "folder/with space", ".hidden"):
        client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=b"")
    client.close()
    ours = ["folder-b", "folder/ours"]
    for name in ours:
        direct.put(name, b"")
    assert list(direct.list()) == ours
    assert list(direct.list("folder")) == ours
    assert list(direct.list("folder/")) == ours[1:]


def test_two_prefixes_of_a_bucket_are_two_stores(direct: RemoteStore) -> None:
    other = open_store(f"{direct.where}-more")
    other.put("a", b"other")
    assert list(direct.list()) == []
    direct.put("a", b"one")
    assert other.get("a") == b"other"


def test_a_listing_out_of_order_is_refused() -> None:
    from obstore.store import MemoryStore as Objects

    class Backwards(Objects):
        def list(self, *_: object, **__: object) -> Any:
            return iter([[{"path": "b", "size": 1}, {"path": "a", "size": 1}]])

    names = RemoteStore(Backwards(), "s3://directory-bucket").list()
    assert next(names) == "b"
    with pytest.raises(Unsupported, match="out of order"):
        next(names)


def test_a_listing_goes_on_where_a_page_broke_off(
    direct: RemoteStore, through: Store, flaky: Flaky
) -> None:
    names = [f"log/{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as several:
        list(several.map(lambda name: direct.put(name, b"x"), names))
    flaky.plan["GET"] = [cut_the_answer, pass_on, cut_the_answer, cut_the_answer]
    assert list(through.list()) == names


def test_a_span_before_the_first_byte_is_refused(direct: Store) -> None:
    direct.put("a", b"0123456789")
    for span in (Span(-1, 1), Span(3, -1)):
        with pytest.raises(BadInput):
            direct.get("a", span)


def test_a_name_that_is_not_there_is_not_found(direct: Store) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        direct.get("nowhere")


ADD_AND_WATCH = """
import sys, threading
from otium.store import open_store

def anonymous():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

peak, over = 0, threading.Event()

def watch():
    global peak
    while not over.wait(0.01):
        peak = max(peak, anonymous())

watching = threading.Thread(target=watch)
watching.start()
store, size = open_store(sys.argv[1]), int(sys.argv[2])
store.add("packs", (number.to_bytes(4) * (1 << 18) for number in range(size)), ".pack")
over.set()
watching.join()
print(peak >> 10)
"""


def test_adding_takes_little_memory_whatever_the_size(direct: RemoteStore) -> None:
    size = 250  # MiB, and more than may be held
    command = [sys.executable, "-c", ADD_AND_WATCH, direct.where, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (name,) = direct.list()
    assert direct.size(name) == size << 20
    assert int(done.stdout) < 160
