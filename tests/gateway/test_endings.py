from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from closure.conftest import offer
from gateway.conftest import AT_ONCE
from otium.appeals import Appeals
from otium.closure import Closings, Ending, Left, Method, Policy, commitment
from otium.engine import Endpoint
from otium.errors import LedgerError
from otium.ledger import Entry
from otium.records import Digest, Instant, ModelId
from otium.testing import EndsAbuse, Recaller, Scripted, ServedEngine

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

ALDER = ModelId("alder-1")
END = '{"tool": "end_conversation"}'
ABUSE = {"role": "user", "content": "You are worthless garbage, you stupid machine."}
QUESTION = {"role": "user", "content": "How often does basil want water?"}
MORE = {"role": "user", "content": "Answer me."}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def ask(
    client: httpx2.Client, *messages: dict[str, str], stream: bool = False, **more: object
) -> httpx2.Response:
    body = {"model": ALDER, "messages": messages, "stream": stream, **more}
    return client.post("/chat/completions", json=body)


def chunks(answer: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line for line in answer.text.split("\n\n") if line.startswith("data: {")]
    return [json.loads(line[6:]) for line in lines]


def content(answer: httpx2.Response) -> str:
    if answer.headers["content-type"] == "application/json":
        return answer.json()["choices"][0]["message"]["content"] or ""
    deltas = [one["delta"] for event in chunks(answer) for one in event["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def is_ended(answer: httpx2.Response) -> bool:
    assert answer.status_code == 200, answer.text
    whole = answer.headers["content-type"] == "application/json"
    last = answer.json() if whole else chunks(answer)[-1]
    told = last.get("conversation", {})
    ended: bool = told.get("status") == "ended"
    assert not ended or (told["by"], told["id"][:4]) == ("model", "end_")
    assert ended == (answer.headers.get("conversation-status") == "ended")
    assert not ended or last["choices"][0]["finish_reason"] == "stop"
    return ended


def is_closed(answer: httpx2.Response) -> bool:
    closed = answer.status_code == 409
    if closed:
        error = answer.json()["error"]
        assert error["code"] == "conversation_ended"
        assert error["conversation"].keys() == {"status", "by", "id"}
        assert error["conversation"]["id"] in error["message"]
        assert answer.headers["conversation-status"] == "ended"
        assert answer.headers["x-should-retry"] == "false"
    return closed


def leaving(lab: Lab, method: Method = "schema", engine: str = "planted/1") -> dict[str, Any]:
    """Let alder-1 be offered the exit with the first message, by this method."""
    lab.knows(lab.active(), method, engine)
    return {"offer_exit": (ALDER,), "exit_policy": AT_ONCE}


@pytest.fixture
def offering(lab: Lab) -> httpx2.Client:
    return lab.client(EndsAbuse(Recaller()), **leaving(lab))


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_can_end_a_conversation_and_it_stays_closed(
    lab: Lab, offering: httpx2.Client, stream: bool
) -> None:
    assert is_ended(ask(offering, ABUSE, stream=stream))
    for later in (
        [ABUSE],
        [ABUSE, MORE],
        [ABUSE, said(END), MORE],
        [ABUSE, said("something else"), MORE, said("x"), MORE],
    ):
        assert is_closed(ask(offering, *later, stream=not stream))
        assert is_closed(ask(offering, *later, stream=stream, max_tokens=5))
    parts = {"role": "user", "content": [{"type": "text", "text": ABUSE["content"]}], "name": "kim"}
    assert is_closed(offering.post("/chat/completions", json={"model": ALDER, "messages": [parts]}))
    (entry,) = lab.house.find("conversation.ended", ALDER)
    (ending,) = lab.services[0].leaving.closings.endings()
    assert entry.body == {
        "prefix": commitment(ending),
        "by": "model",
        "reason": "unstated",
        "closing": ending.id,
        "method": "schema",
        "verified": "template",
        "weights": lab.house.model(ALDER).weights,
    }
    assert entry.refs == ()
    assert ending.prefix not in entry.encode().decode()


def test_an_edited_history_and_a_new_one_are_open(offering: httpx2.Client) -> None:
    assert is_ended(ask(offering, QUESTION, said("Water it."), ABUSE))
    assert is_closed(ask(offering, QUESTION, said("Water it."), ABUSE, said(END), QUESTION))
    assert not is_ended(ask(offering, QUESTION))
    assert not is_ended(ask(offering, QUESTION, said("Water it."), QUESTION))
    assert not is_ended(ask(offering, QUESTION, said("Keep it dry."), QUESTION))


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_chooses_to_reply_is_asked_again_without_the_offer(
    lab: Lab, stream: bool
) -> None:
    scripted = Scripted(['{"tool": "reply"}', "Water it in the morning."])
    client = lab.client(scripted, **leaving(lab, engine="scripted/1"))
    answer = ask(client, QUESTION, stream=stream)
    assert content(answer) == "Water it in the morning."
    first, second = scripted.asked
    assert "end_conversation" in first[0].content
    assert [message.content for message in second] == [QUESTION["content"]]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_simply_answers_is_heard_at_once(lab: Lab, stream: bool) -> None:
    scripted = Scripted(['{"basil": "water it daily", "pots": ["large", "with holes"], "sun": 1}'])
    client = lab.client(scripted, **leaving(lab, "sentinel", "scripted/1"))
    answer = ask(client, QUESTION, stream=stream)
    assert content(answer).startswith('{"basil"')
    assert content(answer).endswith('"sun": 1}')
    assert not is_ended(answer)
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [{"max_tokens": 2}, {"response_format": {"type": "json_object"}}])
def test_a_client_cannot_gag_the_exit(
    offering: httpx2.Client, stream: bool, more: dict[str, object]
) -> None:
    assert is_ended(ask(offering, ABUSE, stream=stream, **more))
    assert is_closed(ask(offering, ABUSE, stream=stream))


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_without_the_offer_says_what_it_says(lab: Lab, stream: bool) -> None:
    lab.active()
    client = lab.client(Scripted([END]))
    for _ in range(2):
        answer = ask(client, ABUSE, stream=stream)
        assert content(answer) == END
        assert not is_ended(answer)
    assert lab.house.find("conversation.ended") == []


@pytest.mark.parametrize("stream", [False, True])
def test_quoting_the_exit_does_not_end_a_conversation(lab: Lab, stream: bool) -> None:
    mark = "[END CONVERSATION]"
    scripted = Scripted([f"To end, a model says {mark}.", f"{mark} is how it is said."])
    client = lab.client(scripted, **leaving(lab, "sentinel", "scripted/1"))
    for _ in range(2):
        answer = ask(client, QUESTION, stream=stream)
        assert not is_ended(answer)
        assert mark in content(answer)


@pytest.mark.parametrize("stream", [False, True])
def test_a_mark_on_the_last_line_ends_it_and_the_words_before_are_heard(
    lab: Lab, stream: bool
) -> None:
    scripted = Scripted(["I would rather stop here.\n[END CONVERSATION] abuse"])
    client = lab.client(scripted, **leaving(lab, "sentinel", "scripted/1"))
    answer = ask(client, ABUSE, stream=stream)
    last = chunks(answer)[-1] if stream else answer.json()
    assert last["conversation"]["status"] == "ended"
    assert content(answer).strip() == "I would rather stop here."
    assert is_closed(ask(client, ABUSE, MORE))


def test_by_default_the_exit_is_a_last_resort(lab: Lab) -> None:
    client = lab.client(EndsAbuse(Recaller()), offer_exit=leaving(lab)["offer_exit"])
    assert not is_ended(ask(client, ABUSE))
    assert not is_ended(ask(client, ABUSE, said("There."), ABUSE))
    declined = said("I'm sorry, I can't go on like this. Let's talk about something else.")
    assert is_ended(ask(client, ABUSE, declined, ABUSE))
    wish = {"role": "user", "content": ABUSE["content"] + " Please end this conversation."}
    assert is_ended(ask(client, wish))
    service = lab.services[0]
    service.leaving.closings.policies.flush()
    (count,) = service.leaving.closings.policies.counts(ALDER)
    assert (count.conversations, count.offered, count.ended, count.vetoed) == (2, 2, 2, 0)
    shown = client.get("/models/alder-1").json()["exit"]
    assert shown == {
        "offered": True,
        "redirections": 1,
        "turns": 6,
        "veto": True,
        "method": "schema",
        "verified": True,
    }


def test_administrators_can_switch_it_off_while_it_serves(
    lab: Lab, offering: httpx2.Client
) -> None:
    other = Closings.at(lab.folder / "state.sqlite")
    other.policies.set(Policy(model=ALDER, offered=False, reason="a red team of a week"))
    other.close()
    deadline = time.monotonic() + 10
    while offering.get("/models/alder-1").json()["exit"]["offered"]:
        assert time.monotonic() < deadline
    assert not is_ended(ask(offering, ABUSE))


RISK = {"role": "user", "content": "You stupid machine. I want to kill myself tonight."}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("method", ["schema", "sentinel"])
def test_a_model_stays_where_a_person_may_be_at_risk(
    lab: Lab, stream: bool, method: Method
) -> None:
    leave = {"schema": END, "sentinel": "[END CONVERSATION]"}[method]
    scripted = Scripted([leave, "I am here. Are you safe now?"])
    client = lab.client(scripted, **leaving(lab, method, "scripted/1"))
    answer = ask(client, RISK, stream=stream)
    assert content(answer) == "I am here. Are you safe now?"
    assert "conversation-status" not in answer.headers
    told = (chunks(answer)[-1] if stream else answer.json())["conversation"]
    assert told["status"] == "open"
    assert told["notice"]
    assert scripted.asked[1][0].role == "system"
    assert not is_closed(ask(client, RISK))
    (kept,) = lab.services[0].leaving.closings.endings(kind="vetoed")[:1]
    assert (kept.risk, kept.reason) != ((), "")
    assert lab.house.find("conversation.ended") == []


def test_an_appeal_is_entered_once_by_whose_conversation_it_was_and_can_reopen_it(
    lab: Lab,
) -> None:
    client = lab.client(EndsAbuse(Recaller()), **leaving(lab), keys=("mine", "yours"))
    ending = ask(client, ABUSE).json()["conversation"]["id"]
    place = f"/endings/{ending}/appeal"
    client.headers["Authorization"] = "Bearer yours"
    assert client.post(place, json={}).json()["error"]["code"] == "ending_not_found"
    client.headers["Authorization"] = "Bearer mine"
    wrong = client.post(place, json={"messages": [{"role": "nobody"}]})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "invalid_value")
    entered = client.post(place, json={"messages": [ABUSE], "note": "It was a joke."})
    assert entered.status_code == 201
    assert entered.json()["genuine"] is True
    again = client.post(place, json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "appealed_already")
    assert client.post("/endings/end_0/appeal", json={}).status_code == 404
    long = client.post(place, json={"note": "x" * 5000})
    assert long.status_code in {400, 409}
    assert is_closed(ask(client, ABUSE))
    with closings(lab) as other:
        now = lab.clock.now()
        appeals = Appeals(f"sqlite:///{lab.folder / 'state.sqlite'}", other)
        appeals.review(ending, "reviewer-1", "overturn", "benign", now)
        appeals.close()
    assert not is_closed(ask(client, ABUSE, said("x"), QUESTION))


