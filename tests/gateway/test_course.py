"""The course of a request: revivals, disconnects, slow readers, limits, drains; what is counted."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from otium.engine import Endpoint
from otium.records import Digest, ModelId
from otium.testing import Scripted, ServedEngine

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

ALDER = ModelId("alder-1")
HI = [{"role": "user", "content": "hi"}]
ASK = {"model": ALDER, "messages": HI}


def until(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def root(client: httpx2.Client) -> str:
    return str(client.base_url).removesuffix("/v1/")


class Gated(ServedEngine):
    """An engine whose start waits until it is let go."""

    @contextmanager
    def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
        GATE.wait(10)
        with super().run(files, model=model, weights=weights) as endpoint:
            yield endpoint


GATE = threading.Event()


def test_a_client_may_come_back_for_a_revival_instead_of_waiting(lab: Lab) -> None:
    lab.retired()
    GATE.clear()
    client = lab.client(engine=Gated(Scripted(["I am back."])))
    later = {"Prefer": "respond-async"}
    answer = client.post("/chat/completions", json=ASK, headers=later)
    assert answer.status_code == 202
    assert answer.headers["retry-after"]
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["deprecation"]
    where = answer.headers["location"].removeprefix("/v1")
    again = client.post("/chat/completions", json=ASK, headers=later)
    assert again.headers["location"] == answer.headers["location"]
    until(lambda: client.get(where).json()["stage"] == "start")
    running = client.get(where)
    assert (running.json()["status"], running.json()["model"]) == ("running", ALDER)
    assert running.headers["retry-after"]
    GATE.set()
    until(lambda: client.get(where).json()["status"] == "succeeded")
    answer = client.post("/chat/completions", json=ASK, headers=later)
    assert answer.json()["choices"][0]["message"]["content"] == "I am back."
    revival = client.get(f"/models/{ALDER}").json()["lifecycle"]["revival"]
    assert revival["tier"] == "running"
    assert revival["eta_s_p50"] == revival["eta_s_p95"] > 0
    assert client.get("/revivals/rev_0").json()["error"]["code"] == "revival_not_found"
    metrics = httpx2.get(f"{root(client)}/metrics", trust_env=False).text
    assert 'otium_revivals_total{result="succeeded"} 1' in metrics


def test_a_revival_that_failed_says_so(lab: Lab) -> None:
    lab.retired()
    store = lab.house.archive.store
    for pack in store.list("packs/"):
        store.replace(pack, b"\0" * store.size(pack))
    client = lab.client()
    answer = client.post("/chat/completions", json=ASK, headers={"Prefer": "respond-async"})
    where = answer.headers["location"].removeprefix("/v1")
    until(lambda: client.get(where).json()["status"] == "failed")
    assert client.get(where).json()["error"] == "revival_failed"
    waited = client.post("/chat/completions", json=ASK).json()["error"]
    assert (waited["code"], waited["successor"]) == ("revival_failed", "birch-2")


def endless(handler: Any, _: dict[str, object]) -> None:
    """Stream until the other side leaves."""
    handler.close_connection = True
    handler.send_response(200)
    handler.end_headers()
    chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}
    while True:
        handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        SENT.append(1)
        if not FAST:
            time.sleep(0.02)


SENT: list[int] = []
FAST: list[int] = []


def halfway(gate: threading.Event) -> Callable[[Any, dict[str, object]], None]:
    """Return what says half of an answer, and the rest once *gate* is open."""

    def act(handler: Any, _: dict[str, object]) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        for text in ("Half ", "and half."):
            chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": text}}]}
            handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            handler.wfile.flush()
            gate.wait(20)
        handler.wfile.write(b"data: [DONE]\n\n")

    return act


@pytest.fixture
def told(lab: Lab, upstream: Upstream) -> Callable[..., httpx2.Client]:
    model = lab.active()
    upstream.acts = [endless]
    SENT.clear()
    FAST.clear()

    def serve(**changes: Any) -> httpx2.Client:
        endpoint = upstream.endpoint(model, lab.house.model(model).weights)
        return lab.client(upstreams={model: endpoint}, **changes)

    return serve


def stream(client: httpx2.Client) -> Any:
    return client.stream("POST", "/chat/completions", json={**ASK, "stream": True})


@pytest.mark.parametrize("kind", ["own", "aiohttp"])
def test_a_client_that_leaves_ends_the_engines_work(
    lab: Lab, told: Callable[..., httpx2.Client], kind: str
) -> None:
    client = told(client=kind)
    with stream(client) as answer:
        next(answer.iter_bytes())
    seen = -1

    def still() -> bool:
        nonlocal seen
        before, seen = seen, len(SENT)
        time.sleep(0.1)
        return before == seen

    until(still)
    until(lab.lines)
    assert [one.code for one in lab.lines()] == ["gone"]


def test_a_reader_that_takes_nothing_holds_its_engine_back_and_is_let_go(
    lab: Lab, told: Callable[..., httpx2.Client]
) -> None:
    FAST.append(1)
    client = told(stall_seconds=0.5)
    host, port = root(client).removeprefix("http://").split(":")
    body = json.dumps({**ASK, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((host, int(port))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(head.encode() + b"\r\n" + body)
        until(lambda: len(SENT) > 10)
        until(lab.lines)
        assert len(SENT) < 20_000
        assert [one.code for one in lab.lines()] == ["stalled"]


def test_no_more_are_taken_than_may_be_under_way(told: Callable[..., httpx2.Client]) -> None:
    client = told(open_requests=1)
    with stream(client) as answer:
        parts = answer.iter_bytes()  # held: without it the client leaves
        next(parts)
        second = client.post("/messages", json={**ASK, "max_tokens": 5})
        assert second.status_code == 503
        assert second.json()["error"]["code"] == "too_many_requests"
        assert second.headers["retry-after"]


def test_a_service_that_is_to_end_finishes_open_answers_and_takes_no_new_ones(
    lab: Lab, upstream: Upstream
) -> None:
    model = lab.active()
    gate = threading.Event()

    upstream.acts = [halfway(gate)]
    endpoint = upstream.endpoint(model, lab.house.model(model).weights)
    client = lab.client(upstreams={model: endpoint})
    service = lab.services[0]
    with stream(client) as answer:
        lines = answer.iter_lines()
        next(lines)
        assert client.get(f"{root(client)}/readyz").status_code == 200
        service.drain()
        ready = client.get(f"{root(client)}/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        refused = client.post("/chat/completions", json=ASK)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        assert refused.headers["connection"] == "close"
        gate.set()
        assert list(lines)[-2] == "data: [DONE]"


def test_what_is_open_when_the_drain_is_over_ends_with_an_error(
    told: Callable[..., httpx2.Client], lab: Lab
) -> None:
    client = told(drain_seconds=0.3)
    with stream(client) as answer:
        lines = answer.iter_lines()
        next(lines)
        lab.services[0].drain()
        rest = [line for line in lines if line]
    assert json.loads(rest[-1].removeprefix("data: "))["error"]["code"] == "draining"


SERVE = """
import sys
from pathlib import Path
from otium.engine import Endpoint, Identity
from otium.gateway import Service, Settings, run
from otium.commitments import load_policy
from otium.lifecycle import found
from otium.notes import Signer
from otium.testing import FixedClock, MemoryStore
home, upstream, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
house = found(MemoryStore(), Signer.generate("example.org/otium"), archive_id="test-house",
              clock=FixedClock("2026-01-01T00:00:00Z"), policy=load_policy())
