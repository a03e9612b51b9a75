"""Engines behind the gateway: what they may take, who keeps them, and what is said of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from gateway.test_course import halfway, root, until
from gateway.test_serving import ask, chunks, fingerprint, text
from otium.admission import Scope, open_keys
from otium.engine import Endpoint, External
from otium.errors import EngineFailed
from otium.records import Digest, ModelId
from otium.residence import estimate
from otium.revival import Cache
from otium.testing import Scripted, ServedEngine, serve

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

ALDER = ModelId("alder-1")


def held(lab: Lab, model: ModelId) -> int:
    return estimate(sum(file.size for file in lab.house.archive.manifest(model).files))


def facts(client: httpx2.Client, model: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/models/{model}").json()["lifecycle"]
    return found


def metrics(client: httpx2.Client) -> str:
    return httpx2.get(f"{root(client)}/metrics", trust_env=False).text


def test_engines_share_a_budget_of_memory_and_what_is_pinned_stays(lab: Lab) -> None:
    names = [lab.active(f"m-{number}") for number in range(3)]
    size = held(lab, names[0])
    engine = ServedEngine(Scripted(["Good day."]))
    some: dict[str, Any] = {"resident": 0, "memory_bytes": 2 * size, "pinned": (names[0],)}
    client = lab.client(engine=engine, **some)
    until(lambda: facts(client, names[0])["engine"] == "loaded")
    for name in names[1:]:
        assert ask(client, name).status_code == 200
    until(lambda: facts(client, names[1])["engine"] == "unloaded")
    assert [facts(client, name)["engine"] for name in (names[0], names[2])] == ["loaded"] * 2
    assert facts(client, names[0])["revival"]["pinned"]
    assert facts(client, names[1])["revival"]["size_bytes"] == size
    assert len(engine.started) == 3
    told = metrics(client)
    assert 'otium_engine_events_total{kind="made way",model="m-1"} 1' in told
    assert f"otium_engines_bytes {2 * size}" in told


def test_weights_may_lie_in_memory(lab: Lab, tmp_path: Path) -> None:
    lab.active()
    engine = ServedEngine(Scripted(["Good day."]))
    service = lab.service(engine=engine)
    memory = tmp_path / "memory"
    service._cache = Cache(disk=tmp_path / "disk", memory=memory, most_in_memory=10**6)
    with lab.serve(service) as client:
        assert ask(client).status_code == 200
    assert engine.started[0].is_relative_to(memory)


def test_a_model_that_cannot_fit_is_refused_for_good(lab: Lab) -> None:
    model = lab.active()
    answer = ask(lab.client(memory_bytes=held(lab, model) - 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "does_not_fit")
    assert answer.headers["x-should-retry"] == "false"


def test_one_key_may_wait_for_so_many_answers_at_once(lab: Lab, upstream: Upstream) -> None:
    model, gate = lab.active(), threading.Event()
    upstream.acts = [halfway(gate)]
    endpoint = upstream.endpoint(model, lab.house.model(model).weights)
    keys = open_keys(lab.state)
    scope, now = Scope(models=("*",)), lab.clock.now()
    secrets = [keys.create(name, scope, now=now).secret for name in ("a lab", "another")]
    keys.engine.dispose()
    client = lab.client(upstreams={model: endpoint}, per_caller=1)
    client.headers["Authorization"] = f"Bearer {secrets[0]}"
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with client.stream("POST", "/chat/completions", json=body) as first:
        parts = first.iter_bytes()
        next(parts)
        second = ask(client)
        assert (second.status_code, second.json()["error"]["code"]) == (429, "too_many_open")
        assert second.headers["retry-after"]
        client.headers["Authorization"] = f"Bearer {secrets[1]}"
        gate.set()
        assert ask(client, stream=True).status_code == 200


class Told(ServedEngine):
    """An engine whose server is told what to do."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(Scripted(["-"]))
        self.upstream = upstream

    @contextmanager
    def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
        self.started.append(files)
        yield self.upstream.endpoint(model, weights)


def status(code: int) -> Any:
    def act(handler: BaseHTTPRequestHandler, _: object) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


