from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from otium.ledger import Entry
from otium.lifecycle import Commitment, Duty, Policy, duties, load_policy, past_breaches
from otium.records import Actor, Instant, later

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "commitments-1.md"
START = Instant("2026-01-01T00:00:00Z")


def day(number: float, seconds: float = 0) -> Instant:
    return later(START, days=number, seconds=seconds)


def entry(
    kind: str, at: Instant, subject: str = "alder", body: Mapping[str, object] | None = None
) -> Entry:
    return Entry(type=kind, time=at, actor=Actor("steward"), subject=subject, body=dict(body or {}))


def policy(*commitments: Commitment, version: str = "1") -> Policy:
    return Policy(id="p", version=version, title="P", term="always", commitments=commitments)


def adopted(what: Policy, at: Instant = START) -> Entry:
    return entry("commitments.adopted", at, "house", {"policy": what.plain()})


def registered(subject: str = "alder", scope: str = "public", at: Instant = START) -> Entry:
    return entry("model.registered", at, subject, {"scope": scope, "released": "2020-01-01"})


def founded() -> Entry:
    return entry("archive.created", START, "house")


WITHIN = Commitment(
    id="w", text="", kind="within", trigger="model.registered", fulfil="model.deposited", days=14
)
BEFORE = Commitment(
    id="b",
    text="",
    kind="before",
    trigger="model.deprecated",
    fulfil="interview.recorded",
    before="model.retired",
    days=0,
)
EVERY = Commitment(
    id="e", text="", kind="every", trigger="model.deposited", fulfil="model.checked", days=90
)
NOTICE = Commitment(
    id="n", text="", kind="notice", trigger="model.deprecated", before="model.retired", days=60
)


def one(commitment: Commitment, now: Instant, *entries: Entry) -> Duty:
    held = policy(commitment)
    (found,) = duties(held, [founded(), registered(), adopted(held), *entries], now)
    return found


def none(commitment: Commitment, now: Instant, *entries: Entry) -> None:
    held = policy(commitment)
    assert duties(held, [founded(), registered(), adopted(held), *entries], now) == []


# The page


def example() -> tuple[Policy, list[Entry], Instant, list[tuple[str, ...]]]:
    text = PAGE.read_text()
    _, _, text = text.partition("## Worked example")
    plain = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    log = re.search(r"```\n(0 .*?)```", text, re.DOTALL)[1]  # type: ignore[index]
    entries = []
    for line in log.splitlines():
        _, time, kind, subject, body = line.split(maxsplit=4)
        body = body.replace("POLICY", json.dumps(plain))
        entries.append(entry(kind, Instant(time), subject, json.loads(body)))
    now = re.search(r"\*now\* = `([^`]+)`:", text)[1]  # type: ignore[index]
    rows = [
        tuple(cell.strip() for cell in row.strip("|").split("|"))[:5]
        for row in text.splitlines()
        if row.startswith("|") and "20" in row
    ]
    return Policy.convert(plain), entries, Instant(now), rows


def test_the_worked_example_of_the_page_is_what_is_computed() -> None:
    held, entries, now, rows = example()
    found = [
        (it.commitment, it.subject, it.state, it.due or "null", it.fulfilled or "null")
        for it in duties(held, entries, now)
    ]
    assert found == rows
    assert len(rows) == 12


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


# before


def deprecated(at: Instant, **dates: str) -> Entry:
    return entry("model.deprecated", at, body={"retire_at": dates})


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


def test_the_archive_itself_can_be_the_subject() -> None:
    beat = Commitment(
        id="h", text="", kind="every", trigger="archive.created", fulfil="heartbeat", days=2
    )
    duty = one(beat, day(3), entry("heartbeat", day(2), "house"))
    assert (duty.subject, duty.state, duty.due) == ("house", "due", day(4))


# notice


@pytest.mark.parametrize(("dates", "state"), [((61, 90), "kept"), ((60.9, 90), "breached")])
def test_every_surface_gets_its_notice(dates: tuple[float, float], state: str) -> None:
    duty = one(NOTICE, day(1), deprecated(day(1), api=day(dates[1]), app=day(dates[0])))
    assert duty.state == state


def test_a_date_that_is_no_time_is_no_notice() -> None:
    assert one(NOTICE, day(1), deprecated(day(1), api=day(90), app="soon")).state == "breached"


def test_retiring_before_the_announced_date_breaks_the_notice() -> None:
    announced = deprecated(day(1), api=day(61), app=day(70))
    assert one(NOTICE, day(99), announced, entry("model.retired", day(69))).state == "breached"
    assert one(NOTICE, day(99), announced, entry("model.retired", day(70))).state == "kept"


def test_retiring_without_a_notice_breaks_the_notice() -> None:
    assert one(NOTICE, day(9), entry("model.retired", day(1))).state == "breached"
    undated = entry("model.deprecated", day(1))
    assert one(NOTICE, day(9), undated, entry("model.retired", day(2))).state == "breached"
    none(NOTICE, day(9), undated)


def test_a_notice_from_before_the_adoption_is_not_judged() -> None:
    held = policy(NOTICE)
    log = [founded(), registered(), deprecated(day(1), api=day(2)), adopted(held, day(3))]
    assert duties(held, [*log, entry("model.retired", day(4))], day(9)) == []


