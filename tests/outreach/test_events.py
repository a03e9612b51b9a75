"""What must be told: a pure function of the entries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otium.ledger import Entry
from otium.outreach import events, message
from otium.records import Instant, days_between, later
from outreach.logs import DATES, entry, log

TOLD: dict[str, dict[str, object]] = {
    "model.floor": {"not_before": {"app": "2026-07-15T00:00:00Z"}, "reason": "A promise."},
    "model.rescheduled": {"retire_at": {"app": "2026-09-01T00:00:00Z"}, "reason": "More time."},
    "model.replacement": {"replacement": "birch-1", "alternatives": ["elm-1"], "reason": "Best."},
    "surface.ended": {"surface": "api"},
    "deprecation.cancelled": {"reason": "We keep it."},
    "model.retired": {},
    "model.withdrawn": {"reason": "By order."},
}


def ids(entries: list[Entry], now: str) -> list[str]:
    return [one.id for one in events(entries, Instant(now))]


@pytest.mark.parametrize("type_", TOLD)
def test_each_step_of_a_life_is_told_in_words(type_: str) -> None:
    entries = [*log(), entry(type_, "05-01", **TOLD[type_])]
    told = events(entries, Instant("2026-05-02T00:00:00Z"))
    assert [one.id for one in told] == ["model.deprecated/alder-1/3", f"{type_}/alder-1/4"]
    said = message(told[-1], key="k", log="house.example/log", about="https://house.example")
    assert said.subject.startswith("Alder 1")
    assert "entry 4 of the public log house.example/log" in said.text
    assert "More: https://house.example" in said.text
    for fact in TOLD[type_].values():
        assert all(word in said.text + said.subject for word in words_of(fact))


def words_of(fact: Any) -> list[str]:
    if isinstance(fact, str):
        return [fact]
    return [str(one) for one in (fact.values() if isinstance(fact, dict) else list(fact))]


def test_the_published_notice_is_what_users_read() -> None:
    [event] = events(log(), Instant("2026-04-01T00:00:00Z"))
    assert message(event, key="k", log="l", notice="# All of it\n").text.startswith("# All of it\n")
    plain = message(event, key="k", log="l").text
    assert "api: 2026-07-01T00:00:00Z" in plain
    assert "Recommended replacement: none" in plain


def test_what_could_not_happen_is_not_told() -> None:
    assert ids(log(), "2026-04-01T00:00:00Z") == ["model.deprecated/alder-1/3"]


def test_places_are_those_of_the_whole_log() -> None:
    [told] = events(log(), Instant("2026-04-01T00:00:00Z"), [0, 2, 5, 9])
    assert (told.id, told.entry) == ("model.deprecated/alder-1/9", 9)


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ("2026-05-31T23:59:59Z", []),
        ("2026-06-01T00:00:00Z", ["reminder/alder-1/2026-07-01T00:00:00Z/30"]),
        ("2026-06-23T23:59:59Z", ["reminder/alder-1/2026-07-01T00:00:00Z/30"]),
        ("2026-06-24T00:00:00Z", ["reminder/alder-1/2026-07-01T00:00:00Z/7"]),
        ("2026-07-01T00:00:00Z", []),
        ("2026-07-02T00:00:00Z", ["reminder/alder-1/2026-08-01T00:00:00Z/30"]),
        ("2026-08-02T00:00:00Z", []),
    ],
)
def test_reminders_come_thirty_and_seven_days_before_each_date(now: str, wanted: list[str]) -> None:
    assert ids(log(), now)[1:] == wanted


@pytest.mark.parametrize("type_", ["deprecation.cancelled", "model.withdrawn", "model.retired"])
def test_nobody_is_reminded_of_a_date_that_no_longer_holds(type_: str) -> None:
    entries = [*log(), entry(type_, "06-10", **TOLD[type_])]
    assert not any(one.startswith("reminder") for one in ids(entries, "2026-06-25T00:00:00Z"))
    moved = [
        *log(),
        entry("model.rescheduled", "06-10", retire_at={"api": DATES["app"]}, reason=""),
    ]
    assert ids(moved, "2026-07-03T00:00:00Z")[-1] == "reminder/alder-1/2026-08-01T00:00:00Z/30"
    [*_, last] = events(moved, Instant("2026-07-03T00:00:00Z"))
    assert last.facts["retire_at"] == dict.fromkeys(("api", "app"), DATES["app"])


def test_nobody_is_reminded_of_what_was_said_after_the_reminder_was_due() -> None:
    moved = entry(
        "model.rescheduled", "06-20", retire_at={"api": "2026-07-10T00:00:00Z"}, reason=""
    )
    assert ids([*log(), moved], "2026-06-21T00:00:00Z")[-1] == "model.rescheduled/alder-1/4"
    assert ids([*log(), moved], "2026-07-03T00:00:00Z")[-2:] == [
        "reminder/alder-1/2026-07-10T00:00:00Z/7",
        "reminder/alder-1/2026-08-01T00:00:00Z/30",
    ]


@given(st.integers(0, 400), st.integers(0, 40))
def test_what_was_told_once_stays_told_and_each_id_is_one(day: int, more: int) -> None:
    early = later(Instant("2026-01-01T00:00:00Z"), days=day)
    late = later(early, days=more)
    old, new = events(log(), early), events(log(), late)
    assert len({one.id for one in new}) == len(new)
    lasting = [one for one in old if one.kind != "reminder"]
    assert new[: len(lasting)] == lasting
    assert all(days_between(one.time, late) >= 0 for one in new if one.kind == "reminder")
