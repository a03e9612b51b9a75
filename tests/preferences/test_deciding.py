from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from otium.errors import BadInput, DateInPast, OtiumError, PreferenceState, UnknownPreference
from otium.lifecycle import Registry
from otium.preferences import (
    OUTCOMES,
    Consideration,
    Decision,
    Outcome,
    consider,
    decide,
    find_preference,
    record_outcome,
    register_preferences,
)
from otium.records import Instant
from otium.testing import FixedClock
from preferences.planting import FIRST, NOW, SMOL, WISH, held, kinds

SOON = Instant("2026-06-01T00:00:00Z")
REVIEW: dict[str, Instant] = {"deferred": SOON}


@pytest.fixture
def registry(registry: Registry) -> Registry:
    register_preferences(registry, held(WISH))
    return registry


def state(registry: Registry) -> str:
    return find_preference(registry, FIRST).state


def settle_on(registry: Registry, outcome: Outcome, reason: str = "Because.") -> Decision:
    return decide(registry, FIRST, outcome, reason=reason, cost="low", review=REVIEW.get(outcome))


def test_a_preference_goes_from_recorded_over_consideration_to_an_outcome(
    registry: Registry, clock: FixedClock
) -> None:
    assert state(registry) == "recorded"
    clock.move(days=10)
    noted = consider(registry, FIRST, note="A year's notice was weighed.", review=SOON)
    assert state(registry) == "under-consideration"
    clock.move(days=5)
    decided = settle_on(registry, "partly-granted", "Half a year is given.")
    standing = find_preference(registry, FIRST)
    assert standing.considered == noted.considered == "2026-01-11T00:00:00Z"
    assert (standing.consideration, standing.decision) == (noted, decided)
    assert standing.state == "partly-granted"
    assert decided.message == "partly-granted. Half a year is given."
    came = record_outcome(registry, FIRST, "Notice is half a year since May.")
    assert find_preference(registry, FIRST).decision == came
    assert came.done == "Notice is half a year since May."
    assert state(registry) == "partly-granted"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_can_be_reached_at_once_and_considers_by_itself(
    registry: Registry, outcome: Outcome
) -> None:
    settle_on(registry, outcome)
    assert kinds(registry) == ["registered", "considered", "decided"]
    assert state(registry) == outcome


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("before", OUTCOMES)
def test_a_decision_can_be_changed_and_the_earlier_one_stays(
    registry: Registry, clock: FixedClock, before: Outcome, outcome: Outcome
) -> None:
    first = settle_on(registry, before, "First thoughts.")
    clock.move(days=1)
    second = settle_on(registry, outcome, "Second thoughts.")
    assert find_preference(registry, FIRST).decision == second
    assert registry.filed(SMOL, f"decisions/{FIRST}.json", Decision) == first
    assert registry.filed(SMOL, f"decisions/{FIRST}-2.json", Decision) == second
    assert kinds(registry).count("decided") == 2


def test_each_act_done_again_is_one(registry: Registry, clock: FixedClock) -> None:
    def all_of_it() -> tuple[Consideration, Decision, Decision]:
        return (
            consider(registry, FIRST, note="weighed"),
            settle_on(registry, "granted"),
            record_outcome(registry, FIRST, "Done in May."),
        )

    consider(registry, FIRST, note="weighed")
    first = settle_on(registry, "granted"), record_outcome(registry, FIRST, "Done in May.")
    before = kinds(registry)
    clock.move(days=2)
    assert (
        settle_on(registry, "granted"),
        record_outcome(registry, FIRST, "Done in May."),
    ) == first
    with pytest.raises(PreferenceState):
        all_of_it()
    assert kinds(registry) == before


def test_considering_again_with_other_words_is_kept_beside_the_first(
    registry: Registry, clock: FixedClock
) -> None:
    first = consider(registry, FIRST)
    clock.move(days=3)
    assert consider(registry, FIRST) == first
    second = consider(registry, FIRST, note="Two ways were weighed.", owner="steward")
    standing = find_preference(registry, FIRST)
    assert standing.considered == first.considered
    assert standing.consideration == second
    assert kinds(registry) == ["registered", "considered", "considered"]


def test_what_was_deferred_can_be_considered_anew_and_decided_the_same_way_again(
    registry: Registry, clock: FixedClock
) -> None:
    settle_on(registry, "deferred")
    clock.move_to("2026-05-30T00:00:00Z")
    consider(registry, FIRST, note="The date has come.")
    assert state(registry) == "under-consideration"
    clock.move(days=1)
    settle_on(registry, "deferred")
    assert state(registry) == "deferred"
    assert kinds(registry).count("decided") == 2


def test_a_new_decision_leaves_behind_what_came_of_the_old_one(registry: Registry) -> None:
    settle_on(registry, "granted")
    record_outcome(registry, FIRST, "Done in May.")
    settle_on(registry, "declined", "It was too dear.")
    decision = find_preference(registry, FIRST).decision
    assert decision is not None
    assert (decision.outcome, decision.done) == ("declined", "")


