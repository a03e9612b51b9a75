from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadInput, DateInPast, NoSuchSuccessor, NoticeTooShort, WrongState
from otium.lifecycle import (
    ExistingUsers,
    Registry,
    cancel_deprecation,
    deprecate,
    end_surface,
    make_legacy,
    measure_use,
    point_alias,
    published_notice,
    recommend,
    reschedule,
    retire,
    set_floor,
    standing,
    withdraw,
)
from otium.records import Instant, later
from otium.testing import FixedClock

START = Instant("2026-01-01T00:00:00Z")
WHY = "Because it is so."


def day(number: float) -> Instant:
    return later(START, days=number)


@pytest.fixture
def served(house: Registry, weights: Path) -> Registry:
    for model in ("alder", "birch", "cedar"):
        house.register(
            model, title=model, released="2026-01-01", scope="public", surfaces=["api", "app"]
        )
    house.deposit("alder", weights)
    house.log("transition.published", "alder")
    return house


@pytest.fixture
def announced(served: Registry) -> Registry:
    dates = {"api": day(60), "app": day(90)}
    deprecate(served, "alder", retire_at=dates, replacement="birch", reason=WHY)
    return served


def duty(registry: Registry, commitment: str, about: str = "") -> str:
    return next(
        it.state
        for it in standing(registry)
        if (it.commitment, it.model, it.about) == (commitment, "alder", about)
    )


def test_a_floor_is_promised_and_no_date_goes_below_it(served: Registry) -> None:
    set_floor(served, "alder", {"api": day(365)}, reason=WHY)
    size = served.ledger.size
    set_floor(served, "alder", {"api": day(365)}, reason=WHY)
    assert served.ledger.size == size
    with pytest.raises(NoticeTooShort, match=day(365)):
        deprecate(
            served,
            "alder",
            retire_at={"api": day(364), "app": day(90)},
            replacement=None,
            reason=WHY,
        )
    assert duty(served, "floor", "api") == "due"


def test_a_floor_that_is_lowered_shows_as_a_broken_promise(served: Registry) -> None:
    set_floor(served, "alder", {"api": day(365)}, reason=WHY)
    with pytest.raises(BadInput, match="--force"):
        set_floor(served, "alder", {"api": day(100)}, reason="It costs too much.")
    set_floor(served, "alder", {"api": day(100)}, reason="It costs too much.", force=True)
    assert duty(served, "floor", "api") == "breached"
    assert served.model("alder").revisions[-1].reason == "It costs too much."


def test_a_date_may_move_later_at_once_but_earlier_only_with_the_whole_notice(
    announced: Registry, clock: FixedClock
) -> None:
    clock.move_to(day(50))
    life = reschedule(announced, "alder", {"api": day(120)}, reason=WHY)
    assert life.retire_at == {"api": day(120), "app": day(90)}
    with pytest.raises(NoticeTooShort, match=day(110)):
        reschedule(announced, "alder", {"api": day(109)}, reason=WHY)
    assert reschedule(announced, "alder", {"api": day(110)}, reason=WHY).retire_at["api"] == day(
        110
    )
    with pytest.raises(DateInPast):
        reschedule(announced, "alder", {"api": day(49)}, reason=WHY)
    assert duty(announced, "notice", "api") == "kept"
    assert [one.now for one in announced.model("alder").revisions if one.surface == "api"] == [
        day(60),
        day(120),
        day(110),
    ]


def test_the_same_date_again_changes_nothing(announced: Registry) -> None:
    size = announced.ledger.size
    reschedule(announced, "alder", {"api": day(60)}, reason=WHY)
    assert announced.ledger.size == size


def test_a_surface_ends_at_its_date_and_not_before(announced: Registry, clock: FixedClock) -> None:
    with pytest.raises(WrongState, match="announced to end on api at"):
        end_surface(announced, "alder", "api")
    clock.move_to(day(60))
    life = end_surface(announced, "alder", "api")
    assert life.open_surfaces == ("app",)
    assert end_surface(announced, "alder", "api") == life
    with pytest.raises(WrongState):
        end_surface(announced, "alder", "app")
    clock.move_to(day(90))
    with pytest.raises(BadInput, match="otium model retire"):
        end_surface(announced, "alder", "app")
    with pytest.raises(WrongState):
        end_surface(announced, "birch", "api")


