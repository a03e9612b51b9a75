from __future__ import annotations

from commitments.promised import (
    EVERY,
    FLOOR,
    NOTICE,
    WITHIN,
    adopted,
    changed,
    day,
    deprecated,
    entry,
    founded,
    policy,
    registered,
)
from otium.commitments import Policy, amendments, standing
from otium.ledger import Entry
from otium.records import Instant

YEARLY = changed(EVERY, days=365)
Row = tuple[str, str, str, str]


def log(*entries: Entry, first: Policy) -> list[Entry]:
    birch = registered("birch")
    deposits = [entry("model.deposited", day(1), name) for name in ("alder", "birch")]
    return [founded(), registered(), birch, adopted(first), *deposits, *entries]


def rows(entries: list[Entry], now: Instant) -> list[Row]:
    return [(it.commitment, it.subject, it.state, it.under) for it in standing(entries, now)]


def test_without_an_adoption_nothing_is_promised() -> None:
    assert standing([founded(), registered()], day(9)) == []
    assert amendments([founded(), registered()], day(9)) == []


def test_what_was_late_when_a_policy_was_replaced_stays_on_record() -> None:
    late = log(adopted(policy(YEARLY, version="2"), day(100)), first=policy(EVERY))
    assert rows(late, day(101)) == [
        ("e", "alder", "overdue", "1"),
        ("e", "birch", "overdue", "1"),
        ("e", "alder", "due", "2"),
        ("e", "birch", "due", "2"),
    ]
    assert rows(late, day(99)) == [("e", "alder", "overdue", "1"), ("e", "birch", "overdue", "1")]


def test_a_promise_amended_midway_still_binds_for_a_model_that_was_deprecated() -> None:
    moved = log(
        deprecated(day(10), api=day(99)),
        adopted(policy(YEARLY, version="2"), day(50), "reading is dear"),
        first=policy(EVERY),
    )
    assert rows(moved, day(60))[0] == ("e", "alder", "due", "1")
    assert rows(moved, day(95)) == [
        ("e", "alder", "overdue", "1"),
        ("e", "alder", "due", "2"),
        ("e", "birch", "due", "2"),
    ]


def test_a_promise_withdrawn_midway_still_binds_for_a_model_that_was_deprecated() -> None:
    dropped = log(
        deprecated(day(10), api=day(99)),
        adopted(policy(version="2"), day(50)),
        entry("model.retired", day(60)),
        first=policy(NOTICE),
    )
    assert rows(dropped, day(55)) == [("n", "alder", "kept", "1")]
    assert rows(dropped, day(61)) == [("n", "alder", "breached", "1")]


def test_a_cancelled_deprecation_carries_nothing() -> None:
    cancelled = log(
        deprecated(day(10), api=day(99)),
        entry("deprecation.cancelled", day(20)),
        adopted(policy(version="2"), day(50)),
        first=policy(EVERY),
    )
    assert rows(cancelled, day(60)) == []


def test_a_promise_that_several_policies_made_is_carried_once_by_the_last() -> None:
    entries = log(
        deprecated(day(10), api=day(99)),
        adopted(policy(EVERY, WITHIN, version="2"), day(20)),
        adopted(policy(WITHIN, version="3"), day(30)),
        first=policy(changed(EVERY, text="in other words")),
    )
    assert rows(entries, day(31))[:1] == [("e", "alder", "due", "2")]
    assert [row[0] for row in rows(entries, day(31))] == ["e", "w", "w"]


def test_what_is_carried_is_not_listed_as_past_a_second_time() -> None:
    entries = log(
        deprecated(day(10), api=day(200)),
        adopted(policy(version="2"), day(100)),
        first=policy(EVERY),
    )
    assert rows(entries, day(101)) == [
        ("e", "birch", "overdue", "1"),
        ("e", "alder", "overdue", "1"),
    ]


def test_going_back_to_an_old_policy_takes_its_promises_up_again() -> None:
    entries = log(
        deprecated(day(10), api=day(99)),
        adopted(policy(version="2"), day(20)),
        adopted(policy(EVERY), day(30)),
        first=policy(EVERY),
    )
    assert rows(entries, day(40)) == [("e", "alder", "due", "1"), ("e", "birch", "due", "1")]


def test_an_amendment_shows_with_its_time_version_and_reason() -> None:
    first = policy(EVERY, NOTICE, WITHIN)
    reworded = changed(WITHIN, text="new words", owner="archivist")
    second = policy(FLOOR, reworded, YEARLY, version="2")
    entries = [
        founded(),
        adopted(first),
        adopted(first),
        adopted(second, day(3), "it was too much"),
    ]
    found = amendments(entries, day(9))
    assert [(it.commitment, it.change) for it in found] == [
        ("e", "amended"),
        ("n", "withdrawn"),
        ("f", "added"),
    ]
    assert {(it.at, it.version, it.reason) for it in found} == {(day(3), "2", "it was too much")}
    assert amendments(entries, day(2)) == []
