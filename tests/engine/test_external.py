import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from otium.engine import Endpoint, Engine, External, HttpModel, Message, Options, external
from otium.errors import BadInput, EngineFailed, EngineUnavailable
from otium.records import Digest, ModelId
from otium.testing import Scripted, serve

MODEL = ModelId("smol-1")
WEIGHTS, OTHERS = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
ASKED = (Message(role="user", content="Hello?"),)


@contextmanager
def host(answers: Mapping[str, tuple[int, object]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, said = answers.get(self.path, (404, {}))
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dripping() -> Iterator[str]:
    """A host that gives a byte now and then, for as long as it is listened to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.02):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    over, server = threading.Event(), ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def models(**card: object) -> tuple[int, object]:
    return 200, {"object": "list", "data": [{"id": "org/smol", "object": "model", **card}]}


def test_a_server_that_is_not_ours_answers_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve(Scripted(["Good day."])) as theirs:
        monkeypatch.setenv("OTIUM_ENDPOINT_KEY", theirs.api_key)
        engine: Engine = External(url=theirs.base_url, served_as=str(theirs.identity.model))
        with engine.run(Path(), model=MODEL, weights=WEIGHTS) as endpoint:
            assert endpoint.identity.model == MODEL
            assert HttpModel(endpoint).chat(ASKED, Options(max_tokens=2)).text == "Good day."


def test_llama_server_is_reached_and_named(real: Endpoint, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{real.api_key}\n")
    engine = External(url=real.base_url, key_file=key)
    with engine.run(None, model=MODEL, weights=WEIGHTS) as endpoint:
        assert endpoint.identity.weights is None
        assert endpoint.identity.flags["weights"] == "unknown"
        assert endpoint.identity.engine.startswith("llamacpp/")
        assert HttpModel(endpoint).chat(ASKED, Options(max_tokens=1)).completion_tokens == 1
    assert engine.healthy()


@pytest.mark.parametrize(
    ("answers", "engine", "context"),
    [
        (
            {
                "/v1/models": models(owned_by="vllm", root="/models/x", max_model_len=4096),
                "/version": (200, {"version": "0.11.2"}),
            },
            "vllm/0.11.2",
            "4096",
        ),
        ({"/v1/models": models(owned_by="sglang", max_model_len=1)}, "sglang/unknown", "1"),
        ({"/v1/models": models()}, "endpoint/unknown", None),
    ],
)
def test_what_runs_there_is_recorded_and_weights_that_nobody_shows_are_none(
    answers: dict[str, tuple[int, object]], engine: str, context: str | None
) -> None:
    with host(answers) as url:
        identity = External.at(f"{url}#org/smol").endpoint(MODEL, WEIGHTS).identity
    assert (identity.engine, identity.weights) == (engine, None)
    assert identity.flags.get("context") == context


def test_weights_that_a_host_shows_are_taken_and_other_weights_refused() -> None:
    with host({"/v1/models": models(weights=WEIGHTS)}) as url:
        engine = External(url=url, served_as="org/smol")
        assert engine.endpoint(MODEL, WEIGHTS).identity.weights == WEIGHTS
        with pytest.raises(EngineFailed, match="shows that it runs"):
            engine.endpoint(MODEL, OTHERS)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"/v1/models": models()}, "does not serve 'smol-1'; it serves org/smol"),
        ({"/v1/models": (200, {"data": []})}, "it serves none"),
        ({"/v1/models": (200, b"<html>")}, "no list of models"),
        ({"/v1/models": (401, {})}, "refuses the key .* OTIUM_ENDPOINT_KEY"),
        ({"/v1/models": (500, {})}, "status 500"),
        ({"/v1/models": (503, {})}, "status 503"),
        ({}, "most end in /v1"),
    ],
)
def test_an_endpoint_that_is_not_what_was_meant_is_refused_with_its_reason(
    answers: dict[str, tuple[int, object]], why: str
) -> None:
    with host(answers) as url, pytest.raises(EngineUnavailable, match=why):
        External(url=url, start_limit=0.2).endpoint(MODEL)


def test_a_server_that_is_still_loading_is_waited_for() -> None:
    answers: dict[str, tuple[int, object]] = {"/v1/models": (503, {})}
    with host(answers) as url:
        late = threading.Timer(0.3, lambda: answers.update({"/v1/models": models()}))
        late.start()
        assert External(url=url, served_as="org/smol").endpoint(MODEL).served_as == "org/smol"


def test_a_host_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_LONGEST", 0.3)
    began = time.monotonic()
    with dripping() as url, pytest.raises(EngineUnavailable, match="does not come to an end"):
        External(url=url, start_limit=0.1).endpoint(MODEL)
    assert time.monotonic() - began < 5


def test_a_key_that_cannot_stand_in_a_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTIUM_ENDPOINT_KEY", "schlüssel")
    with pytest.raises(BadInput, match="OTIUM_ENDPOINT_KEY: it holds no key"):
        External(url="http://127.0.0.1:1/v1").endpoint(MODEL)


def test_what_a_host_says_of_itself_moves_no_terminal() -> None:
    answers = {
        "/v1/models": models(owned_by="vllm"),
        "/version": (200, {"version": "1\x1b[2J\n2"}),
    }
    with host(answers) as url:
        assert External.at(f"{url}#org/smol").endpoint(MODEL).identity.engine == "vllm/1[2J2"
    with host({"/v1/models": (200, {"data": [{"id": "a\x1b[2Jb"}]})}) as url:
        with pytest.raises(EngineUnavailable) as refused:
            External(url=url).endpoint(MODEL)
        assert str(refused.value).isprintable()


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with host({}) as url:
        pass
    with pytest.raises(EngineUnavailable, match=r"nobody answers at .* within 0\.1 s"):
        External(url=url, start_limit=0.1).endpoint(MODEL)
    with pytest.raises(BadInput, match="key file"):
        External(url=url, key_file=tmp_path / "none").endpoint(MODEL)
    assert not External(url=url).healthy()


@pytest.mark.parametrize(
    "url", ["ftp://x/v1", "https://", "http://u:secret@h/v1", "http://h/v1?key=secret", "http://[/"]
)
def test_an_address_that_is_none_or_holds_a_key_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        External(url=url).endpoint(MODEL)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answers", "well"),
    [
        ({"/health": (200, b"")}, True),
        ({"/health": (503, b"")}, False),
        ({"/v1/models": models()}, True),
        ({}, False),
    ],
)
def test_health_is_asked_as_each_engine_knows_it(
    answers: dict[str, tuple[int, object]], well: bool
) -> None:
    with host(answers) as url:
        assert External(url=url).healthy() is well


def test_an_address_without_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="#MODEL"):
        External.at("http://127.0.0.1:1/v1")
