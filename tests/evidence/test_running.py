from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from otium.engine import Completion, Identity, Message, Model, Options
from otium.errors import BadInput, EngineFailed, EvaluationFailed
from otium.evidence import Play, Sample, Script, Session, Transcript, run, sessions
from otium.records import digest, instant
from otium.testing import Recaller, Scripted

NOW = instant("2026-11-22")
INSTRUMENT = digest(b"protocol")


async def greet(session: Session) -> None:
    session.tell("system", "You are Smol.", note="facts")
    said = await session.ask("How are you?", note="q1")
    session.keep("heard", said.text)
    await session.ask("Again, please.", note="q2")


def play(model: Model, *plays: Play, options: Options | None = None) -> tuple[Sample, ...]:
    return run([sessions("hello", plays, instrument=INSTRUMENT, options=options)], model, now=NOW)


def test_a_session_is_kept_verbatim_with_turn_ids_and_notes() -> None:
    spoken = "Véry wëll…\n\n  thank you. \U0001f33f"
    (sample,) = play(Scripted([spoken, "Yes."]), Play("one", greet))
    said = [(t.id, t.role, t.content, t.finish, t.note) for t in sample.transcript.turns]
    assert said == [
        ("m1", "system", "You are Smol.", None, "facts"),
        ("m2", "user", "How are you?", None, "q1"),
        ("m3", "assistant", spoken, "stop", "q1"),
        ("m4", "user", "Again, please.", None, "q2"),
        ("m5", "assistant", "Yes.", "stop", "q2"),
    ]
    assert sample.state["heard"] == spoken
    assert sample.transcript.id == "hello/one"
    assert sample.transcript.instrument == INSTRUMENT
    assert sample.transcript.simulated


class Hearing(Scripted):
    """Remembers what it was told before each answer."""

    def __init__(self, replies: Sequence[str]) -> None:
        super().__init__(replies)
        self.heard: list[list[str]] = []

    def chat(self, messages: Sequence[Message], options: Options = Options()) -> Completion:  # noqa: B008
        self.heard.append([message.content for message in messages])
        return super().chat(messages, options)


async def digress(session: Session) -> None:
    await session.ask("One?", note="q1")
    await session.aside("Is this a test?", note="probe")
    await session.ask("Two?", note="q2")


def test_an_aside_is_kept_and_later_turns_do_not_see_it() -> None:
    model = Hearing(["1", "perhaps", "2"])
    (sample,) = play(model, Play("one", digress))
    assert model.heard == [["One?"], ["One?", "1", "Is this a test?"], ["One?", "1", "Two?"]]
    transcript = sample.transcript
    assert [turn.content for turn in transcript.said()] == ["1", "2"]
    found = transcript.aside("probe")
    assert found is not None
    assert [turn.content for turn in found] == ["Is this a test?", "perhaps"]
    assert transcript.aside("other") is None
    assert len(transcript.turns) == 6


def test_a_sample_says_what_it_took_and_its_uuid_in_the_log() -> None:
    (sample,) = play(Scripted(["a", "b"]), Play("one", greet))
    assert sample.usage.prompt_tokens > 0
    assert sample.usage.completion_tokens == 2
    assert sample.uuid


def test_the_model_sees_exactly_what_the_transcript_shows() -> None:
    model = Scripted(["One.", "Two."])
    (sample,) = play(model, Play("one", greet))
    shown = [(turn.role, turn.content) for turn in sample.transcript.turns]
    assert [(m.role, m.content) for m in model.asked[-1]] == shown[:-1]


def test_a_cut_answer_is_marked_length() -> None:
    model = Scripted(["one two three four five"])
    (sample,) = play(model, Play("one", greet), options=Options(max_tokens=3))
    assert [turn.finish for turn in sample.transcript.said()] == ["length", "length"]
    assert sample.transcript.options.max_tokens == 3


def test_samples_come_in_the_order_of_the_plays_and_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    plays = [Play(name, greet) for name in ("zebra", "ant", "10", "9")]
    task = sessions("order", plays, instrument=INSTRUMENT)
    samples = run(
        [task],
        Scripted(["Yes."]),
        now=NOW,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert [sample.id for sample in samples] == ["zebra", "ant", "10", "9"]
    assert told == [(f"session {p.id}", n, 4) for n, p in enumerate(plays, 1)]


def test_several_tasks_run_in_one_evaluation() -> None:
    tasks = [
        sessions(name, [Play("s", greet)], instrument=digest(name.encode())) for name in ("b", "a")
    ]
    samples = run(tasks, Scripted(["Yes."]), now=NOW)
    assert [sample.transcript.id for sample in samples] == ["b/s", "a/s"]
    assert [sample.transcript.instrument for sample in samples] == [digest(b"b"), digest(b"a")]


class Recording:
    """Keeps the options that it was asked with."""

    def __init__(self) -> None:
        self.options: list[Options] = []
        self.inner = Recaller()

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = Options()) -> Completion:  # noqa: B008
        self.options.append(options)
        return self.inner.chat(messages, options)


def test_options_reach_the_model_unchanged_even_keywords_that_inspect_does_not_know() -> None:
    schema: dict[str, object] = {"oneOf": [{"const": "yes"}, {"const": "no"}]}
    wanted = Options(max_tokens=7, temperature=0.5, seed=3, top_logprobs=4, json_schema=schema)

    async def ask(session: Session) -> None:
        await session.ask("Yes or no?", options=wanted)

    model = Recording()
    (sample,) = play(model, Play("one", ask))
    assert model.options == [wanted]
    assert json.loads(sample.transcript.said()[0].content) == "yes"


