"""Endpoints that are meant to harm whoever asks them: one error of ours, within bounds."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from inspect_ai.model import ModelOutput

from otium.engine import Endpoint, HttpModel, Identity, Message
from otium.errors import EngineFailed
from otium.evidence.provider import to_completion, to_output
from otium.records import ModelId

IDENTITY = Identity(model=ModelId("m-1"), weights=None, engine="hostile")
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def hostile(answer: Answer, *, timeout: float = 20) -> Iterator[HttpModel]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            try:
                answer(self)
            except OSError:  # who asked has gone away
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        yield HttpModel(Endpoint(base_url=url, api_key="k", identity=IDENTITY), timeout=timeout)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(body: bytes, *, status: int = 200, head: tuple[tuple[str, str], ...] = ()) -> Answer:
    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        for name, value in head:
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(body)

    return answer


def chat(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()


def endless(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.end_headers()
    while True:
        to.wfile.write(b" " * 65536)


def dripping(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.end_headers()
    stop = threading.Event()
    while not stop.wait(0.05):
        to.wfile.write(b" ")


def reset(to: BaseHTTPRequestHandler) -> None:
    to.connection.close()


BAD: dict[str, tuple[Answer, str]] = {
    "of fifty megabytes": (said(chat("a" * 50_000_000)), "more than 33,554,432 bytes"),
    "without an end": (endless, "more than 33,554,432 bytes"),
    "that unfolds": (
        said(gzip.compress(b" " * 400_000_000), head=(("Content-Encoding", "gzip"),)),
        "more than 33,554,432 bytes",
    ),
    "byte by byte": (dripping, "did not end within 1 s"),
    "nested without end": (said(b'{"choices":' + b"[" * 200_000), "malformed answer"),
    "an error nested without end": (said(b"[" * 200_000, status=500), "HTTP 500"),
    "half a surrogate pair": (said(chat("\ud800")), "malformed answer"),
    "nothing": (said(b""), "malformed answer"),
    "an error": (said(b'{"error":"no"}', status=500), "HTTP 500: no"),
    "a connection that closes": (reset, "RemoteProtocolError|ReadError"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_hostile_answer_is_an_engine_that_failed(name: str) -> None:
    answer, why = BAD[name]
    with (
        hostile(answer, timeout=1 if name == "byte by byte" else 20) as model,
        pytest.raises(EngineFailed, match=why),
    ):
        model.chat([Message(role="user", content="Hello.")])


def test_an_answer_without_words_was_kept_back_and_is_no_failure() -> None:
    with hostile(said(chat("x").replace(b'"x"', b"null"))) as model:
        assert model.chat([Message(role="user", content="Hello.")]).withheld


def test_words_that_are_odd_but_whole_arrive_as_they_are() -> None:
    odd = "\0\x1b[2J<script>\u202e"
    with hostile(said(chat(odd))) as model:
        assert model.chat([Message(role="user", content="Hello.")]).text == odd


def test_half_a_surrogate_pair_from_another_provider_does_not_stop_a_record() -> None:
    found = to_completion(ModelOutput.from_content("m", "a\ud800b"))
    assert found.text == "a?b"
    assert to_output(found, "m").message.text == "a?b"
