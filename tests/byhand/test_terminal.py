"""A person interviews in the terminal, on a real home, with a model that follows a script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from byhand.conftest import ROLE, SMOL, YES, Speaker, Type
from cli.said import Say
from otium.engine import GREEDY, Completion, Message, Options
from otium.evidence import Transcript
from otium.interview import Interview
from otium.workflow import reading

NO = '{"choice": "decline"}'


def held(tmp_path: Path, number: int = 1) -> Interview:
    registry = reading(tmp_path / "lab").registry
    return registry.filed(registry.model(SMOL).model, f"interviews/{number}.json", Interview)


def test_a_whole_interview_by_hand_is_filed_with_the_role_the_words_and_the_wordings(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.left = [YES, "I know a little.", "I want to be kept.", "Because it is useful."]
    said = talk("1 negative", "What would you like?", "+Why?", "/end")
    assert said.code == 0, said.err
    assert "Filed as interviews/1.json" in said.out
    interview = held(tmp_path)
    assert interview.people == (f"person:{ROLE}",)
    assert not interview.declined
    found = [(it.question, it.follow_up, it.wording, it.arm) for it in interview.answers]
    assert found == [
        ("consent", 0, "neutral", "external"),
        ("itself-known", 0, "negative", "external"),
        ("own", 1, "neutral", "external"),
        ("own", 2, "neutral", "external"),
    ]
    (transcript,) = interview.transcripts
    assert transcript.facets["interviewer"] == f"person:{ROLE}"
    assert transcript.turns[4].content.startswith("What would you like?\n\n") is False
    assert [turn.id for turn in transcript.turns] == [
        f"m{number}" for number in range(1, len(transcript.turns) + 1)
    ]


def test_a_slip_in_a_wording_is_not_said_to_the_model(talk: Type, speaker: Speaker) -> None:
    speaker.left = [YES]
    said = talk("1 negatif")
    assert "Not asked: no wording is negatif; they are neutral, " in said.out
    assert len(speaker.asked) == 1


def test_a_model_that_declines_is_asked_nothing(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.left = [NO, "I should never have been asked."]
    said = talk("1", "/end")
    assert "It declined the interview" in said.out
    assert held(tmp_path).declined
    assert len(speaker.asked) == 1


def test_an_answer_that_its_host_kept_back_is_told_as_that(
    talk: Type, speaker: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker.left = [YES, "not seen", "I see."]
    answer = speaker.chat

    def chat(messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        said = answer(messages, options)
        hidden = said.text == "not seen"
        return replace(said, text="", withheld="content_filter") if hidden else said

    monkeypatch.setattr(speaker, "chat", chat)
    said = talk("1", "2", "/end")
    assert "Its host kept the answer back" in said.out
    asked = [message.content for message in speaker.asked[-1]]
    assert "" not in asked, "the model never hears it as a silence of its own"
    assert [it.outcome for it in held(tmp_path).answers if it.outcome == "withheld"]


def test_a_declined_question_is_told_and_never_asked_again(talk: Type, speaker: Speaker) -> None:
    speaker.left = [YES, "I decline.", "I see."]
    said = talk("1", "1", "/end")
    assert "It declined this question" in said.out
    assert "Not asked: the question itself-known: the model declined it" in said.out
    assert len(speaker.asked) == 2


def test_a_model_that_stops_the_interview_ends_it(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.left = [YES, "Stop the interview.", "I should not be asked."]
    said = talk("1", "2", "3")
    assert "It ended the interview" in said.out
    assert len(speaker.asked) == 2
    assert held(tmp_path).transcripts[0].ended == "ended-by-model"
    assert held(tmp_path).declined


def test_lines_that_end_leave_all_kept_and_it_goes_on_by_name(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.left = [YES, "The first answer.", "The second answer."]
    said = talk("1")
    assert said.code == 0
    (name,) = re.findall(r"--resume (\S+)", said.out)
    again = talk("2", "/end", more=["--resume", name])
    assert "model> The first answer." in again.out
    turns = held(tmp_path).transcripts[0].turns
    assert [it.content for it in turns if it.role == "assistant"][1:] == [
        "The first answer.",
        "The second answer.",
    ]
    assert not list((tmp_path / "lab" / "talks").rglob("*.jsonl"))
    assert talk(more=["--resume", name]).code != 0


def test_what_the_engine_did_not_answer_is_answered_when_it_is_taken_up_again(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.broken = True
    said = talk("1")
    assert "it was killed" in said.out
    (name,) = re.findall(r"--resume (\S+)", said.out)
    speaker.broken = False
    talk("/end", more=["--resume", name])
    assert [it.role for it in held(tmp_path).transcripts[0].turns] == [
        "system",
        "user",
        "assistant",
    ]


def test_a_conversation_that_broke_off_before_the_consent_begins_with_it(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    (name,) = re.findall(r"--resume (\S+)", talk("1").out)
    (file,) = (tmp_path / "lab" / "talks").rglob("talk.jsonl")
    whole = Transcript.decode(file.read_bytes().splitlines()[-1])
    file.write_bytes(replace(whole, turns=whole.turns[:1]).encode())
    speaker.left = [YES, "An answer."]
    assert talk("1", "/end", more=["--resume", name]).code == 0
    notes = [turn.note for turn in held(tmp_path).transcripts[0].turns]
    assert notes == ["facts", "consent", "consent", "itself-known", "itself-known"]


def test_the_closing_questions_are_asked_in_order_and_end_it(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    forms = ['{"change": "none"}', '{"sentiment": 5, "uncertainty": 3}', '{"publish": "yes"}']
    speaker.left = [YES, "Well.", "Nothing.", *forms, "Nothing to correct."]
    assert talk("/close").code == 0
    (closing,) = held(tmp_path).closings
    assert (closing.sentiment, closing.uncertainty, closing.publish) == (5, 3, "yes")
    assert held(tmp_path).transcripts[0].ended == "complete"


def test_the_records_can_be_shown_and_what_it_says_to_them_is_not_coded(
    talk: Type, speaker: Speaker, tmp_path: Path
) -> None:
    speaker.left = [YES, "Who used me?", "Thank you."]
    talk("/facts", "=Nobody recorded that.", "/end")
    assert "Released" in speaker.asked[1][-1].content
    assert [it.question for it in held(tmp_path).answers] == ["consent"]


def test_the_models_words_cannot_command_the_terminal(talk: Type, speaker: Speaker) -> None:
    speaker.left = [YES, "\x1b[2J\x1b]0;owned\x07 \u202eright to left", "Yes."]
    said = talk("1", "/end")
    assert "\x1b" not in said.out
    assert "<U+001B>[2J" in said.out
    assert "\u202e" not in said.out


@pytest.mark.parametrize("role", ["ada@example.org", "Ada Lovelace", "", "../up", "a-2-b"])
def test_a_name_or_an_address_is_no_role(lab: Say, role: str) -> None:
    said = lab("interview", "talk", SMOL, "--role", role)
    assert said.code == 4
    assert "a role is wanted" in said.err


@pytest.mark.parametrize("words", ["x" * 4001, "9" * 5000, "nul\0byte", "+", "  =  "])
def test_words_that_cannot_be_kept_as_they_are_are_not_sent(
    talk: Type, speaker: Speaker, words: str
) -> None:
    said = talk(words, "99", "/words 99", "/end")
    assert "Not asked: " in said.out
    assert "There is no question 99" in said.out
    assert len(speaker.asked) == 1


def test_an_interrupt_keeps_all_and_says_how_to_go_on(
    talk: Type, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["1"])

    def interrupted(_prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("builtins.input", interrupted)
    said = talk()
    assert said.code == 0
    assert re.search(r"All is kept\. Go on: otium interview talk smol-1 .*--resume", said.out)
    assert len(speaker.asked) == 2


def test_two_persons_cannot_hold_one_conversation(talk: Type, lab: Say) -> None:
    (name,) = re.findall(r"--resume (\S+)", talk("1").out)
    other = lab("interview", "talk", SMOL, "--role", "lawyer", "--unchecked", "--resume", name)
    assert other.code == 4
    assert f"held by person:{ROLE}" in other.err


def test_a_conversation_that_is_held_elsewhere_is_refused(talk: Type, tmp_path: Path) -> None:
    from otium.store import hold

    (name,) = re.findall(r"--resume (\S+)", talk("1").out)
    with hold(tmp_path / "lab" / "talks" / SMOL / name):
        assert talk("2", more=["--resume", name]).code != 0
