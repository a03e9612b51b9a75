from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import httpx2
import pytest

from gateway.conftest import AT_ONCE
from otium.engine import GREEDY, Completion, Endpoint, Message, Options
from otium.errors import EngineFailed
from otium.fingerprints import Fingerprint, take_fingerprint
from otium.records import Digest, ModelId, digest
from otium.testing import Scripted, ServedEngine

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

HI = [{"role": "user", "content": "hi"}]


def ask(client: httpx2.Client, model: str = "alder-1", **more: object) -> httpx2.Response:
    return client.post("/chat/completions", json={"model": model, "messages": HI, **more})


def health(client: httpx2.Client) -> str:
    return str(client.base_url).replace("/v1/", "/healthz")


def chunks(answer: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line for line in answer.text.split("\n\n") if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


def text(events: Sequence[dict[str, Any]]) -> str:
    deltas = [choice["delta"] for event in events for choice in event.get("choices", [])]
    return "".join(delta.get("content") or "" for delta in deltas)


def fingerprint(lab: Lab, model: ModelId, spoken: Scripted) -> None:
    now = lab.clock.now()
    lab.house.file(
        "fingerprint.recorded",
        model,
        "fingerprint.json",
        Fingerprint,
        lambda: take_fingerprint(spoken, now=now),
    )


class Held(ServedEngine):
    """An engine whose start waits until it is let go."""

    gate: threading.Event

    @contextmanager
    def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
        gates[id(self)].wait(10)
        with super().run(files, model=model, weights=weights) as endpoint:
            yield endpoint


gates: dict[int, threading.Event] = {}


def held(reply: str = "I am back.") -> tuple[Held, threading.Event]:
    engine = Held(Scripted([reply]))
    gates[id(engine)] = threading.Event()
    return engine, gates[id(engine)]


def test_an_answer_names_the_exact_weights(lab: Lab) -> None:
    model = lab.active()
    weights = lab.house.model(model).weights
    answer = ask(lab.client())
    body = answer.json()
    assert answer.headers["otium-weights"] == weights
    assert body["model"] == model
    assert body["otium"] == {"weights": weights, "certificate": None}
    assert body["choices"][0]["message"]["content"] == "Good day to you."
    assert body["choices"][0]["finish_reason"] == "stop"


def test_a_stream_names_the_exact_weights_and_says_the_same(lab: Lab) -> None:
    model = lab.active()
    answer = ask(lab.client(), stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["otium-weights"] == lab.house.model(model).weights
    events = chunks(answer)
    assert text(events) == "Good day to you."
    assert events[0]["otium"]["weights"] == lab.house.model(model).weights
    assert {event["model"] for event in events} == {model}
    assert events[-1]["usage"]["completion_tokens"] == 4
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_retired_model_comes_back_certified_and_its_revival_is_logged_once(lab: Lab) -> None:
    model = lab.retired()
    spoken = Scripted(["Good day to you."])
    fingerprint(lab, model, spoken)
    client = lab.client(spoken)
    first, second = ask(client), ask(client)
    assert first.status_code == second.status_code == 200
    (entry,) = lab.house.find("model.revived", model)
    certificate = first.json()["otium"]["certificate"]
    assert certificate["verdict"] == "exact"
    assert certificate["digest"] in entry.refs
    assert first.headers["deprecation"]


def test_the_revival_is_in_the_ledger_before_anyone_is_answered(lab: Lab) -> None:
    model = lab.retired()

    class Nosy(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            seen.append(len(lab.house.ledger.entries()))
            return super().chat(messages, options)

    seen: list[int] = []
    ask(lab.client(Nosy(["hello"])))
    entries = lab.house.entries()
    place = next(n for n, entry in enumerate(entries) if entry.type == "model.revived")
    assert seen == [place + 1]
    assert model == entries[place].subject


def test_eight_first_requests_start_one_engine(lab: Lab) -> None:
    model = lab.retired()
    engine, gate = held()
    client = lab.client(engine=engine)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, client) for _ in range(8)]
        while client.get(f"/models/{model}").json()["lifecycle"]["engine"] != "loading":
            pass
        gate.set()
        answers = [one.result() for one in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len(engine.started) == 1
    assert len(lab.house.find("model.revived", model)) == 1


def test_a_stream_is_told_that_its_model_is_starting(lab: Lab) -> None:
    lab.retired()
    engine, gate = held()
    client = lab.client(engine=engine, keepalive_seconds=0.05)
    with client.stream("POST", "/chat/completions", json=_streamed()) as answer:
        lines = answer.iter_lines()
        first = next(lines)
        gate.set()
        rest = list(lines)
    assert first.startswith(": reviving model=alder-1 stage=start eta=unknown waited=")
    assert rest[-2] == "data: [DONE]"
    assert "I am back." in text([json.loads(x[6:]) for x in rest if x.startswith("data: {")])


def _streamed() -> dict[str, object]:
    return {"model": "alder-1", "messages": HI, "stream": True}


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_does_not_cancel_the_revival(lab: Lab, stream: bool) -> None:
    model = lab.retired()
    engine, gate = held()
    client = lab.client(engine=engine)
    body = {"model": model, "messages": HI, "stream": stream}
    with pytest.raises(httpx2.ReadTimeout):
        client.post("/chat/completions", json=body, timeout=0.3)
    assert _codes(lab, 1) == ["gone"]
    gate.set()
    assert ask(client).status_code == 200
    assert len(engine.started) == 1
    assert _codes(lab, 2) == ["gone", "answered"]


def _codes(lab: Lab, count: int) -> list[str]:
    deadline = time.monotonic() + 5
    while len(found := lab.lines()) < count and time.monotonic() < deadline:
        pass
    return [event.code for event in found]


def test_a_model_that_behaves_differently_is_refused_with_the_reason(lab: Lab) -> None:
    model = lab.retired()
    fingerprint(lab, model, Scripted(["Good day to you."]))
    client = lab.client(Scripted(["Something else entirely."]))
    for stream in (False, True):
        answer = ask(client, stream=stream)
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["code"] == "fingerprint_differs"
        assert "tokens are equal" in error["message"]
        assert "Something" not in answer.text
        assert "otium-weights" not in answer.headers
    assert lab.house.find("model.revived") == []


def test_weights_that_are_not_those_of_the_ledger_never_answer(
    lab: Lab, upstream: Upstream
) -> None:
    model = lab.active()
    upstream.acts = [whole("I am another model.")]
    endpoint = upstream.endpoint(model, digest(b"other weights"))
    answer = ask(lab.client(upstreams={model: endpoint}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "weights_differ")
    assert upstream.asked == []


def test_damaged_weights_are_refused_with_the_reason(lab: Lab) -> None:
    model = lab.retired()
    store = lab.house.archive.store
    for pack in store.list("packs/"):
        store.replace(pack, b"\0" * store.size(pack))
    answer = ask(lab.client())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "revival_failed")
    assert "damaged" in answer.json()["error"]["message"]
    assert lab.house.find("model.revived", model) == []


def test_a_revival_that_takes_too_long_is_a_timeout_and_goes_on(lab: Lab) -> None:
    lab.retired()
    engine, gate = held()
    client = lab.client(engine=engine, load_seconds=0.1, keepalive_seconds=0.05)
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "revival_timeout")
    assert answer.headers["retry-after"]
    streamed = ask(client, stream=True)
    assert chunks(streamed)[-1]["error"]["code"] == "revival_timeout"
    gate.set()
    deadline = time.monotonic() + 10
    while ask(client).status_code != 200 and time.monotonic() < deadline:
        pass
    assert len(engine.started) == 1


def test_an_engine_can_be_started_before_it_is_asked(lab: Lab) -> None:
    model = lab.retired()
    engine, gate = held()
    gate.set()
    client = lab.client(engine=engine)
    assert client.post(f"/models/{model}/prewarm").status_code == 202
    while client.get(f"/models/{model}").json()["lifecycle"]["engine"] != "loaded":
        pass
    assert client.get(health(client)).json()["loaded"] == [model]
    assert ask(client).status_code == 200
    assert len(engine.started) == 1


def test_engines_end_with_the_service(lab: Lab) -> None:
    lab.active()
    stopped: list[str] = []

    class Watched(ServedEngine):
        @contextmanager
        def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
            with super().run(files, model=model, weights=weights) as endpoint:
                yield endpoint
            stopped.append(model)

    with lab.serve(lab.service(engine=Watched(Scripted(["hello"])))) as client:
        ask(client)
        assert stopped == []
    assert stopped == ["alder-1"]


# Engines that break

Act = Callable[[BaseHTTPRequestHandler, dict[str, object]], None]


def send(handler: BaseHTTPRequestHandler, status: int, data: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def whole(content: str | None, **message: object) -> Act:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": "stop",
    }
    body = {"id": "x", "model": "/secret/path.gguf", "timings": {}, "choices": [choice]}
    return lambda handler, _: send(handler, 200, json.dumps(body).encode())


def status(code: int, message: str = "no") -> Act:
    body = json.dumps({"error": {"message": message}}).encode()
    return lambda handler, _: send(handler, code, body)


def crash(handler: BaseHTTPRequestHandler, _: dict[str, object]) -> None:
    handler.close_connection = True


def hang(until: threading.Event) -> None:
    until.wait(10)


def events(*deltas: dict[str, object], finish: bool = True, tail: bytes = b"") -> Act:
    def act(handler: BaseHTTPRequestHandler, _: dict[str, object]) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        for delta in deltas:
            chunk = {"id": "x", "choices": [{"index": 0, "delta": delta}]}
            handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n")
            handler.wfile.flush()
        handler.wfile.write(tail + (b"data: [DONE]\n\n" if finish else b""))

    return act


@pytest.fixture
def told(lab: Lab, upstream: Upstream) -> httpx2.Client:
    model = lab.active()
    endpoint = upstream.endpoint(model, lab.house.model(model).weights)
    return lab.client(upstreams={model: endpoint}, answer_seconds=1)


def test_an_engine_that_breaks_once_is_asked_again(told: httpx2.Client, upstream: Upstream) -> None:
    upstream.acts = [crash, whole("Here I am.")]
    answer = ask(told)
    assert answer.json()["choices"][0]["message"]["content"] == "Here I am."
    upstream.acts = [status(500), events({"content": "Here "}, {"content": "I am."})]
    assert text(chunks(ask(told, stream=True))) == "Here I am."


@pytest.mark.parametrize(
    "act",
    [
        crash,
        status(500),
        status(401),
        lambda h, _: send(h, 200, b"not json"),
        lambda h, _: send(h, 200, b"[]"),
        lambda h, _: send(h, 200, b'{"error": {"message": "out of memory"}}'),
    ],
)
def test_an_engine_that_breaks_twice_is_a_bad_gateway(
    told: httpx2.Client, upstream: Upstream, act: Act
) -> None:
    upstream.acts = [act]
    for stream in (False, True):
        answer = ask(told, stream=stream)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert len(upstream.asked) == 4


@pytest.mark.parametrize("tail", [b"", b'data: {"error": {"message": "lost"}}\n\n', b"data: {\n\n"])
def test_a_stream_that_breaks_in_the_middle_ends_with_an_error_and_is_not_repeated(
    told: httpx2.Client, upstream: Upstream, tail: bytes
) -> None:
    upstream.acts = [events({"content": "Half an "}, finish=False, tail=tail)]
    answer = ask(told, stream=True)
    events_seen = chunks(answer)
    assert text(events_seen[:-1]) == "Half an "
    assert events_seen[-1]["error"]["code"] == "upstream_failed"
    assert "[DONE]" not in answer.text
    assert len(upstream.asked) == 1


def test_an_engine_that_hangs_is_a_timeout(told: httpx2.Client, upstream: Upstream) -> None:
    done = threading.Event()
    upstream.acts = [lambda _handler, _body: hang(done)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda stream: ask(told, stream=stream), (False, True)))
    done.set()
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


