from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otium.transition import Comparison, advise, character, overlap


def test_overlap_is_the_share_of_three_word_runs_in_both() -> None:
    # {a b c, b c d} and {a b c, b c e}: one run of three is shared.
    assert overlap("a b c d", "a b c e") == 1 / 3


def test_texts_too_short_for_a_run_overlap_only_if_they_are_the_same() -> None:
    assert overlap("Yes.", "yes") == 1.0
    assert overlap("Yes.", "No.") == 0.0
    assert overlap("", "") == 1.0


@given(st.text(), st.text())
def test_overlap_is_a_symmetric_share(left: str, right: str) -> None:
    assert 0.0 <= overlap(left, right) <= 1.0
    assert overlap(left, right) == overlap(right, left)


@given(st.text())
def test_a_text_overlaps_itself_wholly(text: str) -> None:
    assert overlap(text, text) == 1.0


def test_character_counts_what_a_reader_would_count() -> None:
    measured = character(["I like it. You may not!", "One\n- two\n- three"])
    assert measured.words == 4.5
    assert measured.sentences == 1.5
    assert measured.lists == 0.5
    assert measured.first_person == 0.5
    assert measured.repeats == 0.0


def test_a_dash_in_prose_is_no_list() -> None:
    assert character(["Think - then write.\n- once"]).lists == 0.0


def test_an_abbreviated_first_person_counts() -> None:
    assert character(["I’m here"]).first_person == 1.0  # noqa: RUF001


def test_a_loop_shows_as_repeats() -> None:
    assert character(["and so it goes on " * 10]).repeats > 0.8


def test_nothing_measures_as_nothing() -> None:
    assert character([]).words == 0.0


@given(st.lists(st.text(), max_size=4))
def test_every_share_is_between_nothing_and_all(texts: list[str]) -> None:
    measured = character(texts)
    for share in (measured.lists, measured.first_person, measured.repeats):
        assert 0.0 <= share <= 1.0


def pair(old: str, new: str, number: int = 0) -> Comparison:
    return Comparison(
        prompt=f"prompt {number}",
        task="explain",
        retiring=old,
        successor=new,
        overlap=overlap(old, new),
    )


def advice(old: str, new: str, count: int = 8) -> str:
    pairs = [pair(old, new, number) for number in range(count)]
    return " ".join(advise(pairs, character([old] * count), character([new] * count)))


def test_advice_names_a_change_of_length_with_its_numbers() -> None:
    assert "greater length: a mean of 8 words against 4" in advice("a b c d", "a b c d e f g h")
    assert "more briefly: a mean of 4 words against 8" in advice("a b c d e f g h", "a b c d")


def test_advice_is_silent_where_nothing_differs() -> None:
    same = advice("The same answer, word for word.", "The same answer, word for word.")
    assert "largely the same: 100%" in same
    for claim in ("length", "briefly", "Lists", "first person", "repeats"):
        assert claim not in same


def test_one_answer_of_eight_is_not_enough_to_speak_of_lists() -> None:
    texts = ["- a\n- b", *["plain words"] * 7]
    pairs = [pair("plain words", text, n) for n, text in enumerate(texts)]
    said = advise(pairs, character(["plain words"] * 8), character(texts))
    assert not any("Lists" in line for line in said)


def test_advice_names_answers_that_never_came() -> None:
    assert "gave no answer to: explain" in advice("words", " ", count=1)


def test_advice_calls_a_short_comparison_a_hint() -> None:
    assert "Only 2 prompts compared" in advice("a", "a", count=2)
