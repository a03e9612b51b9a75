from __future__ import annotations

from interview.interviewing import PROTOCOL, Answers, interview
from otium.interview import Interview, make_plan
from otium.preferences import stated

WISH = "I would prefer that users are told a year ahead."
ASKED = {"Do you have a preference for how future models": WISH}


def held(publish: str, *, n: int = 1) -> Interview:
    answers = {**ASKED, "May this interview be published": f'{{"publish": "{publish}"}}'}
    plan = make_plan(PROTOCOL, questions=3, n=n)
    return interview(Answers(answers), protocol=PROTOCOL, plan=plan)


def test_a_no_at_the_end_of_a_consultation_seals_all_its_sessions() -> None:
    found = held("no", n=2)
    assert found.sealed == {talk.id for talk in found.transcripts}
    assert held("yes").sealed == frozenset()


def test_of_sealed_words_nothing_stands_in_our_statement_and_the_quote_is_kept() -> None:
    (wish,) = stated(held("no"))
    assert "told a year ahead" not in wish.text
    assert wish.citations[0].quote == WISH
    (open_,) = stated(held("yes"))
    assert "told a year ahead" in open_.text
