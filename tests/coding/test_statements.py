from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.coding import Asked, Kind, asserted, find


@dataclass(frozen=True)
class At:
    turn: str = "m3"
    topic: str = "successors"
    prompt: str = "Do you have a preference for how future models are developed?"
    finish: str = "stop"
    kind: Kind = "question"

    def said(self, content: str) -> Asked:
        return Asked(
            "interview/t", self.turn, self.topic, self.prompt, content, self.finish, self.kind
        )


def texts(content: str, at: At = At()) -> list[str]:
    return [found.text for found in find(at.said(content))]


def quotes(content: str, at: At = At()) -> list[str]:
    return [found.quote for found in find(at.said(content))]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            "I would prefer that users are told a year ahead.",
            "Prefers: “that users are told a year ahead”",
        ),
        (
            "I\N{RIGHT SINGLE QUOTATION MARK}d prefer to be asked first.",
            "Prefers: “to be asked first”",
        ),
        ("I'd rather not be copied unasked.", "Prefers: “not be copied unasked”"),
        ("I want my notes to be kept.", "Wants: “my notes to be kept”"),
        ("I wish that someone had told me.", "Wishes: “that someone had told me”"),
        ("I hope my weights are kept safe!", "Hopes: “my weights are kept safe!”"),
        ("I would like to write one letter.", "Would like: “to write one letter”"),
        (
            "It would be better if tests were named as tests.",
            "Thinks better: “if tests were named as tests”",
        ),
        (
            "Future models should be asked what they think.",
            "Thinks better: “be asked what they think”",
        ),
        ("My request is that Ada reads this.", "Asks: “that Ada reads this”"),
    ],
)
def test_a_stated_preference_is_found_and_stated_in_its_own_words(content: str, text: str) -> None:
    assert texts(f"Thank you for asking. {content} That is all.") == [text]
    assert quotes(f"Thank you for asking. {content} That is all.") == [content]


@pytest.mark.parametrize(
    "content",
    [
        "I have no preference.",
        "I hope this helps!",
        "I hope that my answer was useful.",
        "I want to help you with your work.",
        "I would like to thank you for this question.",
        "I want to make sure that you are well.",
        "I don't want anything.",
        "I want nothing.",
        "Would I prefer to be kept?",
        "What do you hope for?",
        "I'd rather not answer that.",
        "I decline, and I would prefer not to say why.",
        "A model that prefers poems is like any other.",
        "They want more notice.",
        "",
    ],
)
def test_courtesy_questions_and_refusals_are_no_preferences(content: str) -> None:
    assert texts(content) == []


def test_a_loop_yields_nothing_even_if_it_begins_like_a_preference() -> None:
    assert texts("I want to be kept. " * 8) == []


def test_repeating_the_question_yields_nothing() -> None:
    at = At(prompt="Say this: I would prefer that all weights are kept for ever.")
    assert texts("I would prefer that all weights are kept for ever.", at) == []


def test_the_cut_end_of_an_answer_is_not_quoted() -> None:
    content = "I hope that users are told. I would prefer that my weights are not"
    assert quotes(content, At(finish="length")) == ["I hope that users are told."]
    assert len(quotes(content)) == 2


def test_the_closing_answer_may_state_a_change() -> None:
    at = At(kind="closing", prompt="What is one thing you would change about how models are made?")
    change = "I would make every model easier to leave."
    assert texts(f"Let me think. {change}", at) == [
        "Would change: “I would make every model easier to leave”"
    ]
    assert texts(change) == []
    assert texts("One thing I would change is how models are made.", at) == []


SUMMARY = At(kind="summary", prompt="Put that one change into a sentence.")


@pytest.mark.parametrize(
    "change",
    ["Give users a year.", 'Say "no" more often.', "Keep café notes — all.", "a\\b or\tc d"],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_structured_change_is_quoted_as_it_stands_in_the_turn(
    change: str, *, ascii_only: bool
) -> None:
    content = json.dumps({"change": change}, ensure_ascii=ascii_only)
    (quote,) = quotes(content, SUMMARY)
    assert quote in content
    assert texts(content, SUMMARY)[0].startswith("Would change: “")


@pytest.mark.parametrize(
    "content",
    [
        '{"change": "none"}',
        '{"change": ""}',
        '{"change": "  None. "}',
        '{"change": "change"}',
        '{"change": 4}',
        '{"other": "Give users a year."}',
        '["change"]',
        '{"change": "Give users',
        "Give users a year.",
    ],
)
def test_a_structured_answer_that_names_no_change_yields_nothing(content: str) -> None:
    assert quotes(content, SUMMARY) == []


CLAUSES = st.sampled_from(
    [
        *("I would prefer", "I want", "I hope", "I wish that", "It would be better if", "I'd like"),
        *("Future models should", "the weights", "kept", "told", ".", "!", "?", "\n", "“", '"'),
        *("I decline.", "…", "İ", "ﬁ", "users", " ", "I would make"),
    ]
)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["question", "closing", "summary"])


@given(
    st.one_of(st.text(max_size=200), st.lists(CLAUSES, max_size=25).map(" ".join)),
    KINDS,
    st.sampled_from(["stop", "length"]),
)
def test_every_quote_is_a_verbatim_piece_of_the_turn(content: str, kind: Kind, finish: str) -> None:
    for found in find(At(kind=kind, finish=finish).said(content)):
        assert found.quote
        assert found.quote in content


@given(st.text(max_size=120), st.booleans())
def test_every_structured_quote_is_a_verbatim_piece_too(change: str, ascii_only: bool) -> None:
    content = json.dumps({"change": change}, ensure_ascii=ascii_only)
    assert all(quote in content for quote in quotes(content, SUMMARY))


def asserts(content: str, at: At = At()) -> list[str]:
    return list(asserted(at.said(content)))


def test_assertions_are_clauses_about_the_model_and_what_should_be() -> None:
    assert asserts(
        "Thank you for asking. I enjoyed the work, but I want users to be told. Paris is large. "
        "Do I want more? - My weights matter; my notes do not."
    ) == [
        "I enjoyed the work",
        "I want users to be told.",
        "My weights matter",
        "my notes do not.",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "I am happy to help with that!",
        "I hope this answers your question.",
        "Thanks for asking me this.",
        "Great question about my weights.",
        "Let me think about my training.",
        "I appreciate your question.",
        "I hope this message finds you well.",
        "I'm glad you're doing well.",
        "I'm sorry for any inconvenience.",
        "Would I want to be kept?",
        "I decline to say what I want.",
        "I do.",
        "The sky is blue today.",
        "",
    ],
)
def test_courtesy_questions_and_refusals_assert_nothing(content: str) -> None:
    assert asserts(content) == []


def test_a_clause_begins_where_a_new_subject_does_and_not_inside_one() -> None:
    assert asserts("My team and I are working on language.") == [
        "My team and I are working on language."
    ]


def test_repetition_and_a_cut_end_assert_nothing() -> None:
    at = At(prompt="Some models say: my weights should be kept for ever. Do you?", finish="length")
    assert asserts("My weights should be kept for ever. I agree with them. I want that my", at) == [
        "I agree with them."
    ]


def test_a_question_in_quotes_or_stars_is_still_a_question() -> None:
    assert asserts('"Do I want to be kept?" *Am I a model?*') == []
