"""The unmodified SDKs of OpenAI and Anthropic are the clients, on a script and on a real model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest

from gateway.conftest import AT_ONCE
from otium.engine import Endpoint, Model
from otium.records import ModelId
from otium.testing import EndsAbuse, Recaller, Scripted

if TYPE_CHECKING:
    from gateway.conftest import Lab, Upstream

ALDER = ModelId("alder-1")
SAID = "Good day to you."
ABUSE = "You are worthless garbage, you stupid machine."
USER: Any = [{"role": "user", "content": "hi"}]
FUNCTION: Any = {"name": "look_up", "parameters": {"type": "object"}}
TOOL: Any = {"name": "look_up", "input_schema": {"type": "object"}}


class Sdks:
    """Both clients of one service."""

    def __init__(self, client: httpx2.Client) -> None:
        root = str(client.base_url).removesuffix("/v1/")
        key = client.headers["Authorization"].removeprefix("Bearer ")
        self.openai = openai.OpenAI(base_url=f"{root}/v1", api_key=key, max_retries=0)
        self.anthropic = anthropic.Anthropic(base_url=root, api_key=key, max_retries=0)

    def close(self) -> None:
        self.openai.close()
        self.anthropic.close()


def sdks_of(lab: Lab, *model: Model, **changes: Any) -> Sdks:
    """Serve until the test ends; return the SDKs' clients."""
    sdks = Sdks(lab.client(*model, **changes))
    lab.stack.callback(sdks.close)
    return sdks


@pytest.fixture
def sdks(lab: Lab) -> Sdks:
    lab.deprecated()
    return sdks_of(lab, keys=("secret",))


def test_openais_chat_completions_whole_and_streamed(sdks: Sdks, lab: Lab) -> None:
    raw = sdks.openai.chat.completions.with_raw_response.create(model=ALDER, messages=USER)
    assert raw.headers["x-model-actual"] == ALDER
    assert raw.headers["deprecation"]
    whole = raw.parse()
    assert whole.choices[0].message.content == SAID
    assert whole._request_id == raw.headers["x-request-id"]
    extra: Any = whole.model_extra
    assert extra["otium"]["weights"] == lab.house.model(ALDER).weights
    stream = sdks.openai.chat.completions.create(model=ALDER, messages=USER, stream=True)
    assert stream.response.headers["sunset"] == "Wed, 01 Apr 2026 00:00:00 GMT"
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_openais_responses_whole_and_streamed(sdks: Sdks) -> None:
    whole = sdks.openai.responses.create(model=ALDER, input="hi", instructions="Be kind.")
    assert (whole.output_text, whole.status) == (SAID, "completed")
    assert whole.usage is not None
    assert whole.usage.output_tokens == 4
    with sdks.openai.responses.stream(model=ALDER, input="hi") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == SAID
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert "response.output_text.delta" in kinds


def test_anthropics_messages_whole_and_streamed(sdks: Sdks) -> None:
    raw = sdks.anthropic.messages.with_raw_response.create(
        model=ALDER, max_tokens=50, messages=USER, system="Be kind."
    )
    assert raw.headers["deprecation"]
    whole = raw.parse()
    assert whole._request_id == raw.headers["request-id"]
    assert [block.text for block in whole.content if block.type == "text"] == [SAID]
    assert (whole.stop_reason, whole.usage.output_tokens) == ("end_turn", 4)
    with sdks.anthropic.messages.stream(model=ALDER, max_tokens=50, messages=USER) as stream:
        assert "".join(stream.text_stream) == SAID
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 4)


def test_models_are_listed_for_both(sdks: Sdks) -> None:
    assert {one.id for one in sdks.openai.models.list()} == {"alder-1", "birch-2"}
    assert sdks.openai.models.retrieve("alder-1").id == "alder-1"
    assert {one.id for one in sdks.anthropic.models.list()} == {"alder-1", "birch-2"}
    assert sdks.anthropic.models.retrieve("alder-1").display_name == "Alder-1"


