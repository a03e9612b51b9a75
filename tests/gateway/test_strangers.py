"""What comes over a bare socket: half requests, slow ones, other protocols, nobody's key."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from gateway.conftest import Lab

HI = [{"role": "user", "content": "hi"}]
ASK = json.dumps({"model": "alder-1", "max_tokens": 9, "messages": HI}).encode()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def connect(client: httpx2.Client) -> socket.socket:
    url = client.base_url
    return socket.create_connection((url.host, url.port), 10)


def head(route: str, *lines: str, length: int = len(ASK)) -> bytes:
    every = (f"POST /v1/{route} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *lines)
    return "\r\n".join(every).encode() + b"\r\n\r\n"


def heard(line: socket.socket) -> tuple[int, dict[str, object]]:
    """Read until the other side ends; return the status and the error."""
    data = b""
    while part := line.recv(65536):
        data += part
    return int(data[9:12]), json.loads(data.partition(b"\r\n\r\n")[2])["error"]


def test_a_body_that_breaks_off_is_no_request(lab: Lab) -> None:
    lab.active()
    client = lab.client()
    with connect(client) as line:
        line.sendall(head("chat/completions", length=len(ASK) + 1) + ASK)
        time.sleep(0.1)
    assert client.post("/messages", content=ASK).status_code == 200
    until(lambda: [one.act for one in lab.lines()] == ["messages"])


@pytest.mark.parametrize("route", ["chat/completions", "messages", "responses"])
def test_a_body_that_does_not_come_is_refused_in_the_apis_shape_and_noted(
    lab: Lab, route: str
) -> None:
    client = lab.client(body_seconds=0.3)
    with connect(client) as line:
        line.sendall(head(route) + ASK[:5])
        status, error = heard(line)
    assert status == 408
    assert error["type"] in {"timeout", "invalid_request_error"}
    assert error["code"] == "request_timeout"
    until(lambda: [one.code for one in lab.lines()] == ["request_timeout"])


def test_a_client_that_would_speak_http_2_is_answered_in_http_1(lab: Lab) -> None:
    lab.active()
    wish = ("Connection: close, Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAA")
    with connect(lab.client()) as line:
        line.sendall(head("chat/completions", *wish) + ASK)
        data = b""
        while part := line.recv(65536):
            data += part
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(data.partition(b"\r\n\r\n")[2])["model"] == "alder-1"


@pytest.mark.parametrize("path", ["messages", "endings/x/appeal", "models/alder-1/prewarm"])
def test_nothing_is_read_from_whom_nobody_knows(lab: Lab, path: str) -> None:
    lab.active()
    with connect(lab.client(keys=("mine",))) as line:
        line.sendall(head(path, "x-api-key: yours", length=4_000_000))
        status, error = heard(line)
    assert (status, error["code"]) == (401, "invalid_api_key")


def test_a_head_without_end_is_refused(lab: Lab) -> None:
    with connect(lab.client()) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nCookie: " + 70_000 * b"x")
        status, error = heard(line)
    assert (status, error["code"]) == (431, "headers_too_large")


def test_who_answered_in_anothers_place_is_in_the_audit(lab: Lab) -> None:
    lab.retired(offer="archived")
    client = lab.client()
    prefer = {"Prefer": "substitute=successor"}
    assert client.post("/chat/completions", content=ASK, headers=prefer).status_code == 200
    until(lab.lines)
    (line,) = lab.lines()
    assert (line.model, line.answered) == ("alder-1", "birch-2")
    assert line.weights == lab.house.model("birch-2").weights
    metrics = httpx2.get(f"{client.base_url.join('/metrics')}", trust_env=False).text
    assert 'otium_tokens_total{model="birch-2",kind="written"}' in metrics
    assert 'otium_tokens_total{model="alder-1"' not in metrics


def test_a_refusal_is_no_first_byte_of_an_answer(lab: Lab) -> None:
    client = lab.client()
    assert client.post("/chat/completions", content=ASK).status_code == 404
    metrics = httpx2.get(f"{client.base_url.join('/metrics')}", trust_env=False).text
    assert "otium_request_seconds_count" in metrics
    assert "otium_first_byte_seconds_count" not in metrics