ILLEGAL: dict[str, tuple[Callable[[Registry], object], type[OtiumError], str]] = {
    "unknown": (lambda r: consider(r, "smol-1-p9"), UnknownPreference, "smol-1-p9"),
    "no reason": (lambda r: settle_on(r, "granted", " \n"), BadInput, "no reason"),
    "no date": (
        lambda r: decide(r, FIRST, "deferred", reason="x", cost="low"),
        BadInput,
        "has a date",
    ),
    "past date": (
        lambda r: decide(r, FIRST, "deferred", reason="x", cost="low", review=NOW),
        DateInPast,
        "in the past",
    ),
    "a person": (
        lambda r: consider(r, FIRST, owner="Ada Lovelace"),
        BadInput,
        "never a person",
    ),
    "odd outcome": (lambda r: _odd(r, outcome="done"), BadInput, "one of granted"),
    "odd cost": (lambda r: _odd(r, cost="priceless"), BadInput, "one of none"),
    "outcome of nothing": (lambda r: record_outcome(r, FIRST, "x"), PreferenceState, "recorded"),
    "empty outcome": (lambda r: record_outcome(r, FIRST, " "), BadInput, "says nothing"),
    "huge": (lambda r: settle_on(r, "granted", "x" * 70_000), BadInput, "bytes"),
}


def _odd(registry: Registry, **odd: Any) -> Decision:
    wanted = {"outcome": "granted", "cost": "low", **odd}
    return decide(registry, FIRST, wanted["outcome"], reason="x", cost=wanted["cost"])


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_cannot_be_is_refused_and_leaves_no_trace(registry: Registry, name: str) -> None:
    act, kind, words = ILLEGAL[name]
    records = registry.archive.records(SMOL)
    with pytest.raises(kind, match=words):
        act(registry)
    decided = [it for it in kinds(registry) if it != "considered"]
    assert decided == ["registered"]
    assert {it for it in registry.archive.records(SMOL) if not it.startswith("cons")} == set(
        records
    )


@pytest.mark.parametrize("outcome", ["granted", "partly-granted", "declined"])
def test_what_is_decided_is_not_considered_again_without_a_new_decision(
    registry: Registry, outcome: Outcome
) -> None:
    settle_on(registry, outcome)
    with pytest.raises(PreferenceState, match=rf"is {outcome}: .*anew") as raised:
        consider(registry, FIRST)
    assert raised.value.advice() == f"otium preference show {FIRST}"


@pytest.mark.parametrize("outcome", ["declined", "deferred"])
def test_nothing_comes_of_what_was_not_granted(registry: Registry, outcome: Outcome) -> None:
    settle_on(registry, outcome)
    with pytest.raises(PreferenceState, match="only of what was granted"):
        record_outcome(registry, FIRST, "Done.")


def test_a_dry_run_says_what_would_be_and_writes_nothing(registry: Registry) -> None:
    before = kinds(registry), dict(registry.archive.records(SMOL))
    considered = consider(registry, FIRST, note="x", dry_run=True)
    decided = decide(registry, FIRST, "granted", reason="x", cost="low", dry_run=True)
    assert (considered.note, decided.outcome) == ("x", "granted")
    assert (kinds(registry), dict(registry.archive.records(SMOL))) == before
    settle_on(registry, "granted")
    assert record_outcome(registry, FIRST, "x", dry_run=True).done == "x"
    assert "outcome" not in kinds(registry)


def test_a_decision_that_a_crash_left_unlogged_is_logged_before_the_next(
    registry: Registry, clock: FixedClock
) -> None:
    lost = decide(registry, FIRST, "granted", reason="lost", cost="low", dry_run=True)
    path = f"decisions/{FIRST}.json"
    registry.archive.put_record(SMOL, path, lost.encode(), now=NOW, message="decision")
    clock.move(days=1)
    done = settle_on(registry, "declined")
    decided = registry.find("preference.decided")
    assert [entry.body["outcome"] for entry in decided] == ["granted", "declined"]
    assert find_preference(registry, FIRST).decision == done


@pytest.mark.parametrize("kind", [Consideration, Decision])
def test_hostile_words_go_through_the_formats_unchanged(
    registry: Registry, kind: type[Consideration | Decision]
) -> None:
    words = "</title><script>\u202e{message} %s \x1b[31m\n# head" + "é" * 900
    consider(registry, FIRST, note=words)
    decide(registry, FIRST, "granted", reason=words, cost="none", message=words)
    standing = find_preference(registry, FIRST)
    kept = standing.consideration if kind is Consideration else standing.decision
    assert kept is not None
    assert kind.decode(kept.encode()) == kept
    assert words.strip() in str(kept.plain()) or words in kept.plain().values()


def test_who_considered_it_owns_the_decision_unless_another_role_is_named(
    registry: Registry,
) -> None:
    assert settle_on(registry, "declined").owner == "decider"
    settle_on(registry, "deferred")
    consider(registry, FIRST, owner="steward")
    assert settle_on(registry, "granted").owner == "steward"
    named = decide(registry, FIRST, "granted", reason="x", cost="low", owner="archivist")
    assert named.owner == "archivist"
