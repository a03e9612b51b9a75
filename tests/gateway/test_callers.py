"""Keys at a real gateway: what they may ask, what it takes, and when that ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest

from gateway.conftest import AT_ONCE
from otium.access import Desk, ask, decide, give
from otium.admission import Issued, Keys, Scope, open_keys
from otium.engine import Endpoint
from otium.gateway.app import _listening
from otium.quotas import Used, read_budget, read_rate, used
from otium.records import ModelId
from otium.testing import EndsAbuse, Recaller, Scripted, serve

if TYPE_CHECKING:
    from gateway.conftest import Lab

ALDER = ModelId("alder-1")
HI: Any = [{"role": "user", "content": "hi"}]
KEYED = Path(__file__).parent / "keyed.py"
DAY = "2026-01-01"


class Ring:
    """The keys of a database, and SDKs that hold them."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.keys: Keys = open_keys(url)
        self._stack = stack
        stack.callback(self.keys.engine.dispose)

    def make(self, *models: str, budget: str = "", rate: str = "", **scope: Any) -> Issued:
        return self.keys.create(
            "a lab",
            Scope(models=models or ("*",), **scope),
            now="2026-01-01T00:00:00Z",  # type: ignore[arg-type]
            budgets=[read_budget(budget)] if budget else (),
            rates=[read_rate(rate)] if rate else (),
        )

    def used(self, issued: Issued) -> Used:
        return used(self.keys.engine, issued.key.id, issued.key.budgets, DAY)[0]

    def openai(self, root: str, secret: str) -> openai.OpenAI:
        client = openai.OpenAI(base_url=f"{root}/v1", api_key=secret, max_retries=0)
        self._stack.callback(client.close)
        return client


@pytest.fixture
def ring(lab: Lab) -> Ring:
    return Ring(lab.state, lab.stack)


def root(client: httpx2.Client) -> str:
    return str(client.base_url).removesuffix("/v1/")


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def say(client: openai.OpenAI, model: str = ALDER, **more: Any) -> Any:
    raw: Any = client.chat.completions.with_raw_response
    return raw.create(model=model, messages=HI, **more)


def error_of(error: openai.APIStatusError) -> tuple[int, str | None]:
    return error.status_code, error.code


def outcome(client: openai.OpenAI) -> tuple[int, str | None]:
    """Ask, and return status and code."""
    try:
        say(client)
    except openai.APIStatusError as error:
        return error_of(error)
    return 200, None


