from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.dialects import Chat, read_chat
from otium.errors import Refused

HELLO = [{"role": "user", "content": "hello"}]


def read(**fields: object) -> Chat:
    return read_chat(json.dumps({"model": "smol-1", "messages": HELLO, **fields}).encode())


def refusal(**fields: object) -> Refused:
    with pytest.raises(Refused) as caught:
        read(**fields)
    assert caught.value.status == 400
    return caught.value


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request_are_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_chat(data)
    assert caught.value.status == 400


texts = st.text(st.characters(codec="utf-8"), max_size=20)
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
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
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
