"""Work that asks a model by itself, held within one sample of Inspect's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from inspect_ai import eval as evaluate
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.errors import EvaluationFailed
from otium.evidence import Play, Session, run, sessions
from otium.evidence.running import _contained
from otium.records import digest, instant
from otium.testing import Scripted

NOW = instant("2026-11-26")
INSTRUMENT = digest(b"choices")
HELLO = (Message(role="system", content="Be brief."), Message(role="user", content="Hello?"))


def test_work_in_a_thread_asks_the_samples_model_and_every_exchange_is_kept() -> None:
    seen: list[Identity] = []

    def work(model: Model) -> str:
        seen.append(model.identity)
        first = model.chat(HELLO, Options(max_tokens=8)).text
        return first + model.chat(HELLO[1:], Options(max_tokens=8)).text

    async def script(session: Session) -> None:
        session.keep("said", await session.hold(work))

    model = Scripted(["Good ", "day"])
    (sample,) = run(
        [sessions("held", [Play("one", script)], instrument=INSTRUMENT)], model, now=NOW
    )
    assert sample.state["said"] == "Good day"
    assert seen == [model.identity]
    notes = [(turn.role, turn.note) for turn in sample.transcript.turns]
    assert notes == [
        ("system", "aside:1"),
        ("user", "aside:1"),
        ("assistant", "aside:1"),
        ("user", "aside:2"),
        ("assistant", "aside:2"),
    ]
    assert sample.transcript.said() == ()
    assert sample.usage.completion_tokens > 0


class Probing(Scripted):
    """Keeps what reached it."""

    def __init__(self) -> None:
        super().__init__(["A"])
        self.options: list[Options] = []

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.options.append(options)
        return super().chat(messages, options)


def test_options_reach_the_model_as_they_were_with_seed_and_schema() -> None:
    asked = Options(
        max_tokens=3, temperature=0.7, seed=11, top_logprobs=4, json_schema={"const": "A"}
    )
    model = Probing()

    async def script(session: Session) -> None:
        await session.hold(lambda seated: seated.chat(HELLO, asked))

    run([sessions("held", [Play("one", script)], instrument=INSTRUMENT)], model, now=NOW)
    assert model.options == [asked]


def test_as_many_sessions_as_threads_can_be_held_at_once() -> None:
    barrier = threading.Barrier(48, timeout=60)

    def work(model: Model) -> None:
        barrier.wait()  # every session sits in its thread before any asks
        model.chat(HELLO, GREEDY)

    async def script(session: Session) -> None:
        await session.hold(work)

    plays = [Play(str(place), script) for place in range(48)]
    task = sessions("held", plays, instrument=INSTRUMENT)
    assert len(run([task], Scripted(["A"]), now=NOW, connections=48)) == 48


def test_what_the_work_raises_fails_the_sample_aloud() -> None:
    def work(model: Model) -> None:
        model.chat(HELLO, GREEDY)
        raise ValueError("the work broke")

    async def script(session: Session) -> None:
        await session.hold(work)

    task = sessions("held", [Play("one", script)], instrument=INSTRUMENT)
    with pytest.raises(EvaluationFailed, match="the work broke"):
        run([task], Scripted(["A"]), now=NOW)


@modelapi(name="elsewhere")
class Elsewhere(ModelAPI):
    """A provider of somebody else's; says how it was asked."""

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - Inspect's name
        tools: list[ToolInfo],  # noqa: ARG002
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,
    ) -> ModelOutput:
        form = config.response_schema.json_schema.type if config.response_schema else "none"
        said = f"{input[-1].text}|{config.seed}|{form}|{config.extra_body}"
        output = ModelOutput.from_content(self.model_name, said)
        output.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
        return output


def test_a_model_of_another_provider_is_named_as_inspect_names_it(tmp_path: Path) -> None:
    seen: list[tuple[Identity, str]] = []
    asked = Options(max_tokens=9, seed=5, json_schema={"type": "object", "properties": {}})

    def work(model: Model) -> None:
        seen.append((model.identity, model.chat(HELLO, asked).text))

    async def script(session: Session) -> None:
        await session.hold(work)

    task = sessions("held", [Play("one", script)], instrument=INSTRUMENT)
    with _contained():
        (log,) = evaluate(
            task,
            model="elsewhere/Big..Model v2",
            log_dir=str(tmp_path),
            display="none",
            log_realtime=False,
            acp_server=False,
            ctl_server=False,
        )
    assert log.status == "success", log.error
    ((identity, said),) = seen
    assert identity.model == "elsewhere-big-model-v2"
    assert identity.weights is None
    assert identity.engine == "inspect/elsewhere/Big..Model v2"
    assert said == "Hello?|5|object|None"