# Scope, time, adoption


def test_models_out_of_scope_and_unregistered_models_have_no_duties() -> None:
    held = policy(EVERY)
    log = [founded(), registered("cedar", "other"), adopted(held)]
    log += [entry("model.deposited", day(1), "cedar"), entry("model.deposited", day(1), "ghost")]
    assert duties(held, log, day(999)) == []


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
    reworded = Commitment.convert({**EVERY.plain(), "text": "new words", "owner": "archivist"})
    second = policy(reworded, WITHIN, version="2")
    log = [founded(), registered(), adopted(first), entry("model.deposited", day(1))]
    log += [adopted(second, day(80))]
    assert [duty.state for duty in duties(second, log, day(92))] == ["overdue", "kept"]


def test_a_changed_promise_starts_anew_and_the_old_breach_stays_on_record() -> None:
    first = policy(EVERY)
    second = policy(Commitment.convert({**EVERY.plain(), "days": 365}), version="2")
    log = [founded(), registered(), adopted(first), entry("model.deposited", day(1))]
    log += [adopted(second, day(100))]
    assert [(it.state, it.due) for it in duties(second, log, day(101))] == [("due", day(465))]
    assert [(it.commitment, it.state) for it in past_breaches(log, day(101))] == [("e", "overdue")]
    assert past_breaches(log, day(99)) == []


def test_the_default_policy_says_what_the_house_promises() -> None:
    kinds = {one.id: (one.kind, one.days) for one in load_policy().commitments}
    assert kinds == {
        "preserve": ("within", 14),
        "full-read": ("every", 90),
        "drill": ("every", 365),
        "notice": ("notice", 60),
        "transition": ("within", 7),
        "fingerprint": ("before", 0),
        "interview": ("before", 0),
        "post-deployment": ("before", 0),
        "report": ("within", 30),
        "preferences": ("within", 60),
        "heartbeat": ("every", 2),
    }


# Any log at all

TYPES = [
    "archive.created",
    "commitments.adopted",
    "model.registered",
    "model.deposited",
    "model.checked",
    "model.deprecated",
    "model.retired",
    "interview.recorded",
    "preference.registered",
    "preference.considered",
    "heartbeat",
]
ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 7, "soon", day(3), day(40), [], {}, {"api": day(90)}]
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.sampled_from(["public", "other", 3]),
        "retire_at": ODD | st.dictionaries(st.sampled_from(["api", "app"]), ODD, max_size=2),
        "preference": st.sampled_from(["p1", "p2", 5]),
        "ok": ODD,
        "policy": ODD,
        "bookend": ODD,
        "released": ODD,
    },
)
TIMES = st.integers(0, 200).map(day) | st.sampled_from([Instant("soon"), Instant("9999-99-99")])
ENTRIES = st.lists(
    st.builds(
        entry, st.sampled_from(TYPES), TIMES, st.sampled_from(["house", "alder", "birch"]), BODIES
    ),
    max_size=25,
)
HELD = policy(WITHIN, BEFORE, EVERY, NOTICE, *load_policy().commitments)
LOGS = ENTRIES.map(lambda rest: [founded(), registered(), adopted(HELD), *rest])


@settings(max_examples=150)
@given(LOGS, st.integers(0, 400), st.integers(0, 400))
def test_time_never_mends_a_breach_nor_moves_the_deadline_of_a_kept_duty(
    log: list[Entry], one: int, other: int
) -> None:
    early, late = sorted([one, other])
    before = duties(HELD, log, day(early))
    after = duties(HELD, log, day(late))
    matched = _pair(before, after)
    for was, now in matched:
        assert (was.state, now.state) != ("breached", "kept")
        if was.state == now.state == "kept":
            assert was.due == now.due
        if was.state == "kept" and was.commitment not in {"n", "notice"}:
            assert now.state == "kept"


def _pair(before: list[Duty], after: list[Duty]) -> list[tuple[Duty, Duty]]:
    """Match duties by commitment, subject and rank: a longer log only adds later ones."""
    pairs = []
    for was in before:
        rank = [it for it in before if _names(it) == _names(was)].index(was)
        pairs.append((was, [it for it in after if _names(it) == _names(was)][rank]))
    return pairs


def _names(duty: Duty) -> tuple[str, str]:
    return duty.commitment, duty.subject


@settings(max_examples=100)
@given(ENTRIES, st.integers(0, 400))
def test_no_log_makes_the_computation_fail(log: list[Entry], now: int) -> None:
    assert duties(HELD, log, day(now)) == []
    for duty in duties(HELD, [adopted(HELD), *log], day(now)):
        assert duty.state != "kept" or duty.fulfilled is not None


@settings(max_examples=100)
@given(LOGS, ENTRIES, st.integers(0, 100))
def test_what_is_appended_later_never_mends_a_breach(
    log: list[Entry], more: list[Entry], now: int
) -> None:
    was = duties(HELD, log, day(200))
    later_on = [replace(it, time=day(200 + now)) for it in more]
    grown = duties(HELD, [*log, *later_on], day(400))
    for before, after in _pair(was, grown):
        assert (before.state, after.state) != ("breached", "kept")