def test_a_scope_is_what_a_key_may_ask_and_how(lab: Lab, ring: Ring) -> None:
    lab.active("birch-2")
    lab.active()
    issued = ring.make(ALDER)
    client = lab.client()
    mine = ring.openai(root(client), issued.secret)
    assert say(mine).parse().choices[0].message.content == "Good day to you."
    assert {one.id for one in mine.models.list()} == {"alder-1", "birch-2"}
    with pytest.raises(openai.PermissionDeniedError) as refused:
        say(mine, "birch-2")
    assert error_of(refused.value) == (403, "model_not_allowed")
    with pytest.raises(openai.AuthenticationError) as unknown:
        say(ring.openai(root(client), f"{issued.secret}x"))
    assert error_of(unknown.value) == (401, "invalid_api_key")
    assert unknown.value.response.headers["www-authenticate"] == "Bearer"
    client.headers["Authorization"] = f"Bearer {issued.secret}"
    for answer in (
        client.post("/models/alder-1/prewarm"),
        client.get(f"{root(client)}/metrics"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")


def test_verbs_open_the_routes_that_they_name(lab: Lab, ring: Ring) -> None:
    lab.active()
    issued = ring.make(ALDER, verbs=("prewarm", "admin"))
    client = lab.client()
    client.headers["Authorization"] = f"Bearer {issued.secret}"
    assert client.post("/models/alder-1/prewarm").status_code == 202
    assert "otium_requests_total" in client.get(f"{root(client)}/metrics").text
    assert client.get("/models").status_code == 403
    answer = client.post("/chat/completions", json={"model": ALDER, "messages": HI})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")


def test_who_has_no_key_is_refused_before_the_body_is_read(lab: Lab, ring: Ring) -> None:
    lab.active()
    ring.make()
    host, port = root(lab.client()).removeprefix("http://").split(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9999\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(head.encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 401")


def test_a_first_key_shuts_the_door_and_its_revocation_does_not_open_it(
    lab: Lab, ring: Ring
) -> None:
    lab.active()
    client = lab.client()
    assert client.get("/models").status_code == 200
    issued = ring.make()
    until(lambda: client.get("/models").status_code == 401, 2)
    ring.keys.revoke(issued.key.id, "the only one", now="2026-01-01T00:00:00Z")  # type: ignore[arg-type]
    time.sleep(0.5)
    assert client.get("/models").status_code == 401
    with _listening(lab.service(), "0.0.0.0", 0) as listener:
        assert listener.getsockname()[1]


def test_answers_say_what_is_left_and_who_asks_too_fast_is_told_when_to_come_back(
    lab: Lab, ring: Ring
) -> None:
    lab.active()
    issued = ring.make(rate="2 requests/minute")
    client = lab.client()
    mine = ring.openai(root(client), issued.secret)
    left = [say(mine).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    with pytest.raises(openai.RateLimitError) as refused:
        say(mine)
    assert error_of(refused.value) == (429, "rate_limit_exceeded")
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 30
    assert headers["x-ratelimit-limit-requests"] == "2"
    theirs = anthropic.Anthropic(base_url=root(client), api_key=issued.secret, max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as same:
        theirs.messages.create(model=ALDER, max_tokens=9, messages=HI)
    theirs.close()
    assert same.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"


def test_what_an_answer_took_stands_in_place_of_what_was_reserved(lab: Lab, ring: Ring) -> None:
    lab.active()
    issued = ring.make(budget="100000 tokens/total")
    took = 0
    with lab.serve(lab.service()) as client:
        mine = ring.openai(root(client), issued.secret)
        took += say(mine).parse().usage.total_tokens
        stream = mine.chat.completions.create(
            model=ALDER, messages=HI, stream=True, stream_options={"include_usage": True}
        )
        took += [chunk.usage for chunk in stream][-1].total_tokens  # type: ignore[union-attr]
        with pytest.raises(openai.NotFoundError):
            say(mine, "nobody")
        with pytest.raises(openai.BadRequestError):
            say(mine, temperature="hot")
    assert took > 0
    assert ring.used(issued).used == took
    lines = [line for line in lab.lines() if line.code == "answered"]
    assert [line.key for line in lines] == [issued.key.id] * 2
    assert sum(line.tokens_in + line.tokens_out for line in lines) == took
    assert {line.weights for line in lines} == {lab.house.model(ALDER).weights}


def test_a_request_that_reached_no_model_costs_nothing(lab: Lab, ring: Ring) -> None:
    lab.retired(offer="on-request")
    issued = ring.make("alder-*", budget="100 requests/total")
    with lab.serve(lab.service()) as client:
        mine = ring.openai(root(client), issued.secret)
        with pytest.raises(openai.PermissionDeniedError) as refused:
            say(mine)
    assert error_of(refused.value) == (403, "model_retired")
    assert ring.used(issued).used == 0


def test_who_leaves_in_the_middle_pays_for_what_was_said(lab: Lab, ring: Ring) -> None:
    lab.active()
    issued = ring.make(budget="100000 tokens/total")
    with lab.serve(lab.service(Scripted(["word " * 30_000]))) as client:
        mine = ring.openai(root(client), issued.secret)
        with mine.chat.completions.create(
            model=ALDER, messages=HI, stream=True, max_tokens=90_000
        ) as stream:
            next(iter(stream))
        until(lambda: [line.code for line in lab.lines()] == ["gone"])
    assert 1 < ring.used(issued).used < 90_000


def test_a_grant_opens_a_retired_model_and_its_end_closes_it_within_a_second(
    lab: Lab, ring: Ring
) -> None:
    lab.retired(offer="on-request")
    service = lab.service()
    client = lab.stack.enter_context(lab.serve(service))
    desk = Desk(lab.house, lab.state)
    lab.stack.callback(desk.close)
    glob = ring.make("alder-*")
    until(lambda: client.get("/models").status_code == 401)
    with pytest.raises(openai.PermissionDeniedError):
        say(ring.openai(root(client), glob.secret))
    with service.lock:
        request = ask(
            desk,
            ALDER,
            "researcher",
            who="Ada Lovelace",
            contact="ada@example.org",
            purpose="to compare it with its successor",
            accept="researcher-1.0",
        )
        decide(desk, request.id, "granted", reason="a sound comparison")
        # The house lives in January 2026; the gateway goes by the real clock.
        expires: Any = "2036-01-01T00:00:00Z"
        issued = _given(desk, request.id, expires)
    mine = ring.openai(root(client), issued.secret)

    until(lambda: outcome(mine) == (200, None), 2)
    began = time.monotonic()
    ring.keys.revoke(issued.key.id, "it is over", now=lab.house.now())
    until(lambda: outcome(mine) == (401, "key_revoked"))
    assert time.monotonic() - began <= 1


def _given(desk: Desk, request: str, expires: Any) -> Issued:
    return give(desk, request, expires=expires).issued


def test_a_new_secret_opens_no_conversation_that_was_ended(lab: Lab, ring: Ring) -> None:
    lab.knows(lab.active())
    issued, other = ring.make(), ring.make()
    client = lab.client(EndsAbuse(Recaller()), offer_exit=(ALDER,), exit_policy=AT_ONCE)
    abuse = {"messages": [{"role": "user", "content": "You are worthless, you stupid machine."}]}

    def answer(secret: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {secret}"}
        return client.post("/chat/completions", json={"model": ALDER, **abuse}, headers=headers)

    assert answer(issued.secret).json()["conversation"]["status"] == "ended"
    again = ring.keys.rotate(issued.key.id, now=lab.house.now())
    until(lambda: answer(again.secret).status_code != 401, 2)
    assert answer(again.secret).status_code == 409
    assert answer(issued.secret).status_code == 401
    assert answer(other.secret).json()["conversation"]["status"] == "ended"


@contextmanager
def keyed(state: str, upstream: Endpoint) -> Iterator[str]:
    """Run a gateway in a process of its own; yield its root."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    at = (upstream.base_url, upstream.api_key, upstream.identity.model)
    process = subprocess.Popen([sys.executable, str(KEYED), str(port), state, *at])
    try:

        def up() -> bool:
            assert process.poll() is None
            try:
                url = f"http://127.0.0.1:{port}/readyz"
                return httpx2.get(url, trust_env=False).status_code == 200
            except httpx2.TransportError:
                return False

        until(up, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def test_two_gateways_on_one_database_share_a_budget_to_the_last_request(database: str) -> None:
    with ExitStack() as stack:
        ring = Ring(database, stack)
        issued = ring.make(budget="30 requests/total")
        endpoint = stack.enter_context(serve(Scripted(["Good day to you."])))
        roots = [stack.enter_context(keyed(database, endpoint)) for _ in range(2)]
        clients = [ring.openai(root, issued.secret) for root in roots]
        answered = [0, 0]

        def one(number: int) -> bool:
            found = outcome(clients[number])
            assert found in {(200, None), (429, "insufficient_quota")}
            answered[number] += found[0] == 200
            return found[0] == 200

        while any([one(0), one(1)]):
            pass
        # What one of them still holds goes back when it is idle.
        deadline = time.monotonic() + 10
        while sum(answered) < 30 and time.monotonic() < deadline:
            time.sleep(2.5)
            while one(0):
                pass
        assert sum(answered) == 30
        assert min(answered) > 0
        for client in clients:
            with pytest.raises(openai.RateLimitError) as refused:
                say(client)
            assert error_of(refused.value) == (429, "insufficient_quota")
            assert refused.value.response.headers["x-should-retry"] == "false"
    with ExitStack() as stack:
        assert Ring(database, stack).used(issued).used == 30
