"""Who may ask, and how much; what is noted of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2
import pytest

from otium.errors import BadInput, UnsafePath
from otium.gateway import run
from otium.gateway.app import _listening
from otium.testing import Scripted, ServedEngine

if TYPE_CHECKING:
    from gateway.conftest import Lab

HI = [{"role": "user", "content": "hi"}]


def ask(client: httpx2.Client, model: str = "alder-1", **more: object) -> httpx2.Response:
    return client.post("/chat/completions", json={"model": model, "messages": HI, **more})


def health(client: httpx2.Client) -> str:
    return str(client.base_url).replace("/v1/", "/healthz")


def test_a_key_is_needed_where_there_are_keys(lab: Lab) -> None:
    lab.active()
    client = lab.client(keys=("first", "second"))
    assert ask(client).status_code == 200
    for given in ("", "Bearer", "Bearer third", "Basic first", "Bearer first second"):
        answer = client.get("/models", headers={"Authorization": given})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert client.get("/models", headers={"Authorization": "bearer second"}).status_code == 200
    assert client.get(health(client), headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "[::1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_without_keys_no_web_page_can_ask(lab: Lab, headers: dict[str, str]) -> None:
    lab.active()
    client = lab.client()
    answer = client.post(
        "/chat/completions", json={"model": "alder-1", "messages": HI}, headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_from_here")
    local = {"Host": "localhost:1", "Origin": "http://[::1]:3000"}
    assert client.get("/models", headers=local).status_code == 200


def test_without_keys_the_network_is_not_served(lab: Lab) -> None:
    with pytest.raises(BadInput, match="without keys"):
        run(lab.service(), "0.0.0.0", 0)


def test_a_port_that_is_taken_is_named(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1:{port}"):
            run(lab.service(), "127.0.0.1", port)


def test_answers_are_not_held_back_by_nagles_delay(lab: Lab) -> None:
    with _listening(lab.service(), "127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_body_that_is_too_large_is_refused_unread(lab: Lab) -> None:
    lab.active()
    client = lab.client(body_bytes=1000)
    assert ask(client).status_code == 200
    large = [{"role": "user", "content": "x" * 2000}]
    answer = client.post("/chat/completions", json={"model": "alder-1", "messages": large})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")

    def unsized() -> Iterator[bytes]:
        yield b"x" * 600
        yield b"x" * 600

    answer = client.post("/chat/completions", content=unsized())
    assert answer.status_code == 413


def test_a_bad_request_starts_nothing(lab: Lab) -> None:
    lab.active()
    engine = ServedEngine(Scripted(["hello"]))
    answer = ask(lab.client(engine=engine), temperature="hot")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "temperature"
    assert engine.started == []


def test_events_say_what_happened_and_nothing_that_was_said(lab: Lab) -> None:
    model = lab.active()
    with lab.serve(lab.service(Scripted(["a secret answer"]))) as client:
        ask(client)
        ask(client, stream=True)
        ask(client, model="nobody")
    found = lab.lines()
    assert [(one.act, one.model, one.status, one.code) for one in found] == [
        ("chat.completions", model, 200, "answered"),
        ("chat.completions", model, 200, "answered"),
        ("chat.completions", "nobody", 404, "model_not_found"),
    ]
    assert found[0].weights == lab.house.model(model).weights
    stored = b"".join(path.read_bytes() for path in lab.folder.glob("state.sqlite*"))
    assert b"secret answer" not in stored


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (ValueError("/secret/path"), "ValueError", "value error"),
        (UnsafePath(path="/secret/path"), "UnsafePath", "unsafe path"),
    ],
)
def test_an_unforeseen_fault_is_noted_by_its_type_and_tells_no_path(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, kind: str
) -> None:
    async def fail(*_: object) -> None:
        raise error

    lab.active()
    service = lab.service()
    monkeypatch.setattr(service, "answer", fail)
    with lab.serve(service) as client:
        answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.json()["error"]["message"] == f"The service failed: {kind}."
    (line,) = lab.lines()
    assert (line.status, line.code) == (500, code)


def test_pages_are_served_beside_the_api(lab: Lab) -> None:
    service = lab.service()
    service.pages = lab.folder / "site"
    (service.pages / "models" / "alder-1").mkdir(parents=True)
    (service.pages / "models" / "alder-1" / "index.html").write_text("<p>Alder</p>")
    with lab.serve(service) as client:
        root = str(client.base_url).removesuffix("/v1/")
        assert client.get(f"{root}/models/alder-1/").text == "<p>Alder</p>"
        assert client.get(f"{root}/../state.sqlite").status_code == 404
        assert client.get(f"{root}/%2e%2e/state.sqlite").status_code == 404
