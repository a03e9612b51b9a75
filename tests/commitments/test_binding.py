from __future__ import annotations

from commitments.promised import (
    BEFORE,
    EVERY,
    WITHIN,
    adopted,
    changed,
    day,
    entry,
    founded,
    one,
    policy,
    registered,
)
from otium.commitments import duties, load_policy


def test_models_out_of_scope_and_unregistered_models_have_no_duties() -> None:
    held = policy(EVERY)
    log = [founded(), registered("cedar", "other"), adopted(held)]
    log += [entry("model.deposited", day(1), "cedar"), entry("model.deposited", day(1), "ghost")]
    assert duties(held, log, day(999)) == []


def test_a_model_is_in_scope_from_the_use_that_makes_it_significant() -> None:
    held = policy(changed(EVERY, days=10), users=50, requests_per_day=1000)
    log = [founded(), registered("cedar", "internal"), adopted(held)]
    log += [entry("model.deposited", day(1), "cedar")]
    for users in (49, "90", True, None):
        log.append(entry("model.used", day(2), "cedar", {"users": users}))
    assert duties(held, log, day(99)) == []
    for body in ({"users": 50}, {"requests_per_day": 1000.5}):
        crossed = [*log, entry("model.used", day(20), "cedar", body)]
        crossed += [entry("model.used", day(25), "cedar", {"users": 90})]
        assert [it.due for it in duties(held, crossed, day(21))] == [day(30)]


def test_what_ended_before_its_use_was_significant_has_no_duty_before_its_end() -> None:
    held = policy(BEFORE, users=50)
    used = entry("model.used", day(9), "cedar", {"users": 50})
    retired = entry("model.retired", day(5), "cedar")
    log = [founded(), registered("cedar", "internal"), adopted(held)]
    assert duties(held, [*log, retired, used], day(99)) == []
    assert len(duties(held, [*log, used, retired], day(99))) == 1


def test_no_use_is_significant_where_the_policy_names_no_number() -> None:
    held = policy(EVERY)
    log = [founded(), registered("cedar", "internal"), adopted(held)]
    log += [entry("model.used", day(1), "cedar", {"users": 10**6})]
    assert duties(held, [*log, entry("model.deposited", day(1), "cedar")], day(9)) == []


def test_a_policy_that_was_not_adopted_binds_nobody() -> None:
    assert duties(policy(WITHIN), [founded(), registered()], day(999)) == []


def test_an_entry_cannot_be_dated_back() -> None:
    log = [entry("heartbeat", day(20), "house"), entry("model.deposited", day(3))]
    duty = one(WITHIN, day(99), *log)
    assert (duty.state, duty.fulfilled) == ("breached", day(20))


def test_entries_after_now_are_not_seen() -> None:
    assert one(WITHIN, day(5), entry("model.deposited", day(6))).state == "due"


def test_a_new_version_does_not_restart_a_promise_that_it_leaves_alone() -> None:
    first = policy(EVERY)
    reworded = changed(EVERY, text="new words", owner="archivist")
    second = policy(reworded, WITHIN, version="2")
    log = [founded(), registered(), adopted(first), entry("model.deposited", day(1))]
    log += [adopted(second, day(80))]
    assert [duty.state for duty in duties(second, log, day(92))] == ["overdue", "kept"]


def test_the_default_policy_says_what_the_house_promises() -> None:
    kinds = {one.id: (one.kind, one.days) for one in load_policy().commitments}
    assert kinds == {
        "preserve": ("within", 14),
        "copies": ("within", 30),
        "full-read": ("every", 90),
        "drill": ("every", 365),
        "proof": ("every", 92),
        "notice": ("notice", 60),
        "floor": ("floor", 0),
        "transition": ("before", 0),
        "fingerprint": ("before", 0),
        "interview": ("before", 0),
        "post-deployment": ("before", 0),
        "report": ("within", 30),
        "preferences": ("within", 60),
        "answer": ("within", 60),
        "heartbeat": ("every", 2),
    }
