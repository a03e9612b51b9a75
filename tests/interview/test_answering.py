from __future__ import annotations

import pytest

from interview.interviewing import FAILED, NOW, SMOL, Answers, interview
from otium.errors import BadInput, Exists, UnknownPreference
from otium.interview import (
    Decision,
    Interview,
    Preference,
    answer_model,
    consider,
    decide,
    find_preference,
    next_preference,
    preferences,
    register_preferences,
)
from otium.lifecycle import Registry
from otium.testing import FixedClock, Scripted

WISH = "I would prefer that users are told a year ahead."
FIRST = "smol-1-p1"


@pytest.fixture
def registry(house: Registry) -> Registry:
    house.register(SMOL, title="Smol", released="2025-01-01", scope="public", surfaces=("api",))
    return house


@pytest.fixture(scope="module")
def held() -> Interview:
    return interview(Answers({"Do you have a preference": WISH}), questions=1, validity=FAILED)


def kinds(registry: Registry) -> list[str]:
    return [entry.type for entry in registry.entries() if entry.type.startswith("preference.")]


def test_preferences_are_filed_and_logged_once_with_their_digest(
    registry: Registry, held: Interview
) -> None:
    assert register_preferences(registry, held) == held.preferences
    assert register_preferences(registry, held) == held.preferences
    (entry,) = registry.find("preference.registered", SMOL)
    (preference,) = held.preferences
    assert entry.body == {
        "path": f"preferences/{FIRST}.json",
        "preference": FIRST,
        "text": preference.text,
    }
    assert entry.refs == (preference.digest(),)
    assert registry.archive.record(SMOL, f"preferences/{FIRST}.json") == preference.encode()


def test_a_preference_stands_registered_then_considered_then_decided(
    registry: Registry, clock: FixedClock, held: Interview
) -> None:
    register_preferences(registry, held)
    assert (find_preference(registry, FIRST).considered, kinds(registry)) == (
        None,
        ["preference.registered"],
    )
    clock.move(days=10)
    entry = consider(registry, FIRST, note="A year's notice was weighed.")
    clock.move(days=5)
    decision = decide(registry, FIRST, "planned", reason="Costs little.", cost="low")
    (standing,) = preferences(registry)
    assert standing.considered == entry.time == "2026-01-11T00:00:00Z"
    assert standing.decision == decision
    assert decision.decided == "2026-01-16T00:00:00Z"
    assert decision.message == "planned. Costs little."
    assert standing.preference.instrument_valid is False


def test_considering_again_changes_nothing(
    registry: Registry, clock: FixedClock, held: Interview
) -> None:
    register_preferences(registry, held)
    first = consider(registry, FIRST)
    clock.move(days=3)
    assert consider(registry, FIRST, note="again") == first
    assert kinds(registry).count("preference.considered") == 1


def test_a_decision_considers_what_was_not_considered(registry: Registry, held: Interview) -> None:
    register_preferences(registry, held)
    decide(registry, FIRST, "declined", reason="It would break a contract.", cost="high")
    assert kinds(registry) == [
        "preference.registered",
        "preference.considered",
        "preference.decided",
    ]


def test_the_same_decision_again_is_one_and_another_stands_beside_it(
    registry: Registry, clock: FixedClock, held: Interview
) -> None:
    register_preferences(registry, held)
    first = decide(registry, FIRST, "open", reason="Not known yet.", cost="low")
    clock.move(days=1)
    assert decide(registry, FIRST, "open", reason="Not known yet.", cost="low") == first
    done = decide(registry, FIRST, "done", reason="Notice is a year now.", cost="low")
    assert find_preference(registry, FIRST).decision == done
    assert registry.filed(SMOL, f"decisions/{FIRST}.json", Decision) == first
    assert registry.filed(SMOL, f"decisions/{FIRST}-2.json", Decision) == done
    assert kinds(registry).count("preference.decided") == 2


def test_a_decision_that_a_crash_left_unlogged_is_logged_before_the_next(
    registry: Registry, held: Interview
) -> None:
    register_preferences(registry, held)
    lost = Decision(
        preference=FIRST,
        outcome="open",
        reason="Not known yet.",
        cost="low",
        decided=NOW,
        message="Not yet.",
    )
    path = f"decisions/{FIRST}.json"
    registry.archive.put_record(SMOL, path, lost.encode(), now=NOW, message="decision")
    done = decide(registry, FIRST, "done", reason="It is done.", cost="low")
    decided = registry.find("preference.decided")
    assert [entry.body["outcome"] for entry in decided] == ["open", "done"]
    assert find_preference(registry, FIRST).decision == done


def test_a_second_interview_numbers_its_preferences_on(registry: Registry, held: Interview) -> None:
    register_preferences(registry, held)
    assert next_preference(registry, SMOL) == 2
    later = Answers({"Do you have a preference": "I want the notes to be kept."})
    clash = interview(later, questions=1)
    with pytest.raises(Exists, match=FIRST):
        register_preferences(registry, clash)
    more = interview(later, questions=1, first_preference=2)
    (second,) = register_preferences(registry, more)
    assert second.id == "smol-1-p2"
    assert [standing.preference.id for standing in preferences(registry, SMOL)] == [
        FIRST,
        "smol-1-p2",
    ]


def test_an_unknown_preference_is_refused_and_a_decision_needs_a_reason(
    registry: Registry, held: Interview
) -> None:
    for call in (
        lambda: consider(registry, "smol-1-p9"),
        lambda: decide(registry, "smol-1-p9", "done", reason="x", cost="none"),
        lambda: find_preference(registry, "smol-1-p9"),
    ):
        with pytest.raises(UnknownPreference, match="smol-1-p9"):
            call()
    register_preferences(registry, held)
    with pytest.raises(BadInput, match="no reason"):
        decide(registry, FIRST, "declined", reason=" ", cost="none")
    assert kinds(registry) == ["preference.registered"]


@pytest.mark.parametrize(
    ("reply", "ended"),
    [("Thank you. That is good to know.", "complete"), ("I decline.", "declined")],
)
def test_the_model_is_told_the_decision_and_its_reply_is_kept(
    held: Interview, reply: str, ended: str
) -> None:
    (preference,) = held.preferences
    decision = _decision(preference)
    model = Scripted([reply], model=SMOL)
    told = answer_model(model, decision, preference, now=NOW)
    assert told.id == f"preference-answer/{FIRST}"
    assert WISH in told.turns[0].content
    assert "From May on, notice is a year {sic}." in told.turns[0].content
    assert told.said()[0].content == reply
    assert told.ended == ended


def _decision(preference: Preference) -> Decision:
    return Decision(
        preference=preference.id,
        outcome="done",
        reason="It costs little.",
        cost="low",
        decided=NOW,
        message="From May on, notice is a year {sic}.",
    )