@pytest.mark.parametrize("code", [500, 503, 401, 404])
def test_a_request_that_an_engine_refuses_stops_it_for_nobody(
    lab: Lab, upstream: Upstream, code: int
) -> None:
    model, gate = lab.active(), threading.Event()
    engine = Told(upstream)
    client = lab.client(engine=engine)
    upstream.acts = [halfway(gate), status(code)]
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with client.stream("POST", "/chat/completions", json=body) as stream:
        lines = stream.iter_lines()
        next(lines)
        refused = ask(client)
        assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_failed")
        gate.set()
        assert list(lines)[-2] == "data: [DONE]"
    assert len(engine.started) == 1
    assert len(upstream.asked) == 3


def test_an_engine_that_breaks_is_reported(lab: Lab, upstream: Upstream) -> None:
    lab.active()
    client = lab.client(engine=Told(upstream))
    upstream.acts = [lambda handler, _: setattr(handler, "close_connection", True)]
    assert ask(client).json()["error"]["code"] == "upstream_failed"
    assert 'otium_engine_events_total{kind="crashed",model="alder-1"} 2' in metrics(client)


def test_a_start_that_failed_says_when_to_ask_again(lab: Lab) -> None:
    lab.active()

    class Broken(ServedEngine):
        def run(self, files: Path, *, model: ModelId, weights: Digest) -> Any:
            raise EngineFailed(model=model, why=f"{files} {weights}")

    client = lab.client(engine=Broken(Scripted(["-"])), failure_seconds=40)
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "revival_failed")
    assert 30 < int(answer.headers["retry-after"]) <= 40
    assert "x-should-retry" not in answer.headers
    revival = facts(client, ALDER)["revival"]
    assert revival["standing"] == "could not be started (EngineFailed)"
    assert 0 < revival["retry_s"] <= 40


# Engines of others


@contextmanager
def host(speaker: Scripted, said: str = "") -> Iterator[External]:
    """Run a server of somebody else's, where the model is ``org/smol``; it says it is *said*."""
    with serve(speaker) as there:

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(b'{"object": "list", "data": [{"id": "org/smol"}]}')

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert body["model"] == "org/smol"
                body["model"] = there.identity.model
                key = {"Authorization": f"Bearer {there.api_key}"}
                url = f"{there.base_url}/chat/completions"
                answer = httpx2.post(url, json=body, headers=key, trust_env=False).json()
                self.answer(json.dumps(answer | {"model": said or "org/smol"}).encode())

            def answer(self, data: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/v1"
            yield External(url=url, served_as="org/smol")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def test_an_engine_of_others_answers_once_its_fingerprint_was_compared(lab: Lab) -> None:
    speaker = Scripted(["I am still the same."])
    fingerprint(lab, lab.active(), speaker)
    with host(speaker) as there:
        client = lab.client(upstreams={ALDER: there})
        answer = ask(client)
        assert answer.json()["choices"][0]["message"]["content"] == "I am still the same."
        assert answer.headers["otium-weights"] == "unknown"
        assert answer.json()["otium"]["certificate"]["verdict"] == "exact"
        assert facts(client, ALDER)["engine"] == "loaded"


def test_an_engine_of_others_that_behaves_otherwise_or_cannot_be_told_answers_nobody(
    lab: Lab,
) -> None:
    lab.active("birch-2")
    fingerprint(lab, lab.active(), Scripted(["I am still the same."]))
    with host(Scripted(["I am another."])) as there:
        client = lab.client(upstreams={ALDER: there, ModelId("birch-2"): there})
        answer = ask(client)
        assert answer.json()["error"]["code"] == "fingerprint_differs"
        answer = ask(client, "birch-2")
        assert answer.json()["error"]["code"] == "weights_unknown"


def test_a_host_where_another_model_answers_is_refused(lab: Lab) -> None:
    speaker = Scripted(["Hello."])
    model = ModelId("cedar-3")
    lab.house.register(
        model, title="Cedar", released="2025-06-01", scope="public", surfaces=["api"]
    )
    for said, good in (("org/smol-2026-01-31", True), ("org/large", False), ("smol", False)):
        with host(speaker, said) as there:
            answer = ask(lab.client(upstreams={model: there}), model)
            assert (answer.status_code == 200) == good
            if not good:
                assert said in answer.json()["error"]["message"]


def test_an_engine_of_others_that_is_away_is_asked_for_again_soon(lab: Lab) -> None:
    lab.active()
    there = External(url="http://127.0.0.1:9/v1", served_as="org/smol", start_limit=0)
    client = lab.client(upstreams={ALDER: there}, failure_seconds=20)
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "revival_failed")
    assert answer.headers["retry-after"] in {"1", "2"}
    assert text(chunks(answer)) == ""
