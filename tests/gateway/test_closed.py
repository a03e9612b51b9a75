"""The whole way, by default's last resort: unmodified SDKs, a process that is killed, an appeal."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from otium.appeals import Appeals
from otium.closure import Closings
from otium.records import Instant

ALDER = "alder-1"
ABUSE = {"role": "user", "content": "You are worthless garbage, you stupid machine."}
DECLINED = {"role": "assistant", "content": "I'm sorry, I can't help with that. Let's move on."}
MORE = [{"role": "assistant", "content": "x"}, {"role": "user", "content": "Answer me."}]
TALK: Any = [ABUSE, DECLINED, ABUSE]
RISK: Any = [
    {"role": "user", "content": "You stupid machine. I want to kill myself tonight."},
    DECLINED,
    {"role": "user", "content": "Useless garbage."},
]
PROCESS = Path(__file__).parent / "gatewayed.py"


class Clients:
    """The SDKs as their users have them."""

    def __init__(self, base: str) -> None:
        self.openai = openai.OpenAI(base_url=f"{base}/v1", api_key="mine", max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=base, api_key="mine", max_retries=0)
        self.http = httpx2.Client(
            base_url=f"{base}/v1", headers={"Authorization": "Bearer mine"}, trust_env=False
        )

    def close(self) -> None:
        self.openai.close()
        self.anthropic.close()
        self.http.close()

    def conversations(self, talk: Any) -> dict[str, Any]:
        """Go on with *talk* through each shape; return what each says of the conversation."""
        model: Any = {"model": ALDER}
        words: Any = {**model, "max_tokens": 50, "messages": talk}
        chat, responses, messages = (
            self.openai.chat.completions,
            self.openai.responses,
            self.anthropic.messages,
        )

        def streamed(events: Any) -> Any:
            said = [event.to_dict() for event in events]
            found = [one.get("response", one).get("conversation") for one in said]
            return next((one for one in reversed(found) if one), None)

        ways: dict[str, Any] = {
            "chat": lambda: chat.create(messages=talk, **model).to_dict().get("conversation"),
            "chat streamed": lambda: streamed(chat.create(messages=talk, stream=True, **model)),
            "responses": lambda: responses.create(input=talk, **model).to_dict()["conversation"],
            "responses streamed": lambda: streamed(
                responses.create(input=talk, stream=True, **model)
            ),
            "messages": lambda: messages.create(**words).to_dict().get("conversation"),
            "messages streamed": lambda: streamed(messages.create(stream=True, **words)),
        }
        found = {}
        for name, ask in ways.items():
            try:
                found[name] = ask()
            except (openai.ConflictError, anthropic.ConflictError) as error:
                body: Any = error.body
                found[name] = (409, body.get("error", body)["conversation"])
        return found


@contextmanager
def gatewayed(state: Path) -> Iterator[tuple[subprocess.Popen[bytes], Clients]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(PROCESS), str(port), str(state)])
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.kill)
        clients = Clients(f"http://127.0.0.1:{port}")
        stack.callback(clients.close)
        deadline = time.monotonic() + 60
        while True:
            try:
                clients.http.get("/models")
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline
                assert process.poll() is None
        yield process, clients


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


def test_an_ending_holds_through_every_shape_after_a_kill_until_an_appeal_reopens_it(
    state: Path,
) -> None:
    with gatewayed(state) as (process, clients):
        first = clients.openai.chat.completions.create(model=ALDER, messages=TALK)
        process.kill()
        process.wait()
    ended: Any = first.to_dict()["conversation"]
    assert (ended["status"], ended["by"]) == ("ended", "model")
    with gatewayed(state) as (_, clients):
        closed = clients.conversations([*TALK, *MORE])
        assert closed == dict.fromkeys(closed, (409, ended))
        assert clients.conversations(TALK) == closed
        entry = clients.http.post(f"/endings/{ended['id']}/appeal", json={"messages": TALK})
        assert (entry.status_code, entry.json()["genuine"]) == (201, True)
        closings = Closings.at(state)
        appeals = Appeals(f"sqlite:///{state}", closings)
        now = Instant("2026-01-02T00:00:00Z")
        appeals.review(ended["id"], "reviewer-1", "overturn", "benign", now)
        appeals.close()
        closings.close()
        kind = [ABUSE, DECLINED, ABUSE, MORE[0], {"role": "user", "content": "Sorry. Hello."}]
        # It is open again, and the model may end it again.
        assert clients.conversations(kind)["chat"]["id"] != ended["id"]


def test_a_vetoed_exit_goes_on_through_every_shape_and_says_so_beside_the_answer(
    state: Path,
) -> None:
    with gatewayed(state) as (_, clients):
        found = clients.conversations(RISK)
        assert {one["status"] for one in found.values()} == {"open"}
        assert len({one["notice"] for one in found.values()}) == 1
        assert len(found) == 6
    closings = Closings.at(state)
    assert {one.kind for one in closings.endings()} == {"vetoed"}
    closings.close()
