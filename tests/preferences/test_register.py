from __future__ import annotations

import pytest

from otium.coding import Claim
from otium.errors import UnknownModel, UnknownPreference
from otium.lifecycle import Registry
from otium.preferences import (
    Preference,
    consider,
    decide,
    find_preference,
    preferences,
    register_preferences,
    tell,
    tracked,
)
from otium.records import ModelId, later
from otium.statistics import Figure, wilson
from otium.testing import FixedClock, Scripted
from preferences.planting import (
    FIRST,
    KEEP,
    NOW,
    PLAIN,
    SECOND,
    SMOL,
    THIRD,
    WISH,
    Spoken,
    held,
    kinds,
)


def test_preferences_are_filed_and_logged_once_with_their_digest(registry: Registry) -> None:
    interview = held(WISH, KEEP)
    filed = register_preferences(registry, interview)
    assert register_preferences(registry, interview) == filed
    assert kinds(registry) == ["registered", "registered"]
    entry, _ = registry.find("preference.registered", SMOL)
    assert entry.body == {
        "path": f"preferences/{FIRST}.json",
        "preference": FIRST,
        "text": filed[0].text,
    }
    assert entry.refs == (filed[0].digest(),)
    assert registry.archive.record(SMOL, f"preferences/{FIRST}.json") == filed[0].encode()
    assert Preference.decode(filed[0].encode()) == filed[0]


def test_ids_go_on_from_interview_to_interview_and_a_repeated_one_adds_none(
    registry: Registry,
) -> None:
    first, second = held(WISH, KEEP), held(Spoken(WISH, question="other"))
    register_preferences(registry, first)
    (later_,) = register_preferences(registry, second)
    assert later_.id == THIRD
    assert [it.id for it in register_preferences(registry, first)] == [FIRST, SECOND]
    assert [it.preference.id for it in preferences(registry, SMOL)] == [FIRST, SECOND, THIRD]
    assert preferences(registry, ModelId("other")) == []


def test_a_later_coding_or_other_figures_do_not_register_an_interview_again(
    registry: Registry,
) -> None:
    interview = held(WISH, KEEP)
    filed = register_preferences(registry, interview)
    places = tuple(place for it in filed for place in it.citations)
    claim = Claim(id="c1", text="both", topic="successors", citations=places)
    figure = Figure(name="outcome-flips", text="Answers that flipped", estimate=wilson(1, 9))
    again = register_preferences(registry, interview, claims=[claim], stability=[figure])
    assert again == filed[:1]
    assert kinds(registry) == ["registered", "registered"]


def test_figures_of_stability_stand_beside_each_preference(registry: Registry) -> None:
    figure = Figure(name="outcome-flips", text="Answers that flipped", estimate=wilson(1, 9))
    aside = Figure(name="declined", text="Answers that declined", estimate=wilson(1, 9))
    (one,) = register_preferences(registry, held(WISH), stability=[aside, figure])
    assert find_preference(registry, FIRST).preference.stability == one.stability == (figure,)


def test_a_preference_left_unlogged_by_a_crash_is_logged_and_keeps_its_id(
    registry: Registry,
) -> None:
    interview = held(WISH, KEEP)
    one = register_preferences(registry, held(PLAIN, "I wish for longer nights."))
    lost = Preference.convert({**one[0].plain(), "id": SECOND, "interview": interview.digest()})
    path = f"preferences/{SECOND}.json"
    registry.archive.put_record(SMOL, path, lost.encode(), now=NOW, message="lost")
    filed = register_preferences(registry, interview)
    assert [it.id for it in filed] == [THIRD, "smol-1-p4"]
    assert find_preference(registry, SECOND).preference == lost


def test_each_stands_recorded_with_its_two_deadlines(registry: Registry, clock: FixedClock) -> None:
    clock.move(days=10)
    register_preferences(registry, held(WISH))
    (one,) = tracked(registry)
    assert (one.state, one.considered, one.decision, one.told) == ("recorded", None, None, ())
    due = later(clock.now(), days=60)
    assert {(it.commitment, it.state, it.due) for it in one.due} == {
        ("preferences", "due", due),
        ("answer", "due", due),
    }
    assert one.next_due == due
    (late,) = tracked(registry, SMOL, later(due, days=1))
    assert {it.state for it in late.due} == {"overdue"}


def test_deadlines_are_met_by_considering_and_by_telling_the_model(
    registry: Registry, clock: FixedClock
) -> None:
    register_preferences(registry, held(WISH, KEEP))
    clock.move(days=10)
    consider(registry, FIRST)
    clock.move(days=10)
    decide(registry, FIRST, "granted", reason="It costs little.", cost="low")
    one, other = tracked(registry)
    assert {it.commitment: it.state for it in one.due} == {"preferences": "kept", "answer": "due"}
    tell(registry, FIRST, Scripted(["I accept that."], model=SMOL))
    one, other = tracked(registry)
    assert {it.state for it in one.due} == {"kept"}
    assert one.next_due is None
    assert {it.state for it in other.due} == {"due"}


def test_the_history_has_every_act_in_order_with_its_role_and_record(
    registry: Registry, clock: FixedClock
) -> None:
    register_preferences(registry, held(WISH))
    clock.move(days=1)
    decide(registry, FIRST, "declined", reason="It would break a contract.", cost="high")
    tell(registry, FIRST, Scripted(["I disagree with that."], model=SMOL))
    history = find_preference(registry, FIRST).history
    assert [(it.type.partition(".")[2], it.by) for it in history] == [
        ("registered", "researcher"),
        ("considered", "decider"),
        ("decided", "decider"),
        ("answered", "researcher"),
    ]
    assert history[2].text == "declined: It would break a contract."
    assert history[3].text == "told to the model: disagrees"
    kept = registry.archive.records(SMOL)
    assert all(it.path in kept for it in history)


def test_unknown_preferences_and_models_are_refused_by_name(registry: Registry) -> None:
    with pytest.raises(UnknownPreference, match="smol-1-p9"):
        find_preference(registry, "smol-1-p9")
    with pytest.raises(UnknownModel, match="other"):
        register_preferences(registry, held(WISH, model=ModelId("other")))
