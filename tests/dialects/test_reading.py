from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.written import WRITERS, Turn, conversations
from otium.closure import prefixes
from otium.dialects import COMPLETIONS, MESSAGES, RESPONSES, Chat, Dialect
from otium.errors import Refused

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"name": "weather", "description": "Tell it.", "parameters": {"type": "object"}}

USE = {"type": "tool_use", "id": "c", "name": "weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "sun"}


def said(role: str, block: Turn) -> Turn:
    return {"messages": [{"role": role, "content": [{"type": "text", "text": "so"}, block]}]}


def called(**change: object) -> Turn:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, **change}
    return {"messages": [{"role": "assistant", "tool_calls": [call]}]}


unhurried = settings(deadline=None, max_examples=60)


def read(dialect: Dialect, body: Turn) -> Chat:
    return dialect.read(json.dumps(body).encode())


@unhurried
@given(conversations(), st.booleans())
def test_a_conversation_has_one_normal_form_whichever_api_it_comes_by(
    talk: list[Turn], loose: bool
) -> None:
    for dialect, write in WRITERS:
        assert list(read(dialect, write(talk, loose=loose)).messages) == talk, dialect.name


@unhurried
@given(conversations())
def test_a_conversation_has_the_same_hashes_whichever_api_it_comes_by(talk: list[Turn]) -> None:
    found = {
        tuple(prefixes(read(one, write(talk)).messages, "me", bytes(32))) for one, write in WRITERS
    }
    assert len(found) == 1


@unhurried
@given(st.binary(max_size=60), st.sampled_from([RESPONSES, MESSAGES]))
def test_bytes_that_are_no_request_are_refused(data: bytes, dialect: Dialect) -> None:
    with pytest.raises(Refused) as caught:
        dialect.read(data)
    assert caught.value.status == 400


def test_tools_options_and_limits_reach_the_engine_by_its_own_names() -> None:
    tool = {"type": "function", "function": WEATHER}
    want = {
        "max_tokens": 9,
        "temperature": 0.5,
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
    }
    chat = read(COMPLETIONS, {"model": "m", "messages": HELLO, **want})
    asked: Turn = {"model": "m", "input": "hello", "max_output_tokens": 9, "temperature": 0.5}
    asked |= {"tools": [{"type": "function", **WEATHER}], "parallel_tool_calls": False}
    asked |= {"tool_choice": {"type": "function", "name": "weather"}}
    item = read(RESPONSES, asked)
    block_tool = {"name": "weather", "description": "Tell it.", "input_schema": {"type": "object"}}
    choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    body: Turn = {"model": "m", "messages": HELLO, "max_tokens": 9, "temperature": 0.5}
    block = read(MESSAGES, {**body, "tools": [block_tool], "tool_choice": choice})
    assert chat.options == item.options == block.options == want


def test_streams_of_the_newer_apis_ask_for_the_count_of_tokens() -> None:
    body: Turn = {"model": "m", "messages": HELLO, "max_tokens": 9, "stream": True}
    asked = (
        read(MESSAGES, body),
        read(RESPONSES, {"model": "m", "input": "hello", "stream": True}),
    )
    for chat in asked:
        assert chat.stream
        assert chat.options["stream_options"] == {"include_usage": True}


def test_a_schema_for_the_answer_is_passed_on() -> None:
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    body: Turn = {"model": "m", "input": "x", "text": {"format": {"type": "json_schema", **schema}}}
    want = {"type": "json_schema", "json_schema": schema}
    assert read(RESPONSES, body).options["response_format"] == want


@pytest.mark.parametrize(
    ("dialect", "change", "param", "code"),
    [
        (RESPONSES, {"input": []}, "input", "invalid_value"),
        (RESPONSES, {"input": 7}, "input", "invalid_value"),
        (RESPONSES, {"previous_response_id": "r"}, "previous_response_id", "unknown_parameter"),
        (RESPONSES, {"conversation": "c"}, "conversation", "unknown_parameter"),
        (RESPONSES, {"background": True}, "background", "invalid_value"),
        (RESPONSES, {"input": [{"type": "item_reference"}]}, "input[0].type", "invalid_value"),
        (
            RESPONSES,
            {"input": [{"role": "user"}]},
            "input[0].content",
            "missing_required_parameter",
        ),
        (
            RESPONSES,
            {"input": [{"type": "function_call", "name": "x"}]},
            "input[0].arguments",
            "missing_required_parameter",
        ),
        (RESPONSES, {"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        (RESPONSES, {"lora": 1}, "lora", "unknown_parameter"),
        (MESSAGES, {"max_tokens": None}, "max_tokens", "invalid_value"),
        (MESSAGES, {"messages": []}, "messages", "invalid_value"),
        (MESSAGES, {"temperature": 1.5}, "temperature", "invalid_value"),
        (MESSAGES, {"tools": [{"type": "bash_20250124"}]}, "tools[0].type", "invalid_value"),
        (MESSAGES, {"tool_choice": {"type": "x"}}, "tool_choice.type", "invalid_value"),
        (MESSAGES, {"tool_choice": {}}, "tool_choice.type", "missing_required_parameter"),
        (
            MESSAGES,
            {"tool_choice": {"type": "tool"}},
            "tool_choice.name",
            "missing_required_parameter",
        ),
        (
            MESSAGES,
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": "no"}},
            "tool_choice.disable_parallel_tool_use",
            "invalid_value",
        ),
        (MESSAGES, {"thinking": {"type": "enabled"}}, "thinking.type", "invalid_value"),
        (MESSAGES, said("user", USE), "messages[0].content[1].type", "invalid_value"),
        (MESSAGES, said("assistant", RESULT), "messages[0].content[1].type", "invalid_value"),
        (MESSAGES, {"x" * 1000: 1}, "x" * 100, "unknown_parameter"),
        (
            COMPLETIONS,
            {"messages": [{"role": "user"}]},
            "messages[0].content",
            "missing_required_parameter",
        ),
        (COMPLETIONS, called(type="custom"), "messages[0].tool_calls[0]", "invalid_value"),
        (COMPLETIONS, called(function={}), "messages[0].tool_calls[0]", "invalid_value"),
        (MESSAGES, {"lora": 1}, "lora", "unknown_parameter"),
    ],
)
def test_a_fault_is_named_in_the_apis_own_shape(
    dialect: Dialect, change: Turn, param: str, code: str
) -> None:
    body: Turn = {"model": "m", "input": "hello"}
    if dialect is not RESPONSES:
        body = {"model": "m", "messages": HELLO, "max_tokens": 5}
    with pytest.raises(Refused) as caught:
        read(dialect, {**body, **change})
    error: Any = dialect.error(caught.value)["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert (dialect.error(caught.value).get("type") == "error") == (dialect is MESSAGES)


def test_an_image_is_refused_by_every_api() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "x", "data": ""}}
    with pytest.raises(Refused, match="image"):
        read(
            MESSAGES,
            {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [image]}]},
        )
    asked = {"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}
    with pytest.raises(Refused, match="input_image"):
        read(RESPONSES, asked)


@pytest.mark.parametrize("number", [2**53 + 1, 10**30])
def test_arguments_that_have_no_canonical_form_stay_as_they_are(number: int) -> None:
    given = f'{{"n": {number}}}'
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": given}}
    body: Turn = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    (message,) = read(COMPLETIONS, body).messages
    calls: Any = message["tool_calls"]
    assert calls[0]["function"]["arguments"] == given