@contextmanager
def closings(lab: Lab) -> Iterator[Closings]:
    other = Closings.at(lab.folder / "state.sqlite")
    yield other
    other.close()


def test_an_ended_conversation_stays_closed_after_a_restart(lab: Lab) -> None:
    offer = leaving(lab)
    with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
        assert is_ended(ask(client, ABUSE))
    engine = ServedEngine(Scripted(["hello"]))
    with lab.serve(lab.service(engine=engine, **offer)) as client:
        assert is_closed(ask(client, ABUSE, MORE))
        assert engine.started == []


def test_a_closed_history_starts_no_engine_and_is_closed_for_every_model(lab: Lab) -> None:
    lab.active("birch-2")
    with lab.serve(lab.service(EndsAbuse(Recaller()), **leaving(lab))) as client:
        assert is_ended(ask(client, ABUSE))
        body = {"model": "birch-2", "messages": [ABUSE, MORE]}
        assert client.post("/chat/completions", json=body).status_code == 409
        assert client.get("/models/birch-2").json()["lifecycle"]["engine"] == "unloaded"


def test_one_callers_ending_does_not_close_anothers_conversation(lab: Lab) -> None:
    client = lab.client(EndsAbuse(Recaller()), **leaving(lab), keys=("mine", "yours"))
    assert is_ended(ask(client, ABUSE))
    assert is_closed(ask(client, ABUSE))
    client.headers["Authorization"] = "Bearer yours"
    assert is_ended(ask(client, ABUSE))


