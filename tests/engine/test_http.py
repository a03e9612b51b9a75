import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from otium.engine import GREEDY, Completion, Endpoint, HttpModel, Identity, Message, Options
from otium.errors import EngineFailed
from otium.records import Digest, ModelId
from otium.testing import Scripted, serve

ASKED = (Message(role="user", content="Hello?"),)
IDENTITY = Identity(model=ModelId("m"), weights=Digest("sha256:" + "0" * 64), engine="x/1")


class _Handler(BaseHTTPRequestHandler):
    status: int
    answer: bytes
    bodies: list[dict[str, object]]
    keys: list[str | None]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.keys.append(self.headers["Authorization"])
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def answering(answer: object, status: int = 200) -> Iterator[tuple[HttpModel, type[_Handler]]]:
    class Handler(_Handler):
        bodies: list[dict[str, object]] = []
        keys: list[str | None] = []

    Handler.status = status
    Handler.answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield HttpModel(Endpoint(base_url=url, api_key="k1", identity=IDENTITY)), Handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def choice(**changes: object) -> dict[str, object]:
    plain = {"index": 0, "message": {"content": "Hi."}, "finish_reason": "stop"}
    return {"choices": [{**plain, **changes}]}


def test_a_request_is_uncached_greedy_seeded_and_carries_the_key() -> None:
    with answering(choice()) as (model, seen):
        model.chat(ASKED, Options(seed=7, max_tokens=5))
    assert seen.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hello?"}],
            "max_tokens": 5,
            "temperature": 0.0,
            "seed": 7,
            "cache_prompt": False,
            "stream": False,
        }
    ]
    assert seen.keys == ["Bearer k1"]


def test_a_schema_is_sent_as_a_response_format() -> None:
    schema: dict[str, object] = {"type": "object"}
    with answering(choice()) as (model, seen):
        model.chat(ASKED, Options(json_schema=schema))
    form = seen.bodies[0]["response_format"]
    assert form == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "malformed answer"),
        (b"<html>hello", "malformed answer"),
        (b'{"choices": "\xff"}', "malformed answer"),
        ([], "malformed answer"),
        ({"choices": []}, "0 choices"),
        ({"choices": choice()["choices"], "usage": {"prompt_tokens": "many"}}, "prompt_tokens"),
        (choice(message={"content": 3}), "content"),
        (choice(message={"content": None}, finish_reason="tool_calls"), "tool_calls"),
        (choice(finish_reason=None), "finish_reason"),
    ],
)
def test_a_malformed_answer_is_an_engine_failure(answer: object, why: str) -> None:
    with answering(answer) as (model, _), pytest.raises(EngineFailed, match=why):
        model.chat(ASKED)


@pytest.mark.parametrize(
    ("answer", "status", "text", "withheld"),
    [
        (choice(finish_reason="content_filter"), 200, "Hi.", "content_filter"),
        (
            choice(finish_reason="content_filter", message={"content": None}),
            200,
            "",
            "content_filter",
        ),
        (choice(message={"content": None}), 200, "", "no content"),
        (choice(message={"content": None, "refusal": "No."}), 200, "No.", ""),
        ({"error": {"code": "content_filter", "message": "policy"}}, 400, "", "content_filter"),
    ],
)
def test_what_a_host_keeps_back_is_said_and_is_no_failure_of_the_engine(
    answer: object, status: int, text: str, withheld: str
) -> None:
    with answering(answer, status) as (model, _):
        said = model.chat(ASKED)
    assert (said.text, said.withheld) == (text, withheld)


@pytest.mark.parametrize(
    ("logprobs", "why"),
    [
        ({"content": [{"token": "a", "logprob": None, "top_logprobs": []}]}, "may be damaged"),
        ({"content": [{"token": "a", "bytes": [900], "logprob": -1.0}]}, "malformed"),
    ],
)
def test_broken_log_probabilities_are_an_engine_failure(logprobs: object, why: str) -> None:
    with (
        answering(choice(logprobs=logprobs)) as (model, _),
        pytest.raises(EngineFailed, match=why),
    ):
        model.chat(ASKED, Options(top_logprobs=1))


@pytest.mark.parametrize("logprobs", [None, {"content": None}])
def test_an_answer_without_the_log_probabilities_asked_for_has_no_tokens(logprobs: object) -> None:
    with answering(choice(logprobs=logprobs)) as (model, _):
        answer = model.chat(ASKED, Options(top_logprobs=1))
    assert (answer.text, answer.tokens) == ("Hi.", ())


def test_a_token_that_is_half_a_character_keeps_its_bytes() -> None:
    alternative = {"token": "\ufffd", "bytes": [0xF0, 0x9F], "logprob": -2.0}
    token = {"token": " A", "bytes": [32, 65], "logprob": -1.0, "top_logprobs": [alternative]}
    with answering(choice(logprobs={"content": [token]})) as (model, _):
        kept = model.chat(ASKED, Options(top_logprobs=1)).tokens[0]
    assert kept.text == " A"
    assert kept.top == {"\\xf0\\x9f": -2.0}


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, {"error": {"message": "too long"}}, "HTTP 400: too long"),
        (500, {"error": "no slots"}, "HTTP 500: no slots"),
        (502, b"<html>", "HTTP 502: <html>"),
        (301, {}, "HTTP 301"),
        (503, b"\xff" * 10_000, "HTTP 503"),
    ],
)
def test_an_http_error_is_an_engine_failure_with_its_reason(
    status: int, body: object, why: str
) -> None:
    with answering(body, status) as (model, _), pytest.raises(EngineFailed) as failed:
        model.chat(ASKED)
    assert why in str(failed.value)
    assert len(str(failed.value)) < 600


def test_a_wrong_key_is_an_engine_failure() -> None:
    with serve(Scripted(["x"])) as endpoint, pytest.raises(EngineFailed, match="401"):
        HttpModel(msgspec.structs.replace(endpoint, api_key="wrong")).chat(ASKED)


def test_nobody_there_is_an_engine_failure() -> None:
    with serve(Scripted(["x"])) as endpoint:
        pass
    with pytest.raises(EngineFailed, match="ConnectError"):
        HttpModel(endpoint).chat(ASKED)


def test_silence_is_an_engine_failure_after_the_time_limit() -> None:
    silent = threading.Event()

    class Slow(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            silent.wait(10)
            return super().chat(messages, options)

    with serve(Slow(["x"])) as endpoint:
        with pytest.raises(EngineFailed, match=r"no answer within 0\.2 s"):
            HttpModel(endpoint, timeout=0.2).chat(ASKED)
        silent.set()


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serve(Scripted(["direct"])) as endpoint:
        assert HttpModel(endpoint).chat(ASKED).text == "direct"