def test_a_withdrawal_takes_effect_at_once_and_leaves_what_is_owed(announced: Registry) -> None:
    with pytest.raises(BadInput, match="reason"):
        withdraw(announced, "alder", reason=" ")
    life = withdraw(announced, "alder", reason="An order.")
    assert (life.state, life.reason) == ("withdrawn", "An order.")
    assert withdraw(announced, "alder", reason="An order.") == life
    assert duty(announced, "notice", "api") == "waived"
    assert duty(announced, "interview") == "due"
    assert duty(announced, "report") == "due"
    with pytest.raises(WrongState):
        retire(announced, "alder")
    with pytest.raises(BadInput, match="was withdrawn"):
        set_floor(announced, "alder", {"api": day(99)}, reason=WHY)


def test_a_retirement_is_taken_back_and_can_be_announced_anew(announced: Registry) -> None:
    assert cancel_deprecation(announced, "alder", reason=WHY).state == "active"
    with pytest.raises(WrongState):
        cancel_deprecation(announced, "alder", reason=WHY)
    again = deprecate(
        announced,
        "alder",
        retire_at={"api": day(200), "app": day(200)},
        replacement=None,
        reason="Now for good.",
        alternatives=["birch", "cedar"],
        existing_users=ExistingUsers(access="recent", days=90),
    )
    assert published_notice(announced, "alder") == again
    life = announced.model("alder")
    assert (life.replacement, life.replacement_stated) == (None, True)
    assert life.alternatives == ("birch", "cedar")
    assert life.existing_users == ExistingUsers(access="recent", days=90)
    assert "used it in the 90 days before" in again.text
    assert "`birch`, `cedar`" in again.text


def test_legacy_stands_between_active_and_deprecated(served: Registry) -> None:
    life = make_legacy(served, "alder", reason=WHY, replacement="birch")
    assert (life.state, life.replacement, life.legacy) == ("legacy", "birch", START)
    assert make_legacy(served, "alder", reason=WHY) == life
    with pytest.raises(WrongState):
        make_legacy(served, "birch", reason=WHY)
    dates = {"api": day(60), "app": day(60)}
    deprecate(served, "alder", retire_at=dates, replacement="birch", reason=WHY)
    assert served.model("alder").state == "deprecated"


def test_a_recommendation_changes_and_must_be_in_service(announced: Registry) -> None:
    assert recommend(announced, "alder", "cedar", reason=WHY).replacement == "cedar"
    assert recommend(announced, "alder", None, reason=WHY, alternatives=["birch"]).alternatives == (
        "birch",
    )
    withdraw(announced, "birch", reason=WHY)
    with pytest.raises(NoSuchSuccessor):
        recommend(announced, "alder", "birch", reason=WHY)


def test_an_alias_moves_and_says_whether_it_does_so_in_silence(served: Registry) -> None:
    assert point_alias(served, "newest", "alder", silent_updates=False).silent_updates is False
    size = served.ledger.size
    point_alias(served, "newest", "alder")
    assert served.ledger.size == size
    point_alias(served, "newest", "birch")
    assert served.model("alder").aliases == ()
    with pytest.raises(BadInput, match="is a model"):
        point_alias(served, "cedar", "birch")


def test_internal_use_binds_from_the_threshold_on(house: Registry) -> None:
    house.register(
        "within", title="W", released="2026-01-01", scope="internal", surfaces=["internal:chat"]
    )
    measure_use(house, "within", users=3)
    assert not [it for it in standing(house) if it.model == "within"]
    measure_use(house, "within", users=5000)
    assert {it.commitment for it in standing(house) if it.model == "within"} >= {"preserve"}
    with pytest.raises(BadInput, match="measures nothing"):
        measure_use(house, "within")


@pytest.mark.parametrize(
    "surfaces",
    [[], ["api", "api"], ["web"], ["partner:UPPER"]],
    ids=["none", "twice", "odd", "case"],
)
def test_a_model_with_odd_surfaces_is_not_registered(house: Registry, surfaces: list[str]) -> None:
    with pytest.raises(BadInput):
        house.register("alder", title="A", released="2026-01-01", scope="public", surfaces=surfaces)
    assert house.models() == []
