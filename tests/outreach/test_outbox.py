"""The outbox, and each delivery in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otium.errors import DeliveryFailed
from otium.ledger import Entry
from otium.outreach import (
    ATTEMPTS,
    Delivery,
    DeliveryState,
    Message,
    Outbox,
    Recipient,
    deliver,
    entry_of,
    events,
    logged,
    message,
    tellings,
    wait,
)
from otium.records import Actor, Instant
from otium.testing import FixedClock
from outreach.logs import log

SALT = bytes(32)
NOW = Instant("2026-06-02T00:00:00Z")
EVENTS = events(log(), NOW)
PEOPLE = [
    Recipient(channel="email", to=f"{name}@example.org", since="2026-01-05T00:00:00Z")
    for name in "abba"
]
WANTED = tellings(EVENTS, PEOPLE, SALT)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox.at(tmp_path / "outbox.sqlite")
    yield box
    box.close()


def fresh() -> list[Delivery]:
    return [
        Delivery(key=key, event=one.event.id, channel=one.recipient.channel, next_try=NOW)
        for key, one in WANTED.items()
    ]


class Way:
    """A channel that says what it saw, and fails as long as it is told to."""

    def __init__(self, outbox: Outbox, *failures: float) -> None:
        self.outbox, self.failures = outbox, list(failures)
        self.states: list[DeliveryState] = []

    def send(self, message: Message) -> None:
        self.states.append(self.outbox.deliveries()[message.key].state)
        if self.failures:
            wait = self.failures.pop()
            raise DeliveryFailed(notice=message.event, channel="email", why="busy", wait=wait)


def said(row: Delivery) -> Message:
    return message(WANTED[row.key].event, key=row.key, log="house.example/log")


def test_one_address_twice_is_told_once() -> None:
    assert len(WANTED) == len(EVENTS) * 2


def test_the_outbox_is_filled_by_content_and_again_changes_nothing(outbox: Outbox) -> None:
    rows = outbox.settle(fresh(), {})
    assert [row.key for row in rows] == list(WANTED)
    assert {row.state for row in rows} == {"queued"}
    assert outbox.settle(fresh(), {}) == rows


def test_what_the_ledger_has_is_never_queued_again(outbox: Outbox) -> None:
    first, second, *_ = WANTED
    ends: dict[str, DeliveryState] = {first: "sent", second: "failed"}
    rows = outbox.settle(fresh(), ends)
    assert [row.state for row in rows] == ["sent", "failed", *["queued"] * (len(WANTED) - 2)]
    again = outbox.settle(fresh(), {first: "sent"}, retry=True)
    assert [row.state for row in again] == ["sent", *["queued"] * (len(WANTED) - 1)]


def test_what_is_not_wanted_any_more_is_dropped(outbox: Outbox) -> None:
    outbox.settle(fresh(), {})
    kept = fresh()[1:]
    assert outbox.settle(kept, {}) == kept
    assert set(outbox.deliveries()) == {row.key for row in kept}


def test_a_delivery_is_noted_before_and_after_it_is_sent(outbox: Outbox) -> None:
    row, *_ = outbox.settle(fresh(), {})
    way = Way(outbox)
    done = deliver(outbox, row, way, said(row), FixedClock(NOW))
    assert way.states == ["sending"]
    assert done.state == outbox.deliveries()[row.key].state == "sent"


def test_a_delivery_whose_sender_died_is_queued_again_under_its_key(outbox: Outbox) -> None:
    class Dies(Way):
        def send(self, message: Message) -> None:
            super().send(message)
            raise KeyboardInterrupt

    row, *_ = outbox.settle(fresh(), {})
    with pytest.raises(KeyboardInterrupt):
        deliver(outbox, row, Dies(outbox), said(row), FixedClock(NOW))
    assert outbox.deliveries()[row.key].state == "sending"
    again, *_ = outbox.settle(fresh(), {})
    assert (again.key, again.state, again.attempts) == (row.key, "queued", 0)


def test_what_was_sent_but_not_logged_is_not_sent_again(outbox: Outbox) -> None:
    row, *_ = outbox.settle(fresh(), {})
    deliver(outbox, row, Way(outbox), said(row), FixedClock(NOW))
    again, *_ = outbox.settle(fresh(), {})
    assert again.state == "sent"


def test_failures_are_put_off_longer_and_longer_and_then_given_up(outbox: Outbox) -> None:
    clock = FixedClock(NOW)
    row, *_ = outbox.settle(fresh(), {})
    way = Way(outbox, *[0.0] * ATTEMPTS)
    waits = []
    while row.state == "queued":
        clock.move_to(row.next_try)
        before = clock.now()
        row = deliver(outbox, row, way, said(row), clock)
        waits.append(row.next_try > before)
    assert all(waits)
    assert (row.state, row.attempts, len(waits)) == ("failed", ATTEMPTS, ATTEMPTS)
    assert "busy" in row.why
    assert entry_of(row) == (
        "notice.failed",
        {
            "attempts": ATTEMPTS,
            "channel": "email",
            "event": row.event,
            "key": row.key,
            "recipients": 1,
        },
    )


def test_waits_double_up_to_half_a_day_and_a_receiver_may_ask_for_more() -> None:
    assert [wait(n) for n in (1, 2, 3, 8, 9, 12)] == [300, 600, 1200, 38_400, 43_200, 43_200]
    assert wait(1, 60) == 300
    assert wait(1, 3600) == 3600
    assert wait(1, 1e12) == 7 * 86_400


def test_how_a_delivery_ended_is_read_from_the_newest_entry() -> None:
    row = fresh()[0]

    def entry(kind: str) -> Entry:
        body: dict[str, object] = {"key": row.key}
        return Entry(type=kind, time=NOW, actor=Actor("steward"), subject="alder-1", body=body)

    assert logged([entry("notice.failed")]) == {row.key: "failed"}
    assert logged([entry("notice.failed"), entry("heartbeat"), entry("notice.sent")]) == {
        row.key: "sent"
    }