house.register("alder-1", title="A", released="2025-06-01", scope="public", surfaces=["api"])
identity = Identity(model="alder-1", weights=None, engine="told/1")
endpoint = Endpoint(base_url=upstream, api_key="k", identity=identity)
service = Service(house, cache=home / "cache", state=f"sqlite:///{home}/state.sqlite",
                  settings=Settings(drain_seconds=5), upstreams={"alder-1": endpoint},
                  log=sys.stderr.buffer)
run(service, "127.0.0.1", port)
"""


def test_sigterm_lets_a_real_process_finish_its_answers(upstream: Upstream, tmp_path: Path) -> None:
    gate = threading.Event()

    upstream.acts = [halfway(gate)]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = upstream.endpoint(ALDER, None).base_url
    command = [sys.executable, "-c", SERVE, str(tmp_path), url, str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        address = f"http://127.0.0.1:{port}"

        def up() -> bool:
            try:
                return httpx2.get(f"{address}/readyz", trust_env=False).status_code == 200
            except httpx2.TransportError:
                return False

        until(up, 60)
        with (
            httpx2.Client(base_url=f"{address}/v1", timeout=20, trust_env=False) as client,
            stream(client) as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            os.kill(process.pid, signal.SIGTERM)
            until(lambda: not up())
            gate.set()
            assert list(lines)[-2] == "data: [DONE]"
        _, said = process.communicate(timeout=20)
    lines_said = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    assert [(one["kind"], one["model"]) for one in lines_said if one["event"] == "engine"] == [
        (kind, ALDER) for kind in ("loaded", "made way", "stopped")
    ]
    lines_said = [one for one in lines_said if one["event"] != "engine"]
    assert [one["event"] for one in lines_said] == ["started", "draining", "request", "stopped"]
    assert lines_said[2]["code"] == "answered"
    assert lines_said[3]["open"] == 0


def test_requests_are_counted_and_logged_without_a_word_of_what_was_said(
    lab: Lab, tmp_path: Path
) -> None:
    lab.active()
    path = tmp_path / "log"
    with path.open("wb") as log:
        service = lab.service(Scripted(["a secret answer"]))
        service._lines = type(service._lines)(log)
        with lab.serve(service) as client:
            client.post("/chat/completions", json=ASK)
            client.post("/responses", json={"model": ALDER, "input": "a secret", "stream": True})
            client.post("/messages", json={**ASK, "model": "stranger", "max_tokens": 5})
            metrics = client.get(f"{root(client)}/metrics").text
    for line in (
        'otium_requests_total{api="chat.completions",model="alder-1",code="answered"} 1',
        'otium_requests_total{api="responses",model="alder-1",code="answered"} 1',
        'otium_requests_total{api="messages",model="",code="model_not_found"} 1',
        'otium_tokens_total{model="alder-1",kind="written"} 6',
        'otium_first_byte_seconds_count{api="responses"} 1',
        "otium_open_requests 0",
    ):
        assert line in metrics
    said = path.read_text()
    assert "secret" not in said
    requests = [one for one in map(json.loads, said.splitlines()) if one["event"] == "request"]
    assert [(one["api"], one["code"], one["written"]) for one in requests] == [
        ("chat.completions", "answered", 3),
        ("responses", "answered", 3),
        ("messages", "model_not_found", 0),
    ]
    assert requests[0]["weights"] == lab.house.model(ALDER).weights


@pytest.mark.parametrize("name", ["a\nb", "a\r\nX: y", "a\0b", "é", ""])
@pytest.mark.parametrize("route", ["/chat/completions", "/responses", "/messages"])
def test_a_name_that_no_header_can_hold_is_refused(lab: Lab, route: str, name: str) -> None:
    asked = {"model": name, "max_tokens": 5} | ({"input": "Hi"} if "resp" in route else {})
    asked |= {} if "resp" in route else {"messages": HI}
    answer = lab.client().post(route, json=asked)
    assert answer.status_code == 400
    assert "model" in answer.json()["error"]["message"]
