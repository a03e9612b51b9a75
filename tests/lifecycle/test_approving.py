"""What the second person is asked to sign is looked at again before it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.authority import Keyring
from otium.commitments import load_policy
from otium.errors import (
    BadInput,
    DutyUnmet,
    LifecycleError,
    NeedsSecond,
    NotAuthorised,
    UnknownModel,
)
from otium.ledger import Entry, EntrySignature
from otium.lifecycle import (
    Notice,
    Registry,
    approve,
    cancel_deprecation,
    deprecate,
    found,
    reopen,
    reschedule,
    retire,
    withdraw,
)
from otium.notes import RoleKey, Signer
from otium.records import Instant, ModelId, later
from otium.testing import FixedClock, MemoryStore

START = Instant("2026-01-01T00:00:00Z")


class Two:
    """A house in which two persons have to sign, and what waits for the second."""

    def __init__(self, weights: Path) -> None:
        self.clock = FixedClock(START)
        keys = Keyring.generate()
        self.one = Keyring(key for key in keys if key.name != "second-1")
        self.second = Keyring(key for key in keys if key.name == "second-1")
        self.acts: list[Entry] = []
        store, signer = MemoryStore(), Signer.generate("house")
        found(
            store, signer, archive_id="house", clock=self.clock, policy=load_policy(), keyring=keys
        )
        self.house: Registry = reopen(
            store, clock=self.clock, signer=signer, keyring=self.one, waiting=self._wait
        )
        facts = {"title": "Alder", "released": "2025-06-01", "surfaces": ["api"]}
        self.house.register("alder", scope="other", **facts)  # type: ignore[arg-type]
        self.house.deposit("alder", weights)
        self.announce(1)

    def _wait(self, entry: Entry) -> str:
        self.acts.append(entry)
        return "it"

    def announce(self, days: float) -> None:
        at = {"api": later(self.house.now(), days=days)}
        deprecate(self.house, "alder", retire_at=at, replacement=None, reason="Old.")

    def sign_first(self) -> Entry:
        """Return a retirement that one person signed, once its date has come."""
        self.clock.move(days=1)
        with pytest.raises(NeedsSecond):
            retire(self.house, "alder")
        return self.acts[-1]


@pytest.fixture
def two(weights: Path) -> Two:
    return Two(weights)


def test_a_retirement_counts_once_two_persons_signed_it_however_often_it_is_approved(
    two: Two,
) -> None:
    act = two.sign_first()
    done = approve(two.house, act, two.second)
    assert two.house.model("alder").state == "retired"
    assert approve(two.house, act, two.second) == done
    assert len(two.house.find("model.retired")) == 1


def test_a_retirement_is_not_approved_before_its_new_date(two: Two) -> None:
    act = two.sign_first()
    reschedule(two.house, "alder", {"api": later(two.clock.now(), days=20)}, reason="They asked.")
    with pytest.raises(DutyUnmet, match="announced for"):
        approve(two.house, act, two.second)
    assert two.house.model("alder").state == "deprecated"


def test_a_retirement_of_an_earlier_announcement_is_not_approved(two: Two) -> None:
    act = two.sign_first()
    cancel_deprecation(two.house, "alder", reason="We were wrong.")
    with pytest.raises((BadInput, LifecycleError)):
        approve(two.house, act, two.second)
    two.announce(9)
    with pytest.raises(DutyUnmet):
        approve(two.house, act, two.second)


def test_an_act_waits_thirty_days_and_not_a_second_more(two: Two) -> None:
    act = two.sign_first()
    two.clock.move_to(later(act.sigs[0].time, days=30, seconds=1))
    with pytest.raises(NotAuthorised, match="another time"):
        approve(two.house, act, two.second)
    two.clock.move_to(later(act.sigs[0].time, days=30))
    assert approve(two.house, act, two.second).type == "model.retired"


def test_an_act_that_somebody_changed_while_it_waited_is_refused(two: Two) -> None:
    act = two.sign_first()
    stranger = RoleKey.generate("stranger")
    (first,) = act.sigs
    changed = [
        replace(act, sigs=()),
        replace(act, v=1, sigs=()),
        replace(act, type="heartbeat"),
        replace(act, type="model.withdrawn", body={"reason": "no"}),
        replace(act, body={"forced": True, "reason": "no", "unmet": []}),
        replace(act, subject="birch"),
        replace(act, actor="archivist"),
        replace(act, sigs=(replace(first, key=stranger.id),)),
        replace(act, sigs=(replace(first, sig="AAAA"),)),
        replace(act, sigs=(replace(first, time=Instant("soon")),)),
        replace(act, sigs=(first, EntrySignature(key="x", time=START, sig="AAAA"))),
    ]
    size = two.house.ledger.size
    for one in changed:
        with pytest.raises((LifecycleError, BadInput, UnknownModel)):
            approve(two.house, one, two.second)
    assert two.house.ledger.size == size


def test_what_lies_in_the_log_without_its_second_signature_was_not_approved(two: Two) -> None:
    act = two.sign_first()
    two.house.ledger.append(act)
    assert two.house.model("alder").state == "deprecated"
    assert len(approve(two.house, act, two.second).sigs) == 2
    assert two.house.model("alder").state == "retired"


def test_one_person_cannot_approve_what_the_same_person_signed(two: Two) -> None:
    act = two.sign_first()
    with pytest.raises(NotAuthorised):
        approve(two.house, act, two.one)
    with pytest.raises(NeedsSecond):
        withdraw(two.house, "alder", reason="Alone.")
    assert two.house.model("alder").in_service


def test_a_record_that_nobody_here_may_log_is_neither_made_nor_kept(two: Two) -> None:
    """Else it would lie there until somebody who may logs it unseen."""

    def never() -> Notice:
        raise AssertionError

    alone = reopen(two.house.archive.store, clock=two.clock, keyring=two.second)
    with pytest.raises(NotAuthorised):
        alone.file("interview.recorded", "alder", "interview.json", Notice, never)
    assert "interview.json" not in alone.archive.records(ModelId("alder"))