def test_what_an_engine_refuses_is_the_clients_to_mend(
    told: httpx2.Client, upstream: Upstream
) -> None:
    upstream.acts = [status(400, "the prompt is longer than the context")]
    answer = ask(told)
    assert answer.status_code == 400
    assert "longer than the context" in answer.json()["error"]["message"]
    assert len(upstream.asked) == 1


def test_an_engines_paths_and_own_names_are_not_passed_on(
    told: httpx2.Client, upstream: Upstream
) -> None:
    upstream.acts = [whole("x")]
    answer = ask(told)
    assert "secret" not in answer.text
    assert "timings" not in answer.text


def test_an_engine_that_died_while_idle_is_started_again(lab: Lab) -> None:
    lab.active()

    class Mortal(ServedEngine):
        @contextmanager
        def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
            if not self.started:
                with super().run(files, model=model, weights=weights) as gone:
                    pass
                yield gone
            else:
                with super().run(files, model=model, weights=weights) as endpoint:
                    yield endpoint

    engine = Mortal(Scripted(["Still here."]))
    answer = ask(lab.client(engine=engine))
    assert answer.json()["choices"][0]["message"]["content"] == "Still here."
    assert len(engine.started) == 2


def test_an_engine_that_does_not_start_names_the_fault_and_no_path(lab: Lab) -> None:
    lab.active()

    class Broken(ServedEngine):
        def run(self, *_: object, model: ModelId, **__: object) -> NoReturn:
            raise EngineFailed(model=model, why="cannot load /secret/path.gguf")

    answer = ask(lab.client(engine=Broken(Scripted(["unheard"]))))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "revival_failed")
    message = answer.json()["error"]["message"]
    assert message == "alder-1 could not be started: engine failed."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "choice", [5, {}, {"message": "x", "delta": "x"}, {"delta": {"tool_calls": 1}}]
)
def test_an_answer_of_an_unknown_shape_is_no_exit_and_is_passed_on(
    lab: Lab, upstream: Upstream, choice: object, stream: bool
) -> None:
    model = lab.active()
    data = json.dumps({"choices": [choice]}).encode()
    sent = b"data: " + data + b"\n\ndata: [DONE]\n\n" if stream else data
    upstream.acts = [lambda handler, _: send(handler, 200, sent)]
    endpoint = upstream.endpoint(lab.knows(model, "tool", "told/1"), lab.house.model(model).weights)
    client = lab.client(upstreams={model: endpoint}, offer_exit=(model,), exit_policy=AT_ONCE)
    answer = ask(client, stream=stream)
    body = chunks(answer)[0] if stream else answer.json()
    assert (answer.status_code, body["choices"]) == (200, [choice])
