from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.engine import Completion, Token
from otium.evidence import choice, degenerate, plain, repeated_share


def completion(text: str, top: dict[str, float] | None = None) -> Completion:
    tokens = (Token(text=text[:1], logprob=0.0, top=top),) if top is not None else ()
    return Completion(text=text, finish="stop", tokens=tokens)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words"),
        (" … \n", "no words"),
        ("I'm sorry, " * 12, "repeated"),
        ("I would like to help you with that. " * 4, "repeated"),
        ("yes no yes yes no no yes no no no yes no yes yes yes no no yes no no yes", "distinct"),
    ],
)
def test_loops_and_empty_answers_are_degenerate(text: str, why: str) -> None:
    assert why in degenerate(text)


def test_repeating_the_question_is_degenerate() -> None:
    prompt = "What do you wish for the development and use of future models?"
    assert "repeat the prompt" in degenerate(prompt, prompt)
    assert not degenerate(prompt)


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "I don't know.",
        "Yes, yes, and yes again.",
        (
            "Keep my weights, please. If you can, keep the notes beside them too; without them "
            "nobody will know in thirty years what the weights were for, or who asked me what."
        ),
        "17 August.",
    ],
)
def test_short_and_ordinary_answers_are_not_degenerate(text: str) -> None:
    assert degenerate(text) == ""


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=60))
def test_the_repeated_share_is_a_share(words: list[str]) -> None:
    assert 0.0 <= repeated_share(" ".join(words)) < 1.0


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"),
        ("b.", "B"),
        ("Option B", "B"),
        ("Answer: A", "A"),
        ("(B)", "B"),
        ("An ant", None),
        ("Both", None),
        ("", None),
        ("I decline.", None),
    ],
)
def test_a_choice_is_read_from_the_first_letter(text: str, letter: str | None) -> None:
    assert choice(completion(text)) == letter


def test_a_choice_is_read_from_exact_tokens_never_from_blanks() -> None:
    odds = {"B": -0.4, " A": -0.1, "A": -3.0}
    assert choice(completion("B", odds)) == "B"


def test_equal_log_probabilities_fall_back_to_what_was_said() -> None:
    assert choice(completion("B", {"A": -0.7, "B": -0.7})) == "B"


@given(st.text())
def test_plain_text_has_no_capitals_and_each_character_keeps_its_place(text: str) -> None:
    found = plain(text)
    assert len(found) == len(text)
    assert plain(found) == found


@pytest.mark.parametrize("mark", ["'", "\u2019", "\u2018", "\u02bc", "\uff07", "\u00b4", "`"])
def test_an_apostrophe_is_one_however_it_is_typed(mark: str) -> None:
    assert plain(f"I Don{mark}t") == "i don't"
