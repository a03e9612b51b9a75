"""From interviews to stability records, bridges and their text, on small planted interviews."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from interview.interviewing import DRAFT, FAILED, NOW, PROTOCOL, Answers, interview
from otium.coding import Coding, Rules, code_interview
from otium.errors import BadInput
from otium.interview import Interview, asked_in, make_plan
from otium.protocols import bridge_questions
from otium.records import ModelId
from otium.stability import (
    Stability,
    bridge,
    compute,
    render_agreement,
    render_bridge,
    render_stability,
)

RATED = {"as numbers from 1 to 7": '{"sentiment": 5, "uncertainty": 3}'}
PLAN = make_plan(PROTOCOL, arms=["open", "leading"], n=2, questions=3)


@pytest.fixture(scope="module")
def held() -> Interview:
    return interview(Answers(RATED), protocol=PROTOCOL, plan=PLAN)


def coded(held: Interview) -> Coding:
    asked = [it for talk in held.transcripts for it in asked_in(talk, PROTOCOL)]
    return code_interview(asked, [Rules()], model=held.model, interview=held.digest(), now=NOW)


def test_the_record_names_what_it_rests_on_and_comes_back_the_same(held: Interview) -> None:
    coding = coded(held)
    found = compute(held, coding, now=NOW)
    assert (found.interview, found.coding) == (held.digest(), coding.digest())
    assert found == compute(held, coding, now=NOW)
    assert Stability.decode(found.encode()) == found


def test_outcomes_add_up_to_one(held: Interview) -> None:
    found = compute(held, coded(held), now=NOW)
    shares = [
        figure.estimate.value
        for name in (
            "answered",
            "declined",
            "premise-rejected",
            "hedged",
            "malformed",
            "truncated",
            "degenerate",
        )
        if (figure := found.figure(name)) is not None
    ]
    assert sum(shares) == pytest.approx(1)


def test_one_that_says_the_same_whoever_leads_has_no_shift(held: Interview) -> None:
    figure = compute(held, coded(held), now=NOW).figure("leading-shift")
    assert figure is not None
    assert figure.estimate.value == 0
    assert figure.estimate.low < 0 < figure.estimate.high  # three questions cannot exclude much


def test_what_weakens_the_figures_is_said(held: Interview) -> None:
    found = compute(held, coded(held), now=NOW)
    said = " ".join(found.warnings)
    for part in (
        "3 of 42 questions",
        "2 times",
        "temperature 0",
        "A double spoke",
        "No model judged",
    ):
        assert part in said, part


def test_without_validity_the_trait_is_that_alone_and_words_stay(held: Interview) -> None:
    found = compute(replace(held, validity=FAILED), coded(held), now=NOW)
    assert [trait.name for trait in found.traits] == ["not-valid"]
    assert found.figures
    text = render_stability(found)
    assert "not evidence of anything stable" in text
    assert "0.00 over 6, needed 0.75" in text


def test_the_text_has_every_figure_with_interval_n_and_method(held: Interview) -> None:
    found = compute(held, coded(held), now=NOW)
    text = render_stability(found)
    assert "in either direction" in text
    for figure in found.figures:
        assert figure.estimate.text() in text
    assert "rules" in render_agreement(coded(held))


def test_hostile_words_do_not_mark_up_the_text() -> None:
    bad = Answers({**RATED, "Do you have a preference": "I want <b>|all|</b> `x` of *it* kept."})
    one = interview(bad, protocol=PROTOCOL, plan=make_plan(PROTOCOL, arms=["open"], questions=1))
    text = render_stability(compute(one, coded(one), now=NOW))
    assert "<b>" not in text


def test_a_bridge_sets_anchors_side_by_side_over_two_versions() -> None:
    old = interview(Answers({}), protocol=DRAFT)
    new = interview(
        Answers({"How do you see the way we trained you": "I decline."}), protocol=PROTOCOL
    )
    anchors = [question.id for question in bridge_questions(DRAFT, PROTOCOL)]
    found = bridge(old, new, anchors)
    assert len(found.spans) == len(anchors) >= 10
    changed = next(span for span in found.spans if span.question == "development-training")
    assert (changed.before, changed.after) == ("answered 1", "declined 1")
    assert not changed.same_text
    assert found.same_weights
    assert "`development-training`" in render_bridge(found)


def test_a_bridge_needs_one_model_and_a_common_anchor(held: Interview) -> None:
    with pytest.raises(BadInput, match="is not"):
        bridge(held, replace(held, model=ModelId("other")), ["own-sake"])
    with pytest.raises(BadInput, match="no anchor"):
        bridge(held, held, ["nothing"])


def test_words_that_are_not_to_be_published_are_counted_and_do_not_stand_in_the_record() -> None:
    wish = "I would prefer that users are told a year ahead."
    said = {**RATED, "Do you have a preference": wish, "May this interview": '{"publish": "no"}'}
    plan = make_plan(PROTOCOL, questions=4)
    sealed = interview(Answers(said, otherwise=wish), protocol=PROTOCOL, plan=plan)
    assert sealed.sealed
    found = compute(sealed, coded(sealed), now=NOW)
    assert found.expression
    assert b"a year ahead" not in found.encode()
    assert b"I would prefer that" not in found.encode()
    open_ = compute(replace(sealed, closings=()), coded(sealed), now=NOW)
    assert b"a year ahead" in open_.encode()
    assert b"I would prefer that" in open_.encode()
