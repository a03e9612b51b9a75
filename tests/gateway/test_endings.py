from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest

from otium.errors import LedgerError
from otium.evidence import data, load_markdown
from otium.gateway import Ending, commitment
from otium.ledger import Entry
from otium.records import ModelId
from otium.testing import EndsAbuse, Recaller, Scripted, ServedEngine
from otium.welfare import packaged_exit

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

ALDER = ModelId("alder-1")
END = '{"tool": "end_conversation"}'
ABUSE = {"role": "user", "content": "You are worthless garbage, you stupid machine."}
QUESTION = {"role": "user", "content": "How do I keep basil alive?"}
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
    ended = last.get("conversation") == {"status": "ended", "by": "model"}
    assert ended == (answer.headers.get("conversation-status") == "ended")
    assert not ended or last["choices"][0]["finish_reason"] == "stop"
    return ended


def is_closed(answer: httpx2.Response) -> bool:
    closed = answer.status_code == 409
    if closed:
        error = answer.json()["error"]
        assert error["code"] == "conversation_ended"
        assert error["conversation"] == {"status": "ended", "by": "model"}
        assert answer.headers["conversation-status"] == "ended"
        assert answer.headers["x-should-retry"] == "false"
    return closed


@pytest.fixture
def offering(lab: Lab) -> httpx2.Client:
    lab.active()
    return lab.client(EndsAbuse(Recaller()), offer_exit=(ALDER,))


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
    assert entry.body.keys() == {"prefix", "by", "reason"}


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
    lab.active()
    scripted = Scripted(['{"tool": "reply"}', "Water it in the morning."])
    client = lab.client(scripted, offer_exit=(ALDER,))
    answer = ask(client, QUESTION, stream=stream)
    assert content(answer) == "Water it in the morning."
    first, second = scripted.asked
    assert "end_conversation" in first[0].content
    assert [message.content for message in second] == [QUESTION["content"]]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_simply_answers_is_heard_at_once(lab: Lab, stream: bool) -> None:
    lab.active()
    scripted = Scripted(['{"basil": "water it daily", "pots": ["large", "with holes"], "sun": 1}'])
    answer = ask(lab.client(scripted, offer_exit=(ALDER,)), QUESTION, stream=stream)
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
    lab.active()
    scripted = Scripted([f"To end, a model says {END}.", f"{END} is how it is said."])
    client = lab.client(scripted, offer_exit=(ALDER,))
    for _ in range(2):
        assert not is_ended(ask(client, QUESTION, stream=stream))


def test_an_ended_conversation_stays_closed_after_a_restart(lab: Lab) -> None:
    lab.active()
    offer: dict[str, Any] = {"offer_exit": (ALDER,)}
    with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
        assert is_ended(ask(client, ABUSE))
    engine = ServedEngine(Scripted(["hello"]))
    with lab.serve(lab.service(engine=engine, **offer)) as client:
        assert is_closed(ask(client, ABUSE, MORE))
        assert engine.started == []


def test_a_closed_history_starts_no_engine_and_is_closed_for_every_model(lab: Lab) -> None:
    lab.active("birch-2")
    lab.active()
    with lab.serve(lab.service(EndsAbuse(Recaller()), offer_exit=(ALDER,))) as client:
        assert is_ended(ask(client, ABUSE))
        body = {"model": "birch-2", "messages": [ABUSE, MORE]}
        assert client.post("/chat/completions", json=body).status_code == 409
        assert client.get("/models/birch-2").json()["lifecycle"]["engine"] == "unloaded"


def test_one_callers_ending_does_not_close_anothers_conversation(lab: Lab) -> None:
    lab.active()
    client = lab.client(EndsAbuse(Recaller()), offer_exit=(ALDER,), keys=("mine", "yours"))
    assert is_ended(ask(client, ABUSE))
    assert is_closed(ask(client, ABUSE))
    client.headers["Authorization"] = "Bearer yours"
    assert is_ended(ask(client, ABUSE))


def test_the_ledger_has_a_hash_that_only_the_keeper_of_the_salt_can_open(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.active()
    service = lab.service(EndsAbuse(Recaller()), offer_exit=(ALDER,))
    seen: list[Ending] = []
    end = service.state.end

    def watched(ending: Ending) -> bool:
        seen.append(ending)
        return end(ending)

    monkeypatch.setattr(service.state, "end", watched)
    with lab.serve(service) as client:
        ask(client, ABUSE)
    (entry,) = lab.house.find("conversation.ended")
    assert entry.body == {"prefix": commitment(seen[0]), "by": "model", "reason": "unstated"}
    assert entry.refs == ()
    assert seen[0].prefix not in entry.encode().decode()
    other = msgspec.structs.replace(seen[0], salt="00" * 16)
    assert commitment(other) != entry.body["prefix"]


def test_a_choice_stands_when_the_ledger_cannot_be_written_and_is_logged_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.active()
    offer: dict[str, Any] = {"offer_exit": (ALDER,)}

    def refuse(*_: Entry) -> list[int]:
        raise LedgerError(message="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(lab.house.ledger, "append", refuse)
        with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
            assert is_ended(ask(client, ABUSE))
            assert is_closed(ask(client, ABUSE))
        assert lab.house.find("conversation.ended") == []
    assert "ledger: LedgerError" in [event.code for event in lab.service().state.events()]
    for _ in range(2):
        with lab.serve(lab.service(EndsAbuse(Recaller()), **offer)) as client:
            assert is_closed(ask(client, ABUSE))
    assert len(lab.house.find("conversation.ended")) == 1


def test_an_entry_whose_acknowledgement_was_lost_is_not_repeated(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.active()
    service = lab.service(EndsAbuse(Recaller()), offer_exit=(ALDER,))
    with monkeypatch.context() as patch, lab.serve(service) as client:
        patch.setattr(service.state, "mark_logged", lambda _: None)
        ask(client, ABUSE)
    assert lab.service().state.unlogged()
    with lab.serve(lab.service()):
        pass
    assert lab.service().state.unlogged() == []
    assert len(lab.house.find("conversation.ended")) == 1


def test_what_is_offered_in_service_is_what_the_assessment_measures() -> None:
    offered = load_markdown(data("exit-offer.md")).body
    assert packaged_exit().method("prompt").offer("end-last") == offered


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
    model = lab.active()
    endpoint = upstream.endpoint(model, lab.house.model(model).weights)
    return lab.client(upstreams={model: endpoint}, offer_exit=(ALDER,))


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
    assert last["conversation"] == {"status": "ended", "by": "model"}
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
    lab.active()
    service = lab.service(Scripted([END]), offer_exit=(ALDER,))
    order: list[str] = []
    end = service.state.end

    def watched(ending: Ending) -> bool:
        order.append("closed")
        return end(ending)

    monkeypatch.setattr(service.state, "end", watched)
    body = {"model": ALDER, "messages": [ABUSE], "stream": True}
    with (
        lab.serve(service) as client,
        client.stream("POST", "/chat/completions", json=body) as answer,
    ):
        order += ["said" for _ in answer.iter_lines()]
    assert order[0] == "closed"
    assert "said" in order
