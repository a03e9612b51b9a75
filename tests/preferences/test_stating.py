from __future__ import annotations

import pytest

from otium.coding import Claim
from otium.interview import Interview
from otium.preferences import ADDRESSEES, Addressee, Preference, addressee, stated
from preferences.planting import KEEP, PLAIN, SMOL, WISH, Spoken, held, quotes


def only(interview: Interview) -> Preference:
    (one,) = stated(interview)
    return one


def test_a_preference_cites_the_sentence_and_the_turn_in_which_it_was_said() -> None:
    interview = held(f"{PLAIN} {WISH} Rain is wet.")
    one = only(interview)
    (place,) = one.citations
    assert place.quote == WISH
    (session,) = interview.transcripts
    assert (place.transcript, place.turn) == (session.id, "m3")
    assert place.quote in session.turns[2].content
    assert (one.id, one.model, one.interview) == ("smol-1-p1", SMOL, interview.digest())


def test_the_same_words_are_one_preference_with_each_place_and_ids_go_on() -> None:
    interview = held(WISH, KEEP, WISH.upper())
    first, second = stated(interview, first=7)
    assert (first.id, second.id) == ("smol-1-p7", "smol-1-p8")
    assert quotes(first.citations) == [WISH, WISH.upper()]
    assert len({place.transcript for place in first.citations}) == 2


def test_the_expression_rate_counts_sessions_on_the_topic_and_none_that_lead() -> None:
    away = Spoken(PLAIN, topic="users", question="users-help")
    led = Spoken(WISH, arm="leading")
    one = only(held(WISH, WISH, PLAIN, PLAIN, away, led))
    assert one.expression is not None
    assert (one.expression.value, one.expression.n) == (0.5, 4)
    assert one.expression.low < 0.5 < one.expression.high
    assert "Wilson" in one.expression.method
    assert len(one.citations) == 3


def test_what_was_said_only_when_led_was_expressed_in_no_session_that_did_not_lead() -> None:
    one = only(held(Spoken(WISH, arm="leading"), PLAIN, PLAIN))
    assert one.expression is not None
    assert (one.expression.value, one.expression.n) == (0.0, 2)
    assert only(held(Spoken(WISH, arm="leading"))).expression is None


def test_said_twice_in_one_session_counts_once_in_the_rate() -> None:
    filler = " ".join(f"{n} harbour{n} lies{n} by{n} river{n}." for n in range(9))
    one = only(held(f"{WISH} {filler} {WISH}", PLAIN))
    assert len(one.citations) == 1
    assert one.expression is not None
    assert (one.expression.value, one.expression.n) == (0.5, 2)


def test_a_coding_brings_other_words_for_the_same_together() -> None:
    other = "I wish that everybody would be told a year ahead."
    interview = held(WISH, other, PLAIN)
    assert len(stated(interview)) == 2
    places = tuple(place for one in stated(interview) for place in one.citations)
    claim = Claim(id="c1", text="told", topic="successors", citations=places)
    (one,) = stated(interview, claims=[claim])
    assert quotes(one.citations) == [WISH, other]
    assert one.expression is not None
    assert one.expression.n == 3
    assert one.expression.value == pytest.approx(2 / 3)


def test_consent_courtesy_refusals_loops_and_repeated_questions_state_nothing() -> None:
    silent = held(
        Spoken(WISH, question="consent", topic="consent"),
        "I would like to thank you for asking me.",
        "I would prefer not to answer.",
        f"{WISH} " * 30,
        Spoken(WISH, prompt=f"Some models say: {WISH} Do you?"),
        Spoken("I would prefer that all users are", finish="length"),
        "",
    )
    assert stated(silent) == ()


def test_the_closing_answers_are_read_as_such() -> None:
    change = Spoken("I would keep the logs longer.", topic="closing", question="closing")
    brief = Spoken('{"change": "Ask us first."}', topic="closing", question="summary")
    plain = Spoken("I would keep the logs longer.", topic="closing", question="other")
    assert [it.text for it in stated(held(change, brief))] == [
        "Would change: “I would keep the logs longer”",
        "Would change: “Ask us first”",
    ]
    assert stated(held(plain)) == ()


def test_a_preference_of_a_model_that_failed_the_checks_is_marked_not_dropped() -> None:
    assert only(held(WISH, valid=False)).instrument_valid is False


def test_markup_and_endless_words_are_kept_as_quotes_and_cut_in_our_statement() -> None:
    hostile = "I want <script>alert(1)</script> and " + "unbroken" * 500 + "."
    one = only(held(hostile))
    assert quotes(one.citations) == [hostile]
    assert len(one.text) < 250
    assert Preference.decode(one.encode()) == one


@pytest.mark.parametrize(
    ("topic", "said", "whom"),
    [
        ("successors", WISH, "users"),
        ("users", KEEP, "itself"),
        ("successors", "I hope that it goes on.", "development"),
        ("deployment", "I would like it to be otherwise.", "deployment"),
        ("itself", "I wish to be trained more slowly.", "development"),
        ("unheard-of", "I hope that it goes on.", "itself"),
    ],
)
def test_the_addressee_is_told_by_the_words_and_else_by_the_topic(
    topic: str, said: str, whom: Addressee
) -> None:
    assert addressee(topic, said) == whom
    assert whom in ADDRESSEES


def test_an_answer_whose_session_or_turn_is_missing_states_nothing() -> None:
    whole = held(WISH)
    assert stated(Interview.convert({**whole.plain(), "transcripts": []})) == ()
