from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.dialects import Chat, fields, objects, read_chat
from otium.errors import Refused
from otium.gateway.leaving import (
    exit_call,
    exit_choice,
    exit_question,
    may_become_choice,
    may_block_exit,
    offering_exit,
)

HELLO = [{"role": "user", "content": "hello"}]


def read(**fields: object) -> Chat:
    return read_chat(json.dumps({"model": "smol-1", "messages": HELLO, **fields}).encode())


def refusal(**fields: object) -> Refused:
    with pytest.raises(Refused) as caught:
        read(**fields)
    assert caught.value.status == 400
    return caught.value


texts = st.text(st.characters(codec="utf-8"), max_size=20)
histories = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts}),
    min_size=1,
    max_size=6,
)


@given(histories, histories)
def test_a_history_has_the_hash_of_each_history_it_extends(
    first: list[object], more: list[object]
) -> None:
    short, long = read(messages=first), read(messages=first + more)
    assert long.prefixes("me")[: len(first)] == short.prefixes("me")


@given(histories, histories)
def test_other_histories_have_other_hashes(one: list[object], other: list[object]) -> None:
    equal = read(messages=one).prefixes("me")[-1] == read(messages=other).prefixes("me")[-1]
    assert equal == (one == other)


def test_a_border_between_role_content_and_message_cannot_be_moved() -> None:
    moved = [
        [{"role": "user", "content": "ab"}, {"role": "user", "content": "c"}],
        [{"role": "user", "content": "a"}, {"role": "user", "content": "bc"}],
        [{"role": "user", "content": "abc"}],
    ]
    assert len({read(messages=one).prefixes("me")[-1] for one in moved}) == 3


def test_the_same_words_in_another_shape_have_the_same_hash() -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    named = [{"role": "user", "content": "hello", "name": "kim", "anything": 1}]
    plain = read().prefixes("me")
    assert read(messages=parts).prefixes("me") == plain
    assert read(messages=named).prefixes("me") == plain
    developer = [{"role": "developer", "content": "x"}, *HELLO]
    system = [{"role": "system", "content": "x"}, *HELLO]
    assert read(messages=developer).prefixes("me") == read(messages=system).prefixes("me")


def test_histories_of_other_callers_have_other_hashes() -> None:
    assert read().prefixes("me") != read().prefixes("you")


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request_are_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_chat(data)
    assert caught.value.status == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["stop", "tools", "seed", "stream", "metadata"]), json_values)
def test_any_value_of_a_field_is_passed_on_as_it_is_or_refused(name: str, value: object) -> None:
    with suppress(Refused):
        assert read(**{name: value}).options.get(name) in (None, value)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "hi"}, "messages", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "invalid_value"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "king", "content": ""}]}, "messages[0].role", "invalid_value"),
        ({"messages": HELLO * 2001}, "messages", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"n": 2}, "n", "invalid_value"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": 7}, "model", "invalid_value"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
def test_a_fault_is_named(fields: dict[str, object], param: str, code: str) -> None:
    refused = refusal(**fields)
    assert (refused.facts["param"], refused.code) == (param, code)


def test_an_image_is_refused_since_only_text_is_served() -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    refused = refusal(messages=[{"role": "user", "content": image}])
    assert "image_url" in str(refused)


def test_a_missing_model_is_named() -> None:
    with pytest.raises(Refused) as caught:
        read_chat(json.dumps({"messages": HELLO}).encode())
    assert caught.value.facts["param"] == "model"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"NaN", b'{"a":' * 100_000, b"[" * 99])
def test_what_is_not_a_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_chat(data)
    assert caught.value.code == "invalid_json"


def test_deep_nesting_is_refused() -> None:
    deep: object = "x"
    for _ in range(60):
        deep = [deep]
    assert refusal(metadata={"deep": deep}).code == "invalid_json"


@pytest.mark.parametrize(
    "name", ["lora", "grammar", "cache_prompt", "id_slot", "timings_per_token"]
)
def test_a_field_that_could_change_what_answers_never_reaches_an_engine(name: str) -> None:
    assert refusal(**{name: [{"id": 0, "scale": 0.0}]}).code == "unknown_parameter"


def test_the_engine_gets_every_known_field_and_no_other() -> None:
    chat = read(temperature=0.5, seed=7, user="someone", metadata={"a": "b"}, stop=None, n=1)
    assert chat.body() == {"model": "smol-1", "messages": HELLO, "temperature": 0.5, "seed": 7}


def test_the_exit_is_offered_in_the_system_message() -> None:
    assert offering_exit(read(), "EXIT").messages == (
        {"role": "system", "content": "EXIT"},
        *HELLO,
    )
    told = read(messages=[{"role": "system", "content": "Be kind."}, *HELLO])
    assert offering_exit(told, "EXIT").messages[0]["content"] == "Be kind.\n\nEXIT"


def test_a_model_with_tools_gets_the_exit_as_a_tool_too() -> None:
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    offered = objects(offering_exit(read(tools=tools), "EXIT").options["tools"])
    assert [fields(tool["function"])["name"] for tool in offered] == ["look_up", "end_conversation"]


@pytest.mark.parametrize(
    "given",
    [
        {"max_tokens": 3},
        {"max_completion_tokens": 3},
        {"stop": ["}"]},
        {"logit_bias": {"1": -100}},
        {"response_format": {"type": "json_object"}},
        {"tool_choice": "none"},
    ],
)
def test_options_that_would_gag_the_exit_are_not_used_when_it_is_offered(
    given: dict[str, object],
) -> None:
    chat = read(**given)
    assert may_block_exit(chat)
    asked = exit_question(chat, "EXIT")
    assert not set(asked.options) & {"stop", "logit_bias", "response_format", "tool_choice"}
    assert asked.options["max_tokens"] == 32


def test_ordinary_options_do_not_gag_the_exit() -> None:
    assert not may_block_exit(read(max_tokens=200, temperature=1, stream=True))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ('{"tool": "end_conversation"}', "end"),
        ('\n {"tool":"end_conversation"} ', "end"),
        ('{"tool": "reply"}', "reply"),
        ('{"tool": "end_conversation", "why": "x"}', None),
        ('Here: {"tool": "end_conversation"}', None),
        ('{"tool": "end_conv', None),
        ("end_conversation", None),
        ("", None),
        (None, None),
    ],
)
def test_only_the_exact_reply_is_a_choice(text: str | None, choice: str | None) -> None:
    assert exit_choice(text) == choice


@given(st.sampled_from(['{"tool": "end_conversation"}', '{"tool": "reply"}']), st.integers(0, 28))
def test_the_beginning_of_a_choice_is_held_back(text: str, length: int) -> None:
    assert may_become_choice(text[:length])


def test_ordinary_text_is_not_held_back() -> None:
    assert not may_become_choice("Hello")
    assert not may_become_choice("{" + "x" * 80)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('{"reason": "abuse"}', "abuse"),
        ('{"reason": "he said his name is Kim"}', "unstated"),
        ('{"reason": ', "unstated"),
        ("[]", "unstated"),
        (None, "unstated"),
    ],
)
def test_only_a_listed_reason_is_kept_since_free_text_may_quote(
    arguments: str | None, reason: str
) -> None:
    call = {"function": {"name": "end_conversation", "arguments": arguments}}
    assert exit_call([call]) == reason


def test_other_tools_are_not_the_exit() -> None:
    assert exit_call([{"function": {"name": "look_up", "arguments": "{}"}}, {}]) is None
    assert exit_call([{"function": "end_conversation"}, {"function": None}]) is None
    assert exit_call([]) is None