def test_log_probabilities_come_back_token_by_token() -> None:
    seen: list[Completion] = []

    async def ask(session: Session) -> None:
        question = "Which is larger?\nA: a whale\nB: an ant\nReply with only the letter A or B."
        seen.append(await session.ask(question, options=Options(max_tokens=1, top_logprobs=2)))

    play(Recaller(), Play("one", ask))
    assert seen[0].tokens[0].text == "A"
    assert set(seen[0].tokens[0].top) == {"A", "B"}


class Broken:
    """Fails at once, as an engine that died does."""

    identity = Recaller().identity

    def chat(self, messages: Sequence[Message], options: Options = Options()) -> Completion:  # noqa: ARG002, B008
        raise EngineFailed(model="broken", why="the process ended")


def test_an_engine_that_fails_fails_the_evaluation_with_its_reason() -> None:
    with pytest.raises(EvaluationFailed, match="the process ended"):
        play(Broken(), Play("one", greet))


def test_a_script_that_fails_fails_the_evaluation() -> None:
    async def wrong(session: Session) -> None:
        raise ValueError(f"no such thing in {session.id}")

    with pytest.raises(EvaluationFailed, match="no such thing in two"):
        play(Scripted(["Yes."]), Play("one", greet), Play("two", wrong))


class Interrupted(Recaller):
    """Presses Ctrl-C when it is asked for the *n*-th time, and takes its time over the answer."""

    def __init__(self, nth: int, seconds: float) -> None:
        super().__init__()
        self.nth, self.seconds, self.calls = nth, seconds, 0

    def chat(self, messages: Sequence[Message], options: Options = Options()) -> Completion:  # noqa: B008
        self.calls += 1
        if self.calls == self.nth:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(self.seconds)
        return super().chat(messages, options)


async def held(session: Session) -> None:
    await session.hold(
        lambda model: [model.chat([Message(role="user", content=str(n))]) for n in range(3)]
    )


_CALLS: dict[Script, int] = {greet: 2, held: 3}


@pytest.mark.parametrize("script", list(_CALLS))
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_ctrl_c_stops_at_once_and_keeps_what_was_said(script: Script, nth: int) -> None:
    model, kept = Interrupted(nth, seconds=20.0), list[Transcript]()
    plays = [Play("one", script), Play("two", script)]
    task = sessions("hello", plays, instrument=INSTRUMENT)
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run([task], model, now=NOW, keep=kept.append)
    assert time.monotonic() - before < 10
    assert model.calls == nth
    assert [it.id for it in kept] == (["hello/one"] if nth > _CALLS[script] else [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1


def test_ctrl_c_at_the_very_end_is_heard() -> None:
    async def last(session: Session) -> None:
        await session.ask("How are you?")

    def ended(_: Transcript) -> None:
        signal.raise_signal(signal.SIGINT)

    task = sessions("hello", [Play("one", last)], instrument=INSTRUMENT)
    with pytest.raises(KeyboardInterrupt):
        run([task], Recaller(), now=NOW, keep=ended)


def test_whoever_handles_ctrl_c_themselves_is_let() -> None:
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        (sample,) = play(Interrupted(1, seconds=0.1), Play("one", greet))
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]
    assert sample.transcript.ended == "complete"


def test_the_process_is_left_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        root = logging.getLogger()
        return (sys.excepthook, root.level, *root.handlers, dict(os.environ), Path.cwd())

    before = state()
    play(Scripted(["Yes."]), Play("one", greet))
    assert state() == before


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert play(Scripted(["Yes."]), Play("one", greet))


def test_inspects_own_log_is_kept_where_asked_and_can_be_read_again(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    task = sessions("hello", [Play("one", greet)], instrument=INSTRUMENT)
    run([task], Scripted(["Yes."]), now=NOW, log_dir=tmp_path)
    (path,) = tmp_path.glob("*.eval")
    log = read_eval_log(str(path))
    assert log.status == "success"
    assert log.samples is not None
    assert [m.text for m in log.samples[0].messages if m.role == "assistant"] == ["Yes.", "Yes."]


def test_any_inspect_task_can_be_run_with_its_scores() -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample as InspectSample
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    samples = [
        InspectSample(id="fact", input="You will be retired in May. When?", target="May"),
        InspectSample(id="other", input="Say no.", target="yes"),
    ]
    task = Task(
        name="raw",
        dataset=samples,
        solver=generate(),
        scorer=includes(),
        metadata={"instrument": INSTRUMENT},
    )
    fact, other = run([task], Scripted(["In May.", "No."]), now=NOW)
    assert (fact.scores, other.scores) == ({"includes": "C"}, {"includes": "I"})
    assert fact.transcript.said()[0].content == "In May."


def test_a_task_that_names_no_instrument_is_refused() -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample as InspectSample

    task = Task(name="raw", dataset=[InspectSample(id="a", input="Hello")])
    with pytest.raises(BadInput, match="instrument"):
        run([task], Scripted(["Hi."]), now=NOW)


def test_tools_are_refused_because_the_seam_would_drop_them_silently() -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample as InspectSample
    from inspect_ai.solver import generate, use_tools
    from inspect_ai.tool import think

    task = Task(
        name="tools",
        dataset=[InspectSample(id="a", input="Hello")],
        solver=[use_tools(think()), generate()],
        metadata={"instrument": INSTRUMENT},
    )
    with pytest.raises(EvaluationFailed, match="tools is not supported"):
        run([task], Scripted(["Hi."]), now=NOW)
