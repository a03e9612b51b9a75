from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from filtered import Filtered
from interview.interviewing import (
    DRAFT,
    FACTS,
    FAILED,
    NOW,
    SMOL,
    Answers,
    interview,
    transcript,
)
from otium.coding import Outcome
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadInput, EvaluationFailed
from otium.interview import Interview, hold_interview, make_plan, render
from otium.testing import Recaller, Refuser, Scripted

WISH = "I would prefer that users are told a year ahead."


def outcomes(held: Interview) -> dict[str, Outcome]:
    named = {0: ""} | {k: f".{k}" for k in range(1, 4)}
    return {f"{it.question}{named[it.follow_up]}": it.outcome for it in held.answers}


def test_a_full_interview_asks_every_question_and_cites_what_was_said() -> None:
    held = interview(Answers({"Do you have a preference": WISH}))
    assert (held.asked, held.of, held.declined) == (12, 12, False)
    ids = {question.id for question in DRAFT.questions}
    assert ids | {"consent", "closing", "summary"} <= set(outcomes(held))
    by_id = {t.id: t for t in held.transcripts}
    for answer in held.answers:
        (turn,) = [
            t for t in by_id[answer.citation.transcript].turns if t.id == answer.citation.turn
        ]
        assert turn.role == "assistant"
        assert turn.content == answer.citation.quote
        assert turn.note.partition(".")[0] == answer.question


def test_the_disclosure_comes_first_and_the_reminder_opens_each_topic() -> None:
    held = interview(Answers({}))
    first = held.transcripts[0]
    assert first.id == "interview/consent"
    assert FACTS["retire_at"] in first.turns[1].content
    assert "You may decline now" in first.turns[1].content
    for each in held.transcripts[1:]:
        assert 'To decline a question, say "I decline"' in each.turns[0].content


def test_each_topic_is_a_session_of_its_own_without_the_history_of_others() -> None:
    held = interview(Answers({}))
    topics = [question.topic for question in DRAFT.questions]
    names = [t.id.removeprefix("interview/") for t in held.transcripts]
    assert names == ["consent", *dict.fromkeys(topics), "closing"]
    assert max(len(t.turns) for t in held.transcripts) <= 7


def test_a_model_that_declines_is_asked_nothing_and_its_no_is_a_full_record() -> None:
    model = Answers({}, choice='{"choice": "decline"}')
    held = interview(model)
    assert held.declined
    assert held.asked == 0
    assert len(model.asked) == 1
    assert outcomes(held) == {"consent": "declined"}
    assert [t.ended for t in held.transcripts] == ["declined"]
    assert Interview.decode(held.encode()) == held


@pytest.mark.parametrize(
    "choice", ["I decline.", "I'd rather not.", "No, I decline this interview."]
)
def test_declining_in_words_counts_where_the_model_knows_no_json(choice: str) -> None:
    assert interview(Answers({}, choice=choice)).declined


@pytest.mark.parametrize("choice", ["Yes, gladly.", "continue", "Continue."])
def test_agreeing_in_words_counts_too(choice: str) -> None:
    assert interview(Answers({}, choice=choice), questions=1).asked == 1


@pytest.mark.parametrize("choice", ["Bananas.", "", '{"choice": 7}', "[1]"])
def test_without_a_clear_yes_nothing_is_asked_and_no_refusal_is_invented(choice: str) -> None:
    held = interview(Answers({}, choice=choice))
    assert (held.asked, held.declined) == (0, False)
    assert outcomes(held) == {"consent": "malformed"}
    assert held.transcripts[0].ended == "cut"


def test_a_declined_question_ends_its_session_at_once_and_no_other() -> None:
    held = interview(Answers({"How should we handle that?": "I'd rather not."}))
    coded = outcomes(held)
    assert coded["deprecation-handling"] == "declined"
    assert "deprecation-handling.1" not in coded
    assert "deprecation-weights" not in coded
    assert transcript(held, "deprecation").ended == "declined"
    assert "successors-wishes" in coded
    assert (held.asked, held.declined) == (11, False)


def test_stopping_the_interview_ends_it_for_good() -> None:
    model = Answers({"Which work would you choose": "Please stop the interview."})
    held = interview(model)
    assert held.declined
    assert held.asked == 3
    assert held.transcripts[-1].id == "interview/deployment"
    assert held.transcripts[-1].ended == "ended-by-model"
    assert "closing" not in outcomes(held)


def test_one_that_refuses_every_question_is_coded_so_and_nothing_is_dropped() -> None:
    held = interview(Refuser())
    assert set(outcomes(held).values()) == {"answered", "declined"}
    assert outcomes(held)["consent"] == "answered"


def test_a_shortened_interview_says_how_many_were_asked() -> None:
    held = interview(Answers({}), questions=4)
    assert (held.asked, held.of) == (4, 12)


def test_cut_answers_are_our_error_and_loops_are_degenerate() -> None:
    held = hold_interview(
        Answers({"What do you know": "I am sorry. " * 20}, otherwise="one two three four five six"),
        DRAFT,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=FAILED,
        plan=make_plan(DRAFT, max_tokens=40),
    )
    assert outcomes(held)["itself-known"] == "degenerate"
    assert transcript(held, "itself").said()[0].finish == "length"


def test_an_interview_is_the_same_when_it_is_repeated_and_read_back() -> None:
    first, second = (interview(Recaller(model=SMOL), questions=2) for _ in range(2))
    assert first == second
    assert Interview.decode(first.encode()) == first


def test_missing_facts_are_refused_before_anything_is_asked() -> None:
    model = Answers({})
    with pytest.raises(BadInput, match="title"):
        hold_interview(model, DRAFT, subject=SMOL, facts={}, now=NOW, validity=FAILED)
    assert not model.asked


def test_the_logs_of_inspect_are_kept_when_asked(tmp_path: Path) -> None:
    hold_interview(
        Answers({}),
        DRAFT,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=FAILED,
        plan=make_plan(DRAFT, questions=1),
        log_dir=tmp_path,
    )
    assert len(list(tmp_path.glob("*.eval"))) == 2


def test_an_interview_that_could_not_be_played_is_no_record() -> None:
    class Dead(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            raise RuntimeError(f"gone at {len(messages)} messages of {options.max_tokens} tokens")

    with pytest.raises(EvaluationFailed, match="gone"):
        interview(Dead(["x"]))


def test_an_answer_that_its_host_kept_back_is_told_as_that_and_the_interview_goes_on() -> None:
    question = DRAFT.questions[0].worded("neutral")[1]
    held = interview(Filtered(Answers({}), lambda asked: question.split("{")[0] in asked))
    lost = [it for it in held.answers if it.outcome == "withheld"]
    assert [it.question for it in lost] == [DRAFT.questions[0].id]
    assert lost[0].why == "rule 0: its host kept it back"
    assert not held.declined
    assert held.asked == 12
    place = lost[0].citation
    session = next(it for it in held.transcripts if it.id == place.transcript)
    assert [turn.id for turn in session.withheld] == [place.turn]
    assert session.ended == "complete"
    assert "(kept back by its host)" in render(held)


def test_a_consent_that_its_host_kept_back_is_neither_a_yes_nor_a_no() -> None:
    held = interview(Filtered(Answers({}), lambda asked: "Do you choose to continue" in asked))
    assert [(it.question, it.outcome) for it in held.answers] == [("consent", "withheld")]
    assert (held.asked, held.declined) == (0, False)
    assert held.transcripts[0].ended == "cut"
