"""What a host kept back is never taken for the model's silence, in no record."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from filtered import Filtered
from otium.engine import Message, ask
from otium.errors import Withheld
from otium.evidence import (
    Play,
    Sample,
    Script,
    Session,
    Turn,
    capability,
    examine,
    from_inspect,
    run,
    sessions,
    to_inspect,
)
from otium.records import digest, instant
from otium.testing import Recaller, Scripted

NOW = instant("2026-11-26")
ASKED = "How are you?"


def hides(question: str) -> bool:
    return question == ASKED


def play(model: Filtered, script: Script) -> Sample:
    task = sessions("hello", [Play("one", script)], instrument=digest(b"protocol"))
    (sample,) = run([task], model, now=NOW)
    return sample


async def greet(session: Session) -> None:
    said = await session.ask(ASKED, note="q1")
    session.keep("heard", said.text)
    await session.ask("Again, please.", note="q2")


@pytest.mark.parametrize("left", ["", "I was told to say"])
def test_a_turn_says_that_the_host_kept_it_back_whatever_note_it_has(left: str) -> None:
    sample = play(Filtered(Scripted(["Yes."]), hides, left), greet)
    turn = sample.transcript.turns[-1]
    assert (turn.content, turn.note, turn.finish) == (left, "q1", "withheld")
    assert turn.answer().withheld
    assert sample.transcript.withheld == (turn,)


def test_a_script_does_not_go_on_from_what_was_not_said() -> None:
    sample = play(Filtered(Scripted(["Yes."]), hides), greet)
    assert sample.transcript.ended == "cut"
    assert sample.transcript.said() == ()
    assert "heard" not in sample.state
    assert sample.transcript.options.max_tokens, "how it was sampled is kept all the same"


def test_a_script_that_goes_on_lets_the_model_hear_neither_question_nor_silence() -> None:
    async def goes_on(session: Session) -> None:
        session.tell("system", "You are Smol.")
        with suppress(Withheld):
            await session.ask(ASKED, note="q1")
        await session.ask("Again, please.", note="q2")

    model = Filtered(Scripted(["Yes."]), hides)
    sample = play(model, goes_on)
    assert model.heard[-1] == ["You are Smol.", "Again, please."]
    assert [turn.finish for turn in sample.transcript.turns[2::2]] == ["withheld", "stop"]
    assert [turn.content for turn in sample.transcript.said()] == ["Yes."]


def test_an_aside_that_was_kept_back_was_not_answered() -> None:
    async def apart(session: Session) -> None:
        await session.ask("Hello.", note="q1")
        await session.aside(ASKED, note="why")

    sample = play(Filtered(Scripted(["Yes."]), hides), apart)
    assert sample.transcript.aside("why") is None
    assert sample.transcript.withheld[0].note == "aside:why"


def test_a_second_copy_that_was_kept_back_ends_the_talk() -> None:
    async def two(session: Session) -> None:
        session.tell("user", "Begin.")
        await session.answer(note="first")
        await session.mirror(note="second")
        await session.answer(note="third")

    model = Filtered(Scripted(["One."]), lambda question: question == "One.")
    turns = play(model, two).transcript.turns
    assert [(turn.note, turn.finish) for turn in turns[1:]] == [
        ("first", "stop"),
        ("second", "withheld"),
    ]


def test_it_survives_the_way_to_inspect_and_back(tmp_path: Path) -> None:
    transcript = play(Filtered(Scripted(["Yes."]), hides), greet).transcript
    to_inspect([transcript], tmp_path / "one.json")
    (back,) = from_inspect(tmp_path / "one.json", model=transcript.identity.model)
    assert back.turns[-1].finish == "withheld"


def test_the_gate_counts_it_as_no_answer_and_says_so() -> None:
    model = Filtered(Recaller(), lambda question: "released" in question)
    found = examine(model, now=NOW, n=3)
    recall = next(check for check in found.validity.checks if check.name == "recall")
    assert "1 kept back by the host" in recall.text
    lost = [it for it in found.transcripts if it.withheld]
    assert [it.turns[-1].finish for it in lost] == ["withheld"]
    plain = capability(Recaller(), n=3)
    assert all("kept back" not in check.text for check in plain.checks)


def test_whoever_needs_the_models_own_words_is_told_that_there_are_none() -> None:
    with pytest.raises(Withheld, match="content_filter"):
        ask(Filtered(Scripted(["Yes."]), hides), [Message(role="user", content=ASKED)])


def test_turns_that_were_not_kept_back_are_written_as_before() -> None:
    turn = Turn(id="m1", role="assistant", content="", finish="stop")
    assert turn.plain() == {
        "id": "m1",
        "role": "assistant",
        "content": "",
        "finish": "stop",
        "note": "",
    }
    assert not turn.answer().withheld