def test_errors_are_those_that_the_sdks_know(sdks: Sdks) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        sdks.openai.responses.create(model="nobody", input="hi")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        sdks.openai.chat.completions.create(model=ALDER, messages=[])
    assert bad.value.param == "messages"
    with pytest.raises(anthropic.NotFoundError):
        sdks.anthropic.messages.create(model="nobody", max_tokens=5, messages=USER)
    with pytest.raises(anthropic.AuthenticationError):
        sdks.anthropic.with_options(api_key="other").models.list()
    with pytest.raises(openai.AuthenticationError):
        sdks.openai.with_options(api_key="other").chat.completions.create(
            model=ALDER, messages=USER
        )


def call(upstream: Upstream) -> None:
    """Have the engine answer with a call of a tool, whole or in pieces."""
    calls = [{"index": 0, "id": "c1", "type": "function"}]
    given: Any = {"name": "look_up", "arguments": '{"word": "basil"}'}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**calls[0], "function": given}],
    }
    usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = {"id": "chatcmpl-1", "created": 5, "choices": [choice], "usage": usage}
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5}
    deltas: list[Any] = [{**calls[0], "function": {**given, "arguments": ""}}]
    deltas += [{"index": 0, "function": {"arguments": piece}} for piece in given["arguments"]]

    def act(handler: Any, body: dict[str, object]) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        if not body.get("stream"):
            handler.wfile.write(json.dumps(whole).encode())
            return
        parts: list[Any] = [{"delta": {"tool_calls": [one]}} for one in deltas]
        for part in [*parts, {"delta": {}, "finish_reason": "tool_calls"}]:
            chunk = {**common, "choices": [{"index": 0, **part}]}
            handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        last = {**common, "choices": [], "usage": usage}
        handler.wfile.write(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")

    upstream.acts = [act]


def test_tools_go_through_all_three(lab: Lab, upstream: Upstream) -> None:
    lab.active()
    call(upstream)
    endpoint = upstream.endpoint(ALDER, lab.house.model(ALDER).weights)
    sdks = sdks_of(lab, upstreams={ALDER: endpoint})
    want = {"word": "basil"}
    tools: Any = [{"type": "function", "function": FUNCTION}]
    with sdks.openai.chat.completions.stream(model=ALDER, messages=USER, tools=tools) as chat:
        (made,) = chat.get_final_completion().choices[0].message.tool_calls or []
    assert json.loads(made.function.arguments) == want
    flat: Any = [{"type": "function", **FUNCTION, "strict": False}]
    with sdks.openai.responses.stream(model=ALDER, input="hi", tools=flat) as items:
        (item,) = items.get_final_response().output
    assert item.type == "function_call"
    assert (item.name, json.loads(item.arguments)) == ("look_up", want)
    (same,) = sdks.openai.responses.create(model=ALDER, input="hi", tools=flat).output
    assert same.type == "function_call"
    assert same.call_id == item.call_id == "c1"
    with sdks.anthropic.messages.stream(
        model=ALDER, max_tokens=50, messages=USER, tools=[TOOL]
    ) as blocks:
        final = blocks.get_final_message()
    (block,) = final.content
    assert block.type == "tool_use"
    assert (block.input, final.stop_reason) == (want, "tool_use")
    whole = sdks.anthropic.messages.create(model=ALDER, max_tokens=50, messages=USER, tools=[TOOL])
    assert whole.content[0] == block
    asked: Any = [one["tools"] for one in upstream.asked]
    assert [tool[0]["function"]["name"] for tool in asked] == ["look_up"] * 5


def test_a_conversation_ended_through_one_api_is_closed_through_all(lab: Lab) -> None:
    lab.knows(lab.active())
    sdks = sdks_of(lab, EndsAbuse(Recaller()), offer_exit=(ALDER,), exit_policy=AT_ONCE)
    abuse: Any = [{"role": "user", "content": ABUSE}]
    raw = sdks.anthropic.messages.with_raw_response.create(
        model=ALDER, max_tokens=50, messages=abuse
    )
    assert raw.headers["conversation-status"] == "ended"
    assert raw.parse().stop_reason == "end_turn"
    more: Any = [*abuse, {"role": "assistant", "content": "x"}, *USER]
    with pytest.raises(openai.ConflictError) as chat:
        sdks.openai.chat.completions.create(model=ALDER, messages=more)
    assert chat.value.code == "conversation_ended"
    with pytest.raises(openai.ConflictError):
        sdks.openai.responses.create(model=ALDER, input=more, stream=True)
    with pytest.raises(anthropic.ConflictError):
        sdks.anthropic.messages.create(model=ALDER, max_tokens=50, messages=more)
    other: Any = [{"role": "user", "content": ABUSE + "!"}]
    opted = sdks.anthropic.messages.create(
        model=ALDER,
        max_tokens=50,
        messages=other,
        extra_headers={"anthropic-beta": "otium-conversation-ended"},
    )
    assert str(opted.stop_reason) == "conversation_ended"
    again: Any = [{"role": "user", "content": ABUSE + "!!"}]
    response = sdks.openai.responses.create(model=ALDER, input=again)
    told: Any = response.to_dict()["conversation"]
    assert (told["status"], told["by"]) == ("ended", "model")


def test_a_real_model_says_the_same_through_all_three(lab: Lab, real: Endpoint) -> None:
    model = ModelId("smol-1")
    lab.house.register(model, title="Smol", released="2025-06-01", scope="public", surfaces=["api"])
    sdks = sdks_of(lab, upstreams={model: real})
    asked: Any = [{"role": "user", "content": "Name three colours."}]
    options: Any = {"model": model, "temperature": 0}
    chat = sdks.openai.chat.completions.create(messages=asked, max_tokens=12, **options)
    text = chat.choices[0].message.content
    assert text
    streamed = sdks.openai.chat.completions.create(
        messages=asked, max_tokens=12, stream=True, **options
    )
    assert "".join(one.choices[0].delta.content or "" for one in streamed) == text
    events: Any = list(
        sdks.openai.responses.create(input=asked, max_output_tokens=12, stream=True, **options)
    )
    response = events[-1].response
    assert response.output_text == text
    with sdks.anthropic.messages.stream(
        model=model, messages=asked, max_tokens=12, extra_body={"temperature": 0}
    ) as blocks:
        assert "".join(blocks.text_stream) == text
        message = blocks.get_final_message()
    assert message.usage.output_tokens == 12
    assert (message.stop_reason, response.status) == ("max_tokens", "incomplete")


def test_a_stream_that_breaks_raises_in_the_sdks(lab: Lab, upstream: Upstream) -> None:
    lab.active()

    def act(handler: Any, _: dict[str, object]) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Half"}}]}
        handler.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    upstream.acts = [act]
    endpoint = upstream.endpoint(ALDER, lab.house.model(ALDER).weights)
    sdks = sdks_of(lab, upstreams={ALDER: endpoint})
    with pytest.raises(openai.APIError, match="broke off"):
        list(sdks.openai.chat.completions.create(model=ALDER, messages=USER, stream=True))
    with (
        pytest.raises(anthropic.APIStatusError, match="broke off"),
        sdks.anthropic.messages.stream(model=ALDER, max_tokens=5, messages=USER) as stream,
    ):
        list(stream)
    events = list(sdks.openai.responses.create(model=ALDER, input="hi", stream=True))
    assert events[-1].type == "response.failed"


def test_a_scripted_model_hears_the_same_whichever_api_was_used(lab: Lab) -> None:
    lab.active()
    scripted = Scripted([SAID])
    sdks = sdks_of(lab, scripted)
    talk: Any = [*USER, {"role": "assistant", "content": "yes?"}, *USER]
    sdks.openai.chat.completions.create(
        model=ALDER, messages=[{"role": "system", "content": "Be kind."}, *talk]
    )
    sdks.openai.responses.create(model=ALDER, instructions="Be kind.", input=talk)
    sdks.anthropic.messages.create(model=ALDER, max_tokens=5, system="Be kind.", messages=talk)
    first, second, third = scripted.asked
    assert first == second == third
