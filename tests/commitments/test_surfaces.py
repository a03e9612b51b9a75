from __future__ import annotations

import pytest

from commitments.promised import (
    FLOOR,
    NOTICE,
    adopted,
    changed,
    day,
    deprecated,
    entry,
    found,
    founded,
    one,
    policy,
    registered,
    waived,
)
from otium.commitments import Commitment, Duty, duties
from otium.ledger import Entry
from otium.records import Instant

LAPSES = changed(NOTICE, on_withdrawal="lapses")
RETIRED = "model.retired"


def rescheduled(at: Instant, **dates: str) -> Entry:
    return entry("model.rescheduled", at, body={"retire_at": dates})


def ended(at: Instant, surface: str) -> Entry:
    return entry("surface.ended", at, body={"surface": surface})


def floored(at: Instant, **dates: str) -> Entry:
    return entry("model.floor", at, body={"not_before": dates})


def states(commitment: Commitment, now: Instant, *entries: Entry) -> dict[str, str]:
    return {duty.about: duty.state for duty in found(commitment, now, *entries)}


# notice


def test_each_surface_gets_its_own_notice_to_the_second() -> None:
    log = deprecated(day(1), api=day(61), app=day(60, 86399))
    assert states(NOTICE, day(2), log) == {"api": "kept", "app": "breached"}
    api, app = found(NOTICE, day(2), log)
    assert (api.due, api.fulfilled) == (day(61), day(1))
    assert (app.due, app.fulfilled) == (day(60, 86399), None)
    assert "60 are promised" in app.why


def test_a_date_that_is_no_time_is_no_notice() -> None:
    log = deprecated(day(1), api=day(90), app="soon")
    assert states(NOTICE, day(2), log) == {"api": "kept", "app": "breached"}


def test_a_date_may_be_put_off_and_is_then_the_due_one() -> None:
    duty = one(NOTICE, day(99), deprecated(day(1), api=day(61)), rescheduled(day(60), api=day(70)))
    assert (duty.state, duty.due, duty.fulfilled) == ("kept", day(70), day(1))


def test_a_date_may_be_brought_forward_only_with_the_notice_still_left() -> None:
    announced = deprecated(day(1), api=day(200))
    assert one(NOTICE, day(9), announced, rescheduled(day(9), api=day(69))).state == "kept"
    short = one(NOTICE, day(10), announced, rescheduled(day(9, 1), api=day(69)))
    assert (short.state, short.due) == ("breached", day(69))
    put_off = rescheduled(day(10), api=day(300))
    mended = one(NOTICE, day(10), announced, rescheduled(day(9, 1), api=day(69)), put_off)
    assert (mended.state, mended.due) == ("breached", day(300))


@pytest.mark.parametrize(("at", "state"), [(day(61), "kept"), (day(60, 86399), "breached")])
def test_a_surface_ends_on_its_date_at_the_earliest(at: Instant, state: str) -> None:
    announced = deprecated(day(1), api=day(61))
    assert states(NOTICE, day(99), announced, ended(at, "api"))["api"] == state


def test_a_retirement_ends_every_surface_that_is_left() -> None:
    announced = deprecated(day(1), api=day(61), app=day(70))
    log = [announced, ended(day(61), "api"), entry(RETIRED, day(69))]
    assert states(NOTICE, day(99), *log) == {"api": "kept", "app": "breached"}


def test_an_end_that_none_announced_breaks_the_notice_of_each_surface() -> None:
    for log in (
        [entry(RETIRED, day(1))],
        [entry(RETIRED, day(1)), deprecated(day(2), api=day(99))],
    ):
        assert [(it.about, it.state, it.due) for it in found(NOTICE, day(9), *log)] == [
            ("api", "breached", None),
            ("app", "breached", None),
        ]
    assert states(NOTICE, day(9), ended(day(1), "app"), ended(day(2), "app")) == {"app": "breached"}
    assert found(NOTICE, day(9), entry("model.deprecated", day(1))) == []


def test_a_cancelled_announcement_announces_no_longer() -> None:
    log = [deprecated(day(1), api=day(61)), entry("deprecation.cancelled", day(30))]
    assert states(NOTICE, day(99), *log) == {"api": "kept"}
    after = found(NOTICE, day(99), *log, ended(day(70), "api"))
    assert [(it.state, it.due) for it in after] == [("kept", day(61)), ("breached", None)]
    again = found(NOTICE, day(99), *log, deprecated(day(40), api=day(80)))
    assert [(it.state, it.due) for it in again] == [("kept", day(61)), ("breached", day(80))]


def test_a_withdrawal_breaks_the_notice_or_lifts_it_as_the_promise_says() -> None:
    log = [deprecated(day(1), api=day(90)), entry("model.withdrawn", day(9))]
    assert states(NOTICE, day(99), *log) == {"api": "breached", "app": "breached"}
    assert states(LAPSES, day(99), *log) == {"api": "waived", "app": "waived"}
    assert "lifted by the withdrawal" in found(LAPSES, day(99), *log)[0].why
    assert states(LAPSES, day(99), log[0], entry(RETIRED, day(9)))["api"] == "breached"
    short = deprecated(day(1), api=day(9))
    assert states(LAPSES, day(99), short, entry("model.withdrawn", day(5)))["api"] == "breached"


