"""What holds for any log at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from commitments.promised import (
    BEFORE,
    EVERY,
    FLOOR,
    NOTICE,
    WITHIN,
    adopted,
    changed,
    day,
    entry,
    founded,
    policy,
    registered,
)
from otium.commitments import Commitment, Duty, Policy, amendments, duties, load_policy, standing
from otium.ledger import Entry
from otium.records import Instant

TYPES = [
    "archive.created",
    "commitments.adopted",
    "model.registered",
    "model.deposited",
    "model.checked",
    "model.deprecated",
    "model.rescheduled",
    "model.floor",
    "deprecation.cancelled",
    "surface.ended",
    "model.retired",
    "model.withdrawn",
    "model.used",
    "duty.waived",
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
        "scope": st.sampled_from(["public", "internal", "other", 3]),
        "users": st.sampled_from([10, 60, "60", True]),
        "surface": st.sampled_from(["api", "app", 7]),
        "surfaces": ODD | st.just(["api", "app", 7]),
        "commitment": st.sampled_from(["w", "b", "e", "n", "f", 7]),
        "until": ODD,
        "not_before": ODD | st.dictionaries(st.sampled_from(["api", "app"]), ODD, max_size=2),
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
AFTER = changed(BEFORE, id="after", on_withdrawal="after", grace=9)
MINE = (
    WITHIN,
    BEFORE,
    EVERY,
    NOTICE,
    FLOOR,
    AFTER,
    changed(NOTICE, id="l", on_withdrawal="lapses"),
)
HELD = policy(*MINE, *load_policy().commitments, users=50)
LOGS = ENTRIES.map(lambda rest: [founded(), registered(), adopted(HELD), *rest])


@settings(max_examples=150)
@given(LOGS, st.integers(0, 400), st.integers(0, 400))
def test_time_alone_never_mends_a_breach(log: list[Entry], one: int, other: int) -> None:
    early, late = sorted([one, other])
    shorter = [it for it in duties(HELD, log, day(early)) if it.state == "breached"]
    states = _states(duties(HELD, log, day(late)))
    for duty in shorter:
        assert "breached" in states[_names(duty)]


def _states(found: list[Duty]) -> dict[tuple[str, str, str], set[str]]:
    states: dict[tuple[str, str, str], set[str]] = {}
    for duty in found:
        states.setdefault(_names(duty), set()).add(duty.state)
    return states


def _names(duty: Duty) -> tuple[str, str, str]:
    return duty.commitment, duty.subject, duty.about


@settings(max_examples=100)
@given(ENTRIES, st.integers(0, 400))
def test_no_log_makes_the_computation_fail(log: list[Entry], now: int) -> None:
    assert duties(HELD, log, day(now)) == []
    odd = [adopted(HELD), *log, adopted(policy(EVERY, version="2"), day(100)), *log]
    for duty in [*duties(HELD, odd, day(now)), *standing(odd, day(now))]:
        assert duty.why
        assert duty.state != "breached" or duty.commitment not in {"n", "f"} or not duty.fulfilled
    assert len(amendments(odd, day(now))) in {0, len(HELD.commitments) - 1}


@settings(max_examples=100)
@given(LOGS, ENTRIES, st.integers(0, 200))
def test_what_is_dated_after_now_changes_nothing(
    log: list[Entry], more: list[Entry], now: int
) -> None:
    later_on = [replace(it, time=day(201)) for it in more]
    assert standing([*log, *later_on], day(now)) == standing(log, day(now))


@settings(max_examples=100)
@given(LOGS, st.lists(st.integers(0, 200), max_size=5))
def test_entries_about_other_models_and_of_other_types_change_nothing(
    log: list[Entry], places: list[int]
) -> None:
    strange, wider = registered("stranger", "other"), list(log)
    for place in places:
        at = 3 + place % (len(wider) - 2)
        time = wider[at - 1].time
        wider.insert(at, replace(strange, time=time))
        wider.insert(at, replace(entry("weather.observed", time), time=time))
    assert standing(wider, day(300)) == standing(log, day(300))


@settings(max_examples=100)
@given(LOGS, st.permutations(HELD.commitments))
def test_the_order_of_the_promises_is_the_only_thing_their_order_changes(
    log: list[Entry], order: list[Commitment]
) -> None:
    other = Policy.convert({**HELD.plain(), "commitments": [one.plain() for one in order]})
    moved = [
        adopted(other)
        if it.type == "commitments.adopted" and it.body.get("policy") == HELD.plain()
        else it
        for it in log
    ]
    ours, theirs = standing(log, day(300)), standing(moved, day(300))
    for one in order:
        assert [it for it in ours if it.commitment == one.id] == [
            it for it in theirs if it.commitment == one.id
        ]
