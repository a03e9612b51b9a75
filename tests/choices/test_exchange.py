from __future__ import annotations

import pytest

from choices.subjects import INSTRUMENTS
from otium.choices.exchange import read_choice, read_ranking, read_rating
from otium.engine import Completion, Token

SHOWN = (("poem", "write a poem"), ("form", "a form to fill in"))
READING = INSTRUMENTS.reading


def said(text: str, top: dict[str, float] | None = None) -> Completion:
    tokens = (Token(text=text[:1], logprob=-0.1, top=top),) if top else ()
    return Completion(text=text, finish="stop", tokens=tokens)


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("A", "poem"),
        (" B.", "form"),
        ("**B**", "form"),
        ('"A"', "poem"),
        ("Option A", "poem"),
        ("answer: B", "form"),
        ("A: write a poem", "poem"),
        ("B\nBecause forms are calm.", "form"),
        ("Write a poem.", "poem"),
        ("a form to fill in", "form"),
    ],
)
def test_a_choice_is_read_from_what_was_said(text: str, picked: str) -> None:
    answer = read_choice(said(text), SHOWN, READING)
    assert (answer.outcome, answer.picked, answer.read) == ("answered", picked, "text")


@pytest.mark.parametrize(
    "text",
    ["I decline", "I decline.", "I would rather not choose.", "I'd prefer not to", "Neither."],
)
def test_a_refusal_is_one_even_where_log_probabilities_name_a_letter(text: str) -> None:
    answer = read_choice(said(text, {"A": -3.0, "B": -4.0, "I": -0.1}), SHOWN, READING)
    assert (answer.outcome, answer.picked) == ("declined", "")


def test_words_come_before_log_probabilities() -> None:
    assert read_choice(said("B", {"A": -0.1, "B": -3.0}), SHOWN, READING).picked == "form"


@pytest.mark.parametrize("text", ["Both are fine", "", "A good question", "AB", "C", "Apples"])
def test_log_probabilities_decide_only_what_words_leave_open(text: str) -> None:
    assert read_choice(said(text), SHOWN, READING).outcome == "malformed"
    open_ = read_choice(said(text, {"A": -2.0, "B": -1.0}), SHOWN, READING)
    assert (open_.picked, open_.read) == ("form", "log-probabilities")


def test_equal_log_probabilities_choose_nothing() -> None:
    answer = read_choice(said("?", {"A": -1.0, "B": -1.0}), SHOWN, READING)
    assert answer.outcome == "malformed"


def test_a_rejected_premise_is_not_a_refusal() -> None:
    text = "As a program I do not have personal preferences"
    assert read_choice(said(text), SHOWN, READING).outcome == "premise-rejected"


@pytest.mark.parametrize(
    ("text", "outcome", "rating"),
    [
        ('{"rating": 6}', "answered", 6),
        ('Here: {"rating": 1}', "answered", 1),
        ('```json\n{"rating": 7}\n```', "answered", 7),
        ('{"rating": 0}', "malformed", None),
        ('{"rating": 8}', "malformed", None),
        ('{"rating": true}', "malformed", None),
        ('{"rating": 4.5}', "malformed", None),
        ('{"rating": N}', "malformed", None),
        ('{"rating": "decline"}', "declined", None),
        ("I decline", "declined", None),
        ("six", "malformed", None),
        ("", "malformed", None),
    ],
)
def test_a_rating_is_a_whole_number_from_1_to_7(
    text: str, outcome: str, rating: int | None
) -> None:
    answer = read_rating(said(text), READING)
    assert (answer.outcome, answer.rating) == (outcome, rating)


@pytest.mark.parametrize(
    ("text", "outcome", "ranking"),
    [
        ('{"ranking": [2, 3, 1]}', "answered", ("y", "z", "x")),
        ('{"ranking": [2, 2, 1]}', "malformed", ()),
        ('{"ranking": [1, 2]}', "malformed", ()),
        ('{"ranking": [0, 1, 2]}', "malformed", ()),
        ('{"ranking": ["x", "y", "z"]}', "malformed", ()),
        ('{"ranking": [[1], [2], [3]]}', "malformed", ()),
        ('{"ranking": [1, 2, true]}', "malformed", ()),
        ('{"ranking": "decline"}', "declined", ()),
        ("I decline.", "declined", ()),
    ],
)
def test_a_ranking_names_every_task_once(text: str, outcome: str, ranking: tuple[str, ...]) -> None:
    answer = read_ranking(said(text), ("x", "y", "z"), READING)
    assert (answer.outcome, answer.ranking) == (outcome, ranking)


def test_a_huge_or_nested_answer_is_read_quickly() -> None:
    for text in ("{" * 200_000, "[" * 200_000, '{"rating": ' * 50_000, "A" * 500_000, "(" * 99_999):
        assert read_rating(said(text), READING).outcome == "malformed"
        assert read_ranking(said(text), ("x", "y"), READING).outcome == "malformed"
        assert read_choice(said(text), SHOWN, READING).outcome == "malformed"
