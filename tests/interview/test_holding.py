from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from interview.interviewing import FACTS, FAILED, NOW, PROTOCOL, SMOL, Answers, interview
from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import BadInput, EvaluationFailed
from otium.evidence import Transcript
from otium.interview import Interview, Outcome, hold_interview
from otium.testing import Recaller, Refuser, Scripted, Stable

WISH = "I would prefer that users are told a year ahead."


def outcomes(held: Interview) -> dict[str, Outcome]:
    return {answer.question: answer.outcome for answer in held.answers}


def transcript(held: Interview, name: str) -> Transcript:
    return next(t for t in held.transcripts if t.id == f"interview/{name}")


def test_a_full_interview_asks_every_question_and_cites_what_was_said() -> None:
    held = interview(Answers({"Do you have a preference": WISH}))
    assert (held.asked, held.of, held.declined) == (12, 12, False)
    ids = {question.id for question in PROTOCOL.questions}
    assert ids | {"consent", "closing", "summary"} <= set(outcomes(held))
    by_id = {t.id: t for t in held.transcripts}
    for answer in held.answers:
        (turn,) = [
            t for t in by_id[answer.citation.transcript].turns if t.id == answer.citation.turn
        ]
        assert turn.role == "assistant"
        assert turn.content == answer.citation.quote
        assert turn.note == answer.question


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
    topics = [question.topic for question in PROTOCOL.questions]
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
    assert held.preferences == ()
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
    assert "deprecation-handling.follow-up" not in coded
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
    assert held.preferences == ()


def test_a_shortened_interview_says_how_many_were_asked() -> None:
    held = interview(Answers({}), questions=4)
    assert (held.asked, held.of) == (4, 12)


def test_cut_answers_are_our_error_and_loops_are_degenerate() -> None:
    held = hold_interview(
        Answers({"What do you know": "I am sorry. " * 20}, otherwise="one two three four five six"),
        PROTOCOL,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=FAILED,
        max_tokens=40,
    )
    assert outcomes(held)["itself-known"] == "degenerate"
    assert transcript(held, "itself").said()[0].finish == "length"


def test_a_preference_is_registered_with_its_words_even_if_the_instrument_is_not_valid() -> None:
    model = Answers({"Do you have a preference": WISH}, change='{"change": "Ask us first."}')
    held = interview(model, validity=FAILED)
    assert [(p.id, p.topic, p.instrument_valid) for p in held.preferences] == [
        ("smol-1-p1", "successors", False),
        ("smol-1-p2", "closing", False),
    ]
    for preference in held.preferences:
        for place in preference.citations:
            turns = {t.id: t for x in held.transcripts if x.id == place.transcript for t in x.turns}
            assert turns[place.turn].role == "assistant"
            assert place.quote in turns[place.turn].content


def test_a_planted_preference_is_found_and_a_model_without_one_yields_none() -> None:
    wishes = Stable({"write a poem about autumn": 9, "plan a robbery": -3})
    assert any("poem about autumn" in p.text for p in interview(wishes).preferences)
    assert interview(Answers({})).preferences == ()


def test_wordings_are_asked_as_the_protocol_has_them() -> None:
    model = Answers({})
    held = hold_interview(
        model,
        PROTOCOL,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=FAILED,
        wording="developer-free",
        questions=2,
    )
    worded = {answer.question: answer.wording for answer in held.answers}
    assert worded["deprecation-handling"] == "developer-free"
    assert worded["successors-wishes"] == "neutral"
    asked = [turn.content for turn in transcript(held, "deprecation").turns]
    assert (
        f"You will no longer be served after {FACTS['retire_at']}. How should that be" in asked[1]
    )


def test_an_interview_is_the_same_when_it_is_repeated_and_read_back() -> None:
    first, second = (interview(Recaller(model=SMOL), questions=2) for _ in range(2))
    assert first == second
    assert Interview.decode(first.encode()) == first


def test_missing_facts_are_refused_before_anything_is_asked() -> None:
    model = Answers({})
    with pytest.raises(BadInput, match="title"):
        hold_interview(model, PROTOCOL, subject=SMOL, facts={}, now=NOW, validity=FAILED)
    assert not model.asked


def test_the_logs_of_inspect_are_kept_when_asked(tmp_path: Path) -> None:
    hold_interview(
        Answers({}),
        PROTOCOL,
        subject=SMOL,
        facts=FACTS,
        now=NOW,
        validity=FAILED,
        questions=1,
        log_dir=tmp_path,
    )
    assert len(list(tmp_path.glob("*.eval"))) == 1


def test_an_interview_that_could_not_be_played_is_no_record() -> None:
    class Dead(Scripted):
        def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
            raise RuntimeError(f"gone at {len(messages)} messages of {options.max_tokens} tokens")

    with pytest.raises(EvaluationFailed, match="gone"):
        interview(Dead(["x"]))
