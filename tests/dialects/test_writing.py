"""Streams say what whole answers say, in the order that the APIs promise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.written import Turn, inputs, names, words
from otium.dialects import COMPLETIONS, ENDED_STOP, MESSAGES, RESPONSES, Chat, Dialect, refuse

STAMP: Turn = {"model": "smol-1", "otium": {"weights": "sha256:00"}}
CHAT = Chat("smol-1", ({"role": "user", "content": "hi"},), True, {}, {"temperature": 0.5})
ENDED = {"status": "ended", "by": "model"}

unhurried = settings(deadline=None, max_examples=60)


@st.composite
def answers(draw: st.DrawFn) -> Turn:
    """Return an engine's whole answer."""
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(x)}}
        for n, (name, x) in enumerate(draw(st.lists(st.tuples(names, inputs), max_size=3)))
    ]
    message: Turn = {
        "role": "assistant",
        "content": draw(words if not calls else st.none() | words),
    }
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return {"id": "chatcmpl-7", "created": 5, "model": "/p", "choices": [choice], "usage": usage}


def chunks(answer: Turn, size: int) -> list[Turn]:
    """Cut a whole answer into the chunks of a stream."""
    choice = answer["choices"][0]
    message = choice["message"]
    text = message["content"] or ""
    deltas: list[Turn] = [{"role": "assistant", "content": None}]
    deltas += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    for index, call in enumerate(message.get("tool_calls", [])):
        name, given = call["function"]["name"], call["function"]["arguments"]
        function: Turn = {"name": name, "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": index, "function": function}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": given[at : at + size]}}]}
            for at in range(0, len(given), size)
        ]
    common = {"id": answer["id"], "created": 5, "model": "/p"}
    found = [
        {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    found.append({**common, "choices": [last]})
    return [*found, {**common, "choices": [], "usage": answer["usage"]}]


def events(dialect: Dialect, parts: list[Turn], stamp: Turn = STAMP) -> list[Turn]:
    stream = dialect.stream(CHAT, stamp)
    sent = b"".join([*(stream.feed(part) for part in parts), stream.close()])
    found = []
    for block in sent.decode().removesuffix("\n\n").split("\n\n"):
        *named, data = block.split("\n")
        if data == "data: [DONE]":
            continue
        body = json.loads(data.removeprefix("data: "))
        assert named == ([f"event: {body['type']}"] if "type" in body else [])
        found.append(body)
    return found


@unhurried
@given(answers(), st.integers(1, 5))
def test_a_stream_of_messages_builds_the_whole_message(answer: Turn, size: int) -> None:
    found = events(MESSAGES, chunks(answer, size))
    whole: Any = MESSAGES.whole(answer, CHAT, STAMP)
    assert [found[0]["type"], found[-2]["type"], found[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    blocks: list[Turn] = []
    opened = -1
    for one in found[1:-2]:
        if one["type"] == "content_block_start":
            assert one["index"] == len(blocks) == opened + 1
            opened += 1
            blocks.append({**one["content_block"], "heard": ""})
        elif one["type"] == "content_block_delta":
            assert one["index"] == opened
            blocks[opened]["heard"] += one["delta"].get("text", one["delta"].get("partial_json"))
    for block in blocks:
        heard = block.pop("heard")
        text = block["type"] == "text"
        block.update({"text": heard} if text else {"input": json.loads(heard)})
    assert blocks == whole["content"]
    assert found[-2]["delta"]["stop_reason"] == whole["stop_reason"]
    assert found[-2]["usage"] == whole["usage"]
    assert found[0]["message"]["otium"] == whole["otium"] == STAMP["otium"]


@unhurried
@given(answers(), st.integers(1, 5))
def test_a_stream_of_responses_builds_the_whole_response(answer: Turn, size: int) -> None:
    found = events(RESPONSES, chunks(answer, size))
    whole: Any = RESPONSES.whole(answer, CHAT, STAMP)
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    assert [one["type"] for one in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["response"] == whole
    assert found[-1]["type"] == f"response.{whole['status']}"
    for place, item in enumerate(whole["output"]):
        deltas = [
            one["delta"]
            for one in found
            if one["type"].endswith(".delta") and one["output_index"] == place
        ]
        said = item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"]
        assert "".join(deltas) == said
    done = [one["item"] for one in found if one["type"] == "response.output_item.done"]
    assert done == whole["output"]


@pytest.mark.parametrize("dialect", [RESPONSES, MESSAGES], ids=lambda one: one.name)
def test_calls_whose_pieces_are_mixed_come_out_whole(dialect: Dialect) -> None:
    def piece(index: int, text: str, **more: object) -> Turn:
        call = {"index": index, "function": {"arguments": text, **more}, "id": f"c{index}"}
        return {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    parts = [piece(0, "", name="a"), piece(1, "", name="b"), piece(0, '{"x"'), piece(1, '{"y"')]
    parts += [{"id": "x", "choices": [{"index": 0, "delta": {"content": "late"}}]}]
    parts += [piece(1, ":1}"), piece(0, ":0}")]
    found = events(dialect, parts)
    if dialect is RESPONSES:
        output = found[-1]["response"]["output"]
        assert [one.get("arguments") for one in output] == ['{"x":0}', '{"y":1}', None]
        assert output[-1]["content"][0]["text"] == "late"
    else:
        heard = ["", "", ""]
        for one in found:
            if one["type"] == "content_block_delta":
                delta = one["delta"]
                heard[one["index"]] += delta.get("partial_json") or delta.get("text")
        assert heard == ['{"x":0}', '{"y":1}', "late"]


def test_a_chunk_is_passed_on_under_the_name_that_was_asked_for_and_without_paths() -> None:
    part = {"id": "x", "model": "/secret", "timings": {}, "choices": [{"delta": {"content": "a"}}]}
    first, second = events(COMPLETIONS, [part, {**part, "model": "smol-1"}])
    assert first == {"id": "x", "choices": part["choices"], **STAMP}
    assert second == {"id": "x", "choices": part["choices"], "model": "smol-1"}


@pytest.mark.parametrize("opted", [False, True])
def test_an_ended_conversation_is_said_in_each_apis_terms(opted: bool) -> None:
    choice = {"index": 0, "message": {"content": "I stop."}, "finish_reason": "stop"}
    answer: Turn = {"id": "x", "choices": [choice], "conversation": ENDED}
    last = {"id": "x", "choices": [{"delta": {}, "finish_reason": "stop"}], "conversation": ENDED}
    stamp = {**STAMP, **({ENDED_STOP: True} if opted else {})}
    reason = "conversation_ended" if opted else "end_turn"
    whole = MESSAGES.whole(answer, CHAT, stamp)
    assert (whole["stop_reason"], whole["conversation"]) == (reason, ENDED)
    assert ENDED_STOP not in whole
    streamed = events(MESSAGES, [last], stamp)
    assert streamed[-2]["delta"]["stop_reason"] == reason
    assert streamed[-2]["conversation"] == ENDED
    response = RESPONSES.whole(answer, CHAT, STAMP)
    assert (response["status"], response["conversation"]) == ("completed", ENDED)
    assert events(RESPONSES, [last])[-1]["response"]["conversation"] == ENDED
    assert COMPLETIONS.whole(answer, CHAT, STAMP)["conversation"] == ENDED


@pytest.mark.parametrize(
    ("dialect", "kind"), [(COMPLETIONS, None), (RESPONSES, "response.failed"), (MESSAGES, "error")]
)
@pytest.mark.parametrize("begun", [False, True])
def test_a_stream_that_breaks_ends_with_the_error(
    dialect: Dialect, kind: str | None, begun: bool
) -> None:
    refused = refuse(502, "upstream_failed", "It broke.", type="upstream_error")
    stream = dialect.stream(CHAT, STAMP)
    sent = stream.feed({"id": "x", "choices": [{"delta": {"content": "a"}}]}) if begun else b""
    sent += stream.fail(refused)
    body = json.loads(sent.decode().removesuffix("\n\n").split("\n")[-1].removeprefix("data: "))
    error = body["response"]["error"] if kind == "response.failed" else body["error"]
    assert (error["code"], error["message"]) == ("upstream_failed", "It broke.")
    assert body.get("type") == kind


@pytest.mark.parametrize(
    "choice", [5, {}, {"message": 3, "delta": 3}, {"delta": {"tool_calls": 1}}]
)
def test_what_an_engine_should_not_send_is_written_as_nothing(choice: object) -> None:
    for dialect in (RESPONSES, MESSAGES):
        assert dialect.whole({"choices": [choice]}, CHAT, STAMP)
        assert events(dialect, [{"choices": [choice]}])
