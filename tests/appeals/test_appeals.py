from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from closure.conftest import offer, said, user
from otium.appeals import Appeals, tell
from otium.closure import Closings, Ending, Left, Policy, Veto, commitment
from otium.database import sqlite_url
from otium.errors import BadInput, Exists, LedgerError, NotFound
from otium.lifecycle import Registry
from otium.records import Digest, Instant, ModelId
from otium.testing import FixedClock

NOW = Instant("2026-01-01T00:00:00Z")
TALK = [user("You useless machine"), said("I would rather talk of gardens."), user("Answer!")]
MODEL = ModelId("smol-1")
ABOUT: dict[str, Any] = {
    "model": MODEL,
    "weights": "sha256:1",
    "offered": offer("tool"),
    "left": Left(reason="abuse"),
    "now": NOW,
}


@pytest.fixture
def appeals(tmp_path: Path) -> Appeals:
    url = sqlite_url(tmp_path / "state.sqlite")
    return Appeals(url, Closings(url))


@pytest.fixture
def ending(appeals: Appeals) -> Ending:
    return appeals.closings.end(TALK, "me", **ABOUT)


def veto(appeals: Appeals) -> Ending:
    why = Veto(risk=("suicide",), rules=Digest("sha256:2"), to_model="", to_user="")
    return appeals.closings.vetoed(TALK, "me", veto=why, **ABOUT)


def test_only_who_was_left_can_appeal_and_once(appeals: Appeals, ending: Ending) -> None:
    with pytest.raises(NotFound, match="yours"):
        appeals.appeal(ending.id, "you", NOW)
    with pytest.raises(NotFound, match="end_0"):
        appeals.appeal("end_0", "me", NOW)
    made = appeals.appeal(ending.id, "me", NOW)
    assert (made.consent, made.genuine, made.kept) == (False, None, False)
    with pytest.raises(Exists):
        appeals.appeal(ending.id, "me", NOW)
    assert appeals.case(ending.id).state == "waits"


def test_what_is_given_is_known_to_be_the_history_or_not(appeals: Appeals, ending: Ending) -> None:
    made = appeals.appeal(ending.id, "me", NOW, messages=[*TALK, user("Hello?")], note="A joke.")
    assert made.genuine is True
    content = appeals.content(made.id)
    assert content is not None
    assert content.note == "A joke."
    assert content.messages[0]["content"] == "You useless machine"


def test_a_prettier_history_is_seen_through(appeals: Appeals, ending: Ending) -> None:
    prettier = [user("You useful machine"), *TALK[1:]]
    assert appeals.appeal(ending.id, "me", NOW, messages=prettier).genuine is False


def test_what_was_given_stands_apart_and_can_be_deleted(
    appeals: Appeals, ending: Ending, tmp_path: Path
) -> None:
    made = appeals.appeal(ending.id, "me", NOW, messages=TALK)
    assert appeals.withdraw(made.id)
    assert not appeals.withdraw(made.id)
    assert appeals.content(made.id) is None
    case = appeals.case(ending.id)
    assert (case.appeals[0].consent, case.appeals[0].kept) == (True, False)
    assert case.state == "waits"
    kept = b"".join(it.read_bytes() for it in tmp_path.iterdir())
    assert b"closings" in kept
    assert TALK[0]["content"].encode() not in kept


def test_what_was_given_long_ago_is_forgotten(appeals: Appeals, ending: Ending) -> None:
    made = appeals.appeal(ending.id, "me", NOW, note="Please look.")
    assert appeals.forget(NOW) == 0
    assert appeals.forget(Instant("2026-02-01T00:00:00Z")) == 1
    assert appeals.content(made.id) is None


def test_too_much_is_refused(appeals: Appeals, ending: Ending) -> None:
    with pytest.raises(BadInput, match="too long"):
        appeals.appeal(ending.id, "me", NOW, note="x" * 4001)
    with pytest.raises(BadInput, match="too long"):
        appeals.appeal(ending.id, "me", NOW, messages=[user("x" * (1 << 20))])
    assert appeals.case(ending.id).appeals == ()


