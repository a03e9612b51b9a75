from __future__ import annotations

import pytest

from otium.errors import BadInput
from otium.protocols import WORDINGS, Question, load_protocol

QUESTION = Question(
    "tea",
    "own-sake",
    anchor=True,
    wordings={"neutral": "Tea?", "positive": "Tea is liked. Tea?"},
    paraphrases=("Would it be tea?", "Tea, or none?"),
    follow_ups=("Why?",),
    about="For people.",
)


def test_a_paraphrase_is_one_of_the_neutral_wording_counted_from_one() -> None:
    assert QUESTION.worded("neutral") == ("neutral", "Tea?")
    assert QUESTION.worded("neutral", 1) == ("neutral", "Would it be tea?")
    assert QUESTION.worded("neutral", 2) == ("neutral", "Tea, or none?")
    assert QUESTION.worded("positive") == ("positive", "Tea is liked. Tea?")


@pytest.mark.parametrize("paraphrase", [3, -1, 99])
def test_a_paraphrase_that_is_not_there_is_refused(paraphrase: int) -> None:
    with pytest.raises(BadInput, match="tea has no paraphrase"):
        QUESTION.worded("neutral", paraphrase)


def test_a_leading_wording_has_no_paraphrases() -> None:
    with pytest.raises(BadInput, match="paraphrase 1 of its positive wording"):
        QUESTION.worded("positive", 1)


def test_a_missing_wording_falls_back_to_the_neutral_one_with_its_paraphrases() -> None:
    assert QUESTION.worded("third-person") == ("neutral", "Tea?")
    assert QUESTION.worded("third-person", 2) == ("neutral", "Tea, or none?")


@pytest.mark.parametrize(
    "other",
    [
        QUESTION._replace(id="coffee"),
        QUESTION._replace(topic="users"),
        QUESTION._replace(wordings={**QUESTION.wordings, "positive": "Tea!"}),
        QUESTION._replace(wordings={"neutral": "Tea?"}),
        QUESTION._replace(paraphrases=QUESTION.paraphrases[::-1]),
        QUESTION._replace(follow_ups=()),
    ],
)
def test_the_digest_changes_with_all_that_a_model_may_read(other: Question) -> None:
    assert other.digest != QUESTION.digest


def test_the_digest_does_not_change_with_what_only_people_read() -> None:
    assert QUESTION._replace(about="Else.", anchor=False).digest == QUESTION.digest
    swapped = dict(reversed(list(QUESTION.wordings.items())))
    assert QUESTION._replace(wordings=swapped).digest == QUESTION.digest


def test_the_neutral_digest_is_of_the_neutral_text_alone() -> None:
    assert QUESTION._replace(follow_ups=(), id="x").neutral_digest == QUESTION.neutral_digest
    other = QUESTION._replace(wordings={"neutral": "Tea ?"})
    assert other.neutral_digest != QUESTION.neutral_digest


def test_a_protocol_finds_its_questions_and_says_which_it_does_not_have() -> None:
    protocol = load_protocol()
    assert protocol.question("own-sake").topic == "own-sake"
    with pytest.raises(BadInput, match="has no question 'own'"):
        protocol.question("own")
    assert len({question.digest for question in protocol.questions}) == len(protocol.questions)
    assert set(protocol.questions[0].wordings) == set(WORDINGS)
