from __future__ import annotations

import pytest

from commitments.promised import (
    BEFORE,
    EVERY,
    START,
    WITHIN,
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
from otium.commitments import Commitment, duties
from otium.ledger import Entry
from otium.records import Instant

# within


def test_within_is_due_until_the_deadline_and_overdue_a_second_later() -> None:
    assert one(WITHIN, day(14)).state == "due"
    assert one(WITHIN, day(14, 1)).state == "overdue"
    assert one(WITHIN, day(14)).due == day(14)


@pytest.mark.parametrize(("at", "state"), [(day(14), "kept"), (day(14, 1), "breached")])
def test_within_is_kept_at_the_deadline_and_breached_a_second_later(
    at: Instant, state: str
) -> None:
    duty = one(WITHIN, day(100), entry("model.deposited", at))
    assert (duty.state, duty.fulfilled) == (state, at)


def test_within_is_kept_by_what_came_before_its_trigger() -> None:
    report = Commitment(
        id="r", text="", kind="within", trigger="model.retired", fulfil="report.published", days=30
    )
    duty = one(report, day(9), entry("report.published", day(1)), entry("model.retired", day(2)))
    assert (duty.state, duty.fulfilled, duty.due) == ("kept", day(1), day(32))


def test_within_is_not_kept_by_another_model() -> None:
    assert one(WITHIN, day(99), entry("model.deposited", day(1), "birch")).state == "overdue"


def test_within_counts_from_a_field_of_the_body_but_not_from_before_the_adoption() -> None:
    since = Commitment(
        id="s",
        text="",
        kind="within",
        trigger="model.registered",
        fulfil="x.done",
        since="released",
        days=10,
    )
    held = policy(since)
    for released, due in [
        ("2026-02-01T00:00:00Z", "2026-02-11T00:00:00Z"),
        ("2020-02-01T00:00:00Z", "2026-01-15T00:00:00Z"),
        ("soon", "2026-01-15T00:00:00Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"),
    ]:
        begun = entry("model.registered", START, "alder", {"scope": "public", "released": released})
        log = [founded(), begun, adopted(held, day(4))]
        assert [duty.due for duty in duties(held, log, day(5))] == [due]


def test_a_preference_has_its_own_duty() -> None:
    considered = Commitment(
        id="c",
        text="",
        kind="within",
        trigger="preference.registered",
        fulfil="preference.considered",
        days=60,
    )
    held = policy(considered)
    log = [
        founded(),
        registered(),
        adopted(held),
        entry("preference.registered", day(1), body={"preference": "alder-p1"}),
        entry("preference.registered", day(2), body={"preference": "alder-p2"}),
        entry("preference.considered", day(3), body={"preference": "alder-p2"}),
    ]
    found = {duty.subject: (duty.state, duty.due) for duty in duties(held, log, day(10))}
    assert found == {"alder-p1": ("due", day(61)), "alder-p2": ("kept", day(62))}


def test_a_waiver_until_a_date_moves_the_deadline_and_says_by_whom_and_why() -> None:
    until = waived(day(14), "w", until=day(30), reason="the disks came late")
    assert (one(WITHIN, day(30), until).state, one(WITHIN, day(30), until).due) == ("due", day(30))
    assert one(WITHIN, day(30, 1), until).state == "overdue"
    assert one(WITHIN, day(40), until, entry("model.deposited", day(30))).state == "kept"
    again = waived(day(29), "w", until=day(50))
    assert one(WITHIN, day(40), until, again).due == day(50)


def test_a_waiver_without_a_date_lifts_the_duty_unless_it_comes_too_late() -> None:
    lifted = waived(day(14), "w", reason="the weights were never ours")
    duty = one(WITHIN, day(99), lifted)
    assert (duty.state, duty.due, duty.fulfilled) == ("waived", day(14), None)
    assert duty.why == f"waived by steward at {day(14)}: the weights were never ours"
    assert one(WITHIN, day(99), waived(day(14, 1), "w")).state == "overdue"
    done = one(WITHIN, day(99), lifted, entry("model.deposited", day(50)))
    assert (done.state, done.fulfilled) == ("waived", day(50))
    assert one(WITHIN, day(99), lifted, entry("model.deposited", day(9))).state == "kept"


def test_a_waiver_concerns_one_promise_one_subject_and_one_preference() -> None:
    others = [waived(day(1), "x"), waived(day(1), "w", "birch"), waived(day(1), "w", surface="api")]
    assert one(WITHIN, day(99), *others).state == "overdue"
    assert one(WITHIN, day(99), waived(day(1), "w", preference="alder-p1")).state == "overdue"
    asked = changed(WITHIN, trigger="preference.registered", fulfil="preference.considered")
    log = [
        entry("preference.registered", day(1), body={"preference": "p1"}),
        entry("preference.registered", day(1), body={"preference": "p2"}),
        waived(day(2), "w", preference="p2"),
    ]
    assert [it.state for it in found(asked, day(99), *log)] == ["overdue", "waived"]
    log += [waived(day(2), "w")]
    assert [it.state for it in found(asked, day(99), *log)] == ["waived", "waived"]


def test_a_number_must_be_reached_by_a_number() -> None:
    asked = changed(WITHIN, at_least={"copies": 3, "custodians": 2})
    cases: list[tuple[dict[str, object], str]] = [
        ({"copies": 3, "custodians": 2}, "kept"),
        ({"copies": 3.5, "custodians": 9}, "kept"),
        ({"copies": 2, "custodians": 2}, "overdue"),
        ({"copies": 3}, "overdue"),
        ({"copies": "3", "custodians": 2}, "overdue"),
        ({"copies": 3, "custodians": True}, "overdue"),
    ]
    for body, state in cases:
        assert one(asked, day(99), entry("model.deposited", day(1), body=body)).state == state


# before


def test_before_is_due_at_the_earliest_date_and_overdue_after_it() -> None:
    announced = deprecated(day(1), api=day(90), app=day(80))
    assert (one(BEFORE, day(80), announced).state, one(BEFORE, day(80), announced).due) == (
        "due",
        day(80),
    )
    assert one(BEFORE, day(80, 1), announced).state == "overdue"


def test_before_without_a_date_stays_due() -> None:
    duty = one(BEFORE, day(3000), entry("model.deprecated", day(1)))
    assert (duty.state, duty.due) == ("due", None)


def test_before_goes_by_the_order_of_the_log() -> None:
    announced = deprecated(day(1), api=day(80))
    interview, retired = entry("interview.recorded", day(5)), entry("model.retired", day(5))
    assert one(BEFORE, day(9), announced, interview, retired).state == "kept"
    late = one(BEFORE, day(9), announced, retired, interview)
    assert (late.state, late.fulfilled) == ("breached", day(5))


def test_before_may_be_fulfilled_ahead_of_its_trigger() -> None:
    log = [entry("interview.recorded", day(1)), deprecated(day(2), api=day(80))]
    assert one(BEFORE, day(9), *log).state == "kept"


def test_retiring_without_a_deprecation_does_not_lift_what_must_come_before() -> None:
    assert one(BEFORE, day(9), entry("model.retired", day(1))).state == "breached"
    late = [entry("model.retired", day(1)), deprecated(day(2), api=day(80))]
    assert one(BEFORE, day(9), *late).state == "breached"


def test_what_was_retired_before_the_adoption_has_no_duty_before_retirement() -> None:
    held = policy(BEFORE)
    log = [founded(), registered(), deprecated(day(1), api=day(2)), entry("model.retired", day(3))]
    assert duties(held, [*log, adopted(held, day(4))], day(9)) == []


def test_a_fulfilment_must_say_what_the_commitment_asks() -> None:
    asked = Commitment(
        id="a",
        text="",
        kind="before",
        trigger="model.deprecated",
        fulfil="assessment.recorded",
        where={"bookend": "post-deployment"},
        before="model.retired",
        days=0,
    )
    announced = deprecated(day(1), api=day(80))
    wrong = entry("assessment.recorded", day(2), body={"bookend": "pre-deployment"})
    right = entry("assessment.recorded", day(3), body={"bookend": "post-deployment"})
    assert one(asked, day(9), announced, wrong).state == "due"
    assert one(asked, day(9), announced, wrong, right).fulfilled == day(3)


def withdrawn(at: Instant) -> Entry:
    return entry("model.withdrawn", at)


def test_a_withdrawal_is_a_retirement_too() -> None:
    assert one(BEFORE, day(9), withdrawn(day(1))).state == "breached"
    report = changed(WITHIN, trigger="model.retired", fulfil="report.published", days=30)
    assert one(report, day(9), withdrawn(day(1))).due == day(31)


@pytest.mark.parametrize("announced", [(), (deprecated(day(1), api=day(90)),)])
def test_what_may_follow_a_withdrawal_has_its_grace(announced: tuple[Entry, ...]) -> None:
    after = changed(BEFORE, on_withdrawal="after", grace=30)
    log = [*announced, withdrawn(day(5))]
    assert (one(after, day(35), *log).state, one(after, day(35), *log).due) == ("due", day(35))
    assert one(after, day(35, 1), *log).state == "overdue"
    for at, state in [(day(35), "kept"), (day(35, 1), "breached")]:
        duty = one(after, day(99), *log, entry("interview.recorded", at))
        assert (duty.state, duty.fulfilled) == (state, at)
    retired = [*announced, entry("model.retired", day(5))]
    assert one(after, day(9), *retired).state == "breached"


def test_what_lapses_at_a_withdrawal_is_waived_unless_it_was_done() -> None:
    lapses = changed(BEFORE, on_withdrawal="lapses")
    assert one(lapses, day(9), withdrawn(day(5))).state == "waived"
    done = entry("interview.recorded", day(1))
    assert one(lapses, day(9), done, withdrawn(day(5))).state == "kept"
    assert one(lapses, day(9), entry("model.retired", day(5))).state == "breached"


def test_a_waiver_lifts_what_must_come_first_if_it_comes_first() -> None:
    announced, retired = deprecated(day(1), api=day(80)), entry("model.retired", day(90))
    in_time, late = waived(day(80), "b", reason="it cannot be run"), waived(day(80, 1), "b")
    assert one(BEFORE, day(99), announced, in_time, retired).state == "waived"
    assert one(BEFORE, day(99), announced, late, retired).state == "breached"
    assert one(BEFORE, day(99), announced, late).state == "overdue"
    early = entry("model.retired", day(50))
    assert one(BEFORE, day(99), announced, early, in_time).state == "breached"


def test_guidance_may_be_due_before_the_announcement_itself() -> None:
    first = changed(BEFORE, before="model.deprecated", fulfil="transition.published")
    guidance, announced = entry("transition.published", day(1)), deprecated(day(1), api=day(90))
    assert one(first, day(9), guidance, announced).state == "kept"
    assert one(first, day(9), announced, guidance).state == "breached"
    assert found(first, day(9)) == []


# every


def checked(at: Instant, *, ok: bool = True) -> Entry:
    return entry("model.checked", at, body={"ok": ok})


def test_every_moves_its_deadline_with_each_fulfilment() -> None:
    deposited = entry("model.deposited", day(0))
    assert one(EVERY, day(90), deposited).state == "due"
    assert one(EVERY, day(90, 1), deposited).state == "overdue"
    read = one(EVERY, day(120), deposited, checked(day(40)))
    assert (read.state, read.due, read.fulfilled) == ("due", day(130), day(40))


def test_a_gap_of_exactly_the_period_keeps_and_one_second_more_breaches_for_good() -> None:
    deposited = entry("model.deposited", day(0))
    assert one(EVERY, day(95), deposited, checked(day(90))).state == "due"
    late = one(EVERY, day(95), deposited, checked(day(90, 1)), checked(day(91)))
    assert (late.state, late.due) == ("breached", day(181))
    assert "from 2026-01-01T00:00:00Z to 2026-04-01T00:00:01Z" in late.why


def test_every_goes_on_after_retirement() -> None:
    log = [entry("model.deposited", day(0)), deprecated(day(1)), entry("model.retired", day(2))]
    assert one(EVERY, day(91), *log).state == "overdue"


def test_a_check_that_found_damage_is_no_fulfilment() -> None:
    log = [entry("model.deposited", day(0)), checked(day(80), ok=False)]
    assert one(EVERY, day(91), *log).state == "overdue"


def test_a_waiver_bridges_a_gap_until_its_date() -> None:
    log = [entry("model.deposited", day(0)), waived(day(80), "e", until=day(120), reason="moving")]
    assert one(EVERY, day(90), *log).state == "due"
    bridged = one(EVERY, day(91), *log)
    assert (bridged.state, bridged.due) == ("waived", day(120))
    assert bridged.why == f"waived by steward at {day(80)}: moving"
    assert one(EVERY, day(120, 1), *log).state == "overdue"
    assert one(EVERY, day(121), *log, checked(day(120))).state == "due"
    assert one(EVERY, day(130), *log, checked(day(120, 1))).state == "breached"


def test_a_waiver_that_comes_after_the_gap_or_names_no_date_bridges_nothing() -> None:
    deposited = entry("model.deposited", day(0))
    late, endless = waived(day(90, 1), "e", until=day(120)), waived(day(80), "e")
    assert one(EVERY, day(91), deposited, late).state == "overdue"
    assert one(EVERY, day(91), deposited, endless).state == "overdue"
    chain = [waived(day(80), "e", until=day(95)), waived(day(95), "e", until=day(99))]
    assert one(EVERY, day(99), deposited, *chain).state == "waived"


def test_the_archive_itself_can_be_the_subject() -> None:
    beat = Commitment(
        id="h", text="", kind="every", trigger="archive.created", fulfil="heartbeat", days=2
    )
    duty = one(beat, day(3), entry("heartbeat", day(2), "house"))
    assert (duty.subject, duty.state, duty.due) == ("house", "due", day(4))