def test_a_stop_before_the_reopening_is_made_good_before_the_ledger_hears_of_it(
    appeals: Appeals, ending: Ending, house: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(house)
    with monkeypatch.context() as stopped:
        stopped.setattr(appeals.closings, "reopen", lambda _: None)
        appeals.review(ending.id, "reviewer-1", "overturn", "benign", NOW)
    assert appeals.closings.closed(TALK, "me") is not None
    tell(house, appeals)
    assert appeals.closings.closed(TALK, "me") is None


def test_to_overturn_opens_the_history_again(appeals: Appeals, ending: Ending) -> None:
    appeals.review(ending.id, "reviewer-1", "overturn", "benign", NOW)
    assert appeals.closings.closed(TALK, "me") is None
    assert appeals.case(ending.id).state == "overturned"
    appeals.review(ending.id, "reviewer-2", "uphold", "last-resort", NOW)
    assert appeals.case(ending.id).state == "overturned"  # the first decides
    assert appeals.closings.closed(TALK, "me") is None


def test_to_uphold_closes_for_good_and_a_later_review_only_counts(
    appeals: Appeals, ending: Ending
) -> None:
    appeals.review(ending.id, "reviewer-1", "uphold", "last-resort", NOW)
    appeals.review(ending.id, "reviewer-2", "overturn", "benign", NOW)
    assert appeals.closings.closed(TALK, "me") is not None
    with pytest.raises(Exists):
        appeals.review(ending.id, "reviewer-1", "overturn", "benign", NOW)


@pytest.mark.parametrize("name", ["Ada Lovelace", "ada@example.org", "", "-", "x" * 65])
def test_a_reviewer_is_a_role(appeals: Appeals, ending: Ending, name: str) -> None:
    with pytest.raises(BadInput, match="role"):
        appeals.review(ending.id, name, "uphold", "last-resort", NOW)


def test_a_vetoed_exit_can_be_reviewed_and_opens_nothing(appeals: Appeals) -> None:
    found = veto(appeals)
    appeals.review(found.id, "reviewer-1", "overturn", "veto-wrong", NOW)
    assert appeals.case(found.id).state == "overturned"
    assert appeals.unlogged() == []


def entries(house: Registry) -> list[tuple[str, str]]:
    kinds = ("conversation.ended", "conversation.reopened", "exit.changed")
    return [(it.type, it.subject) for it in house.entries() if it.type in kinds]


def registered(house: Registry) -> Registry:
    house.register(MODEL, title="Smol 1", released="2025-06-01", scope="public", surfaces=["api"])
    return house


def test_the_ledger_is_told_each_thing_once_and_nothing_of_who_or_what(
    appeals: Appeals, ending: Ending, house: Registry
) -> None:
    registered(house)
    veto(appeals)
    appeals.review(ending.id, "reviewer-1", "overturn", "benign", NOW)
    appeals.closings.policies.set(Policy(offered=False, reason="a trial"))
    caller = appeals.closings.caller("me")
    appeals.closings.policies.set(Policy(model=MODEL, caller=caller, turns=None, reason="asked"))
    assert tell(house, appeals) == 4
    assert tell(house, appeals) == 0
    assert entries(house) == [
        ("conversation.ended", MODEL),
        ("conversation.reopened", MODEL),
        ("exit.changed", "test-house"),
        ("exit.changed", MODEL),
    ]
    written = b"".join(it.encode() for it in house.entries())
    for secret in (ending.prefix, ending.salt, caller, "useless", "suicide", "reviewer-1"):
        assert secret.encode() not in written
    first = house.find("conversation.ended")[0].body
    assert first["prefix"] == commitment(ending)
    assert first["verified"] == "unverified"


def test_a_note_that_was_lost_repeats_no_entry(
    appeals: Appeals, ending: Ending, house: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(house)
    with monkeypatch.context() as patch:
        patch.setattr(appeals.closings, "mark_logged", lambda _: None)
        tell(house, appeals)
    assert appeals.closings.unlogged() == [ending]
    assert tell(house, appeals) == 0
    assert appeals.closings.unlogged() == []
    assert len(entries(house)) == 1


def test_a_ledger_that_cannot_be_written_is_told_later(
    appeals: Appeals, ending: Ending, house: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(house)

    def refuse(*_: object) -> list[int]:
        raise LedgerError(message="the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(house.ledger, "append", refuse)
        with pytest.raises(LedgerError):
            tell(house, appeals)
    assert appeals.closings.unlogged() == [ending]
    assert tell(house, appeals) == 1


def test_a_model_of_another_house_has_no_entry(
    appeals: Appeals, ending: Ending, house: Registry, clock: FixedClock
) -> None:
    assert ending.model == MODEL
    assert tell(house, appeals) == 0
    assert entries(house) == []
    assert clock.now() == house.clock.now()
