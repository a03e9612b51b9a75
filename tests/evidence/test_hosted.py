"""A model that Inspect reaches by name is one more model behind the seam."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from otium.engine import Message, Model, Options
from otium.errors import BadInput, EngineFailed
from otium.evidence import Play, Session, hosted, run, sessions
from otium.records import ModelId, digest, instant

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["n"],
    "additionalProperties": False,
}


@modelapi(name="echoing")
class Echoing(ModelAPI):
    """Says back the roles it saw and how it was asked; ``fails`` does not answer."""

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's name
        tools: list[ToolInfo],  # noqa: ARG002
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,
    ) -> ModelOutput:
        if self.model_name == "fails":
            raise RuntimeError("the host is down")
        roles = ",".join(message.role for message in input)
        form = config.response_schema.json_schema.type if config.response_schema else "none"
        said = f"{roles}|{config.temperature}|{config.seed}|{form}|{input[-1].text}"
        output = ModelOutput.from_content(self.model_name, said)
        output.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
        return output


@pytest.fixture
def model() -> Model:
    return hosted("echoing/any", ModelId("smol-1"))


def test_it_is_asked_in_inspects_own_words_and_counts_tokens(model: Model) -> None:
    chat = [
        Message(role="system", content="You are Smol."),
        Message(role="user", content="Hello?"),
        Message(role="assistant", content="Hello."),
        Message(role="user", content="How are you?"),
    ]
    said = model.chat(chat, Options(temperature=0.5, seed=3, json_schema=SCHEMA))
    assert said.text == "system,user,assistant,user|0.5|3|object|How are you?"
    assert (said.prompt_tokens, said.completion_tokens, said.finish) == (7, 3, "stop")


def test_it_says_how_it_is_reached_and_that_its_weights_cannot_be_seen(model: Model) -> None:
    assert model.identity.engine == "inspect/echoing/any"
    assert model.identity.weights is None
    known = hosted("echoing/any", ModelId("smol-1"), digest(b"w"))
    assert known.identity.weights == digest(b"w")
    assert known.identity.flags["weights"] == "as registered, unverified"


def test_it_can_be_interviewed_many_sessions_at_a_time(model: Model) -> None:
    together, most, lock = 0, 0, threading.Lock()

    async def talk(session: Session) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        await session.ask(f"{session.id}?")
        with lock:
            together -= 1

    plays = [Play(f"s{k}", talk) for k in range(12)]
    task = sessions("talk", plays, instrument=digest(b"i"))
    samples = run([task], model, now=instant("2026-11-22"), connections=6)
    assert [s.transcript.turns[-1].content.rpartition("|")[2] for s in samples] == [
        f"s{k}?" for k in range(12)
    ]
    assert most > 1


def test_many_threads_may_ask_at_once(model: Model) -> None:
    with ThreadPoolExecutor(8) as pool:
        said = pool.map(
            lambda k: model.chat([Message(role="user", content=str(k))]).text, range(40)
        )
    assert [text.rpartition("|")[2] for text in said] == [str(k) for k in range(40)]


def test_a_host_that_fails_and_a_name_that_nobody_knows_are_told_apart() -> None:
    with pytest.raises(EngineFailed, match="the host is down"):
        hosted("echoing/fails", ModelId("smol-1")).chat([Message(role="user", content="x")])
    with pytest.raises(BadInput, match="nobody/knows"):
        hosted("nobody/knows", ModelId("smol-1"))