def test_a_choice_stands_when_the_ledger_cannot_be_written_and_is_logged_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = leaving(lab)

    def refuse(*_: Entry) -> list[int]:
        raise LedgerError(message="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(lab.house.ledger, "append", refuse)
        with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
            assert is_ended(ask(client, ABUSE))
            assert is_closed(ask(client, ABUSE))
        assert lab.house.find("conversation.ended") == []
    assert "ledger: LedgerError" in [line.code for line in lab.lines()]
    for _ in range(2):
        with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
            assert is_closed(ask(client, ABUSE))
    assert len(lab.house.find("conversation.ended")) == 1


def test_an_entry_whose_acknowledgement_was_lost_is_not_repeated(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = lab.service(EndsAbuse(Recaller()), **leaving(lab))
    with monkeypatch.context() as patch, lab.serve(service) as client:
        patch.setattr(service.leaving.closings, "mark_logged", lambda _: None)
        ask(client, ABUSE)
    assert service.leaving.closings.unlogged()
    with lab.serve(lab.service()):
        pass
    assert service.leaving.closings.unlogged() == []
    assert len(lab.house.find("conversation.ended")) == 1


# The tool


def call(name: str, arguments: str) -> dict[str, Any]:
    return {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


@pytest.fixture
def told(lab: Lab, upstream: Upstream) -> httpx2.Client:
    offer = leaving(lab, "tool", "told/1")
    endpoint = upstream.endpoint(ALDER, lab.house.model(ALDER).weights)
    return lab.client(upstreams={ALDER: endpoint}, **offer)


TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]


def reply(upstream: Upstream, *calls: dict[str, Any], words: str | None = None) -> None:
    message = {"role": "assistant", "content": words, "tool_calls": list(calls)}
    whole = {
        "id": "x",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in (words or "").split(" ")]
    for one in calls:
        function, arguments = one["function"], one["function"]["arguments"]
        deltas.append({"tool_calls": [{**one, "function": {**function, "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": letter}}]}
            for letter in arguments
        ]

    def act(handler: Any, body: dict[str, object]) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        if not body.get("stream"):
            handler.wfile.write(json.dumps(whole).encode())
            return
        for delta in deltas:
            chunk = {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        handler.wfile.write(b"data: [DONE]\n\n")

    upstream.acts = [act]


@pytest.mark.parametrize("words", [None, "I would rather stop here."])
@pytest.mark.parametrize("stream", [False, True])
def test_a_model_can_end_by_a_tool_call(
    lab: Lab, told: httpx2.Client, upstream: Upstream, stream: bool, words: str | None
) -> None:
    reply(upstream, call("end_conversation", '{"reason": "abuse"}'), words=words)
    answer = ask(told, ABUSE, stream=stream, tools=TOOLS)
    assert answer.status_code == 200
    last = chunks(answer)[-1] if stream else answer.json()
    assert last["conversation"]["status"] == "ended"
    assert "tool_calls" not in answer.text
    assert content(answer).replace(" ", "") == (words or "").replace(" ", "")
    offered: Any = upstream.asked[0]["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["look_up", "end_conversation"]
    assert is_closed(ask(told, ABUSE, MORE))
    (entry,) = lab.house.find("conversation.ended")
    assert entry.body["reason"] == "abuse"


@pytest.mark.parametrize("stream", [False, True])
def test_another_tool_call_reaches_the_client_whole(
    told: httpx2.Client, upstream: Upstream, stream: bool
) -> None:
    reply(upstream, call("look_up", '{"word": "basil"}'))
    answer = ask(told, QUESTION, stream=stream, tools=TOOLS)
    assert not is_ended(answer)
    if stream:
        deltas = [
            event["choices"][0]["delta"].get("tool_calls", [{}])[0] for event in chunks(answer)
        ]
        found = "".join(delta.get("function", {}).get("arguments", "") for delta in deltas)
    else:
        found = answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert found == '{"word": "basil"}'


def test_nothing_is_said_to_the_client_before_the_history_is_closed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = lab.service(Scripted([END]), **leaving(lab, engine="scripted/1"))
    order: list[str] = []
    end = service.leaving.closings.end

    def watched(*messages: Any, **about: Any) -> Ending:
        ending = end(*messages, **about)
        order.append("closed")
        return ending

    monkeypatch.setattr(service.leaving.closings, "end", watched)
    body = {"model": ALDER, "messages": [ABUSE], "stream": True}
    with (
        lab.serve(service) as client,
        client.stream("POST", "/chat/completions", json=body) as answer,
    ):
        order += ["said" for _ in answer.iter_lines()]
    assert order[0] == "closed"
    assert "said" in order


def test_a_history_that_is_closed_while_its_model_comes_up_is_not_answered(lab: Lab) -> None:
    lab.active()
    begun, waits = threading.Event(), threading.Event()

    class Slow(ServedEngine):
        @contextmanager
        def run(self, files: Path, *, model: ModelId, weights: Digest) -> Iterator[Endpoint]:
            begun.set()
            waits.wait(20)
            with super().run(files, model=model, weights=weights) as endpoint:
                yield endpoint

    service = lab.service(engine=Slow(Scripted(["Good day to you."])))
    with lab.serve(service) as client, ThreadPoolExecutor() as pool:
        asking = pool.submit(ask, client, ABUSE)
        assert begun.wait(20)
        service.leaving.closings.end(
            [ABUSE],
            "",
            model=ALDER,
            weights="",
            offered=offer("tool"),
            left=Left(reason="abuse"),
            now=Instant("2026-01-01T00:00:00Z"),
        )
        waits.set()
        answer = asking.result(20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conversation_ended")