def test_a_waiver_before_the_break_lifts_the_notice_of_its_surface() -> None:
    log = [deprecated(day(1), api=day(61), app=day(61))]
    log += [waived(day(2), "n", surface="app", reason="the store closes"), entry(RETIRED, day(9))]
    assert states(NOTICE, day(99), *log) == {"api": "breached", "app": "waived"}
    assert found(NOTICE, day(99), *log)[1].why.endswith("the store closes")
    late = [log[0], log[2], waived(day(10), "n")]
    assert states(NOTICE, day(99), *late) == {"api": "breached", "app": "breached"}


def test_a_notice_from_before_the_adoption_is_not_judged() -> None:
    log = [founded(), registered(surfaces=["api"]), deprecated(day(1), api=day(2))]
    log += [adopted(policy(NOTICE), day(3)), entry(RETIRED, day(4))]
    assert duties(policy(NOTICE), log, day(9)) == []


def test_the_notices_of_one_entry_come_in_the_order_in_which_surfaces_were_named() -> None:
    log = deprecated(day(1), **{"partner:b": day(90), "app": day(90), "api": day(90)})
    assert list(states(NOTICE, day(9), log)) == ["api", "app", "partner:b"]


# floor


def floor(now: Instant, *entries: Entry) -> Duty:
    return one(FLOOR, now, floored(day(1), api=day(100)), *entries)


def test_a_floor_is_due_until_it_is_reached_and_then_kept() -> None:
    assert (floor(day(99)).state, floor(day(99)).due) == ("due", day(100))
    assert (floor(day(100)).state, floor(day(100)).fulfilled) == ("kept", None)
    over = floor(day(200), ended(day(150), "api"))
    assert (over.state, over.fulfilled) == ("kept", day(150))


def test_a_floor_stands_in_the_registration_too() -> None:
    held = policy(FLOOR)
    born = registered(surfaces=["api"], not_before={"api": day(50), "app": "soon"})
    log = [founded(), born, adopted(held, day(3))]
    assert [(it.about, it.state) for it in duties(held, log, day(9))] == [("api", "due")]
    log += [ended(day(9), "api")]
    assert [(it.about, it.state) for it in duties(held, log, day(9))] == [("api", "breached")]


@pytest.mark.parametrize(
    ("broken_by", "why"),
    [
        (ended(day(99), "api"), "it ended at"),
        (entry(RETIRED, day(99)), "it ended at"),
        (deprecated(day(2), api=day(99)), "it was announced for"),
        (floored(day(2), api=day(99)), "lowered"),
    ],
)
def test_a_floor_is_broken_by_what_comes_before_it_or_lowers_it(broken_by: Entry, why: str) -> None:
    duty = floor(day(99), broken_by)
    assert (duty.state, duty.due, duty.fulfilled) == ("breached", day(100), None)
    assert why in duty.why
    mended = floor(day(300), broken_by, floored(day(200), api=day(250)))
    assert mended.state == "breached"


def test_a_floor_may_be_raised_again_and_again_and_the_highest_holds() -> None:
    raised = [floored(day(2), api=day(150)), floored(day(3), api=day(200))]
    assert floor(day(160), *raised).due == day(200)
    assert floor(day(160), *raised, ended(day(160), "api")).state == "breached"
    assert floor(day(200), *raised, ended(day(200), "api")).state == "kept"


def test_a_date_before_a_later_floor_does_not_break_it_but_keeping_to_the_date_does() -> None:
    log = [deprecated(day(2), api=day(120)), floored(day(3), api=day(150))]
    assert floor(day(9), *log).state == "due"
    assert floor(day(200), *log, ended(day(120), "api")).state == "breached"


def test_a_floor_is_lifted_by_a_waiver_in_time_and_by_a_withdrawal_where_it_says_so() -> None:
    lifted = waived(day(2), "f", surface="api", reason="the law")
    assert floor(day(99), lifted, ended(day(50), "api")).state == "waived"
    assert floor(day(99), ended(day(50), "api"), waived(day(51), "f")).state == "breached"
    end = entry("model.withdrawn", day(50))
    assert floor(day(99), end).state == "breached"
    lapses = changed(FLOOR, on_withdrawal="lapses")
    assert one(lapses, day(99), floored(day(1), api=day(100)), end).state == "waived"


def test_a_floor_of_what_ended_before_the_adoption_binds_nobody() -> None:
    log = [founded(), registered(), floored(day(1), api=day(100)), ended(day(2), "api")]
    assert duties(policy(FLOOR), [*log, adopted(policy(FLOOR), day(3))], day(9)) == []


def test_what_is_said_of_a_surface_after_its_end_is_passed_over() -> None:
    log = [
        ended(day(150), "api"),
        floored(day(151), api=day(300)),
        deprecated(day(152), api=day(153)),
    ]
    assert floor(day(400), *log).state == "kept"
    assert states(NOTICE, day(400), *log) == {"api": "breached"}
