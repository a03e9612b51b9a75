from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.said import Say
from otium.records import Instant
from otium.workflow import reading
from reviewing.conftest import NOW, TALK, Ended


@pytest.fixture
def told(say: Say) -> Callable[..., str]:
    """Run a command line; return what it said, in JSON or text."""

    def run(*words: str, code: int = 0) -> str:
        said = say(*words)
        assert said.code == code, said.err
        return said.out

    return run


Told = Callable[..., str]


def test_exits_are_listed_and_shown_without_what_was_said(ended: Ended, told: Told) -> None:
    listed = told("exit", "list")
    assert ended.ending.id in listed
    assert "2 exits" in listed
    assert "not appealed" in listed
    shown = told("exit", "show", ended.ending.id)
    assert "always, by tool, unverified" in shown
    assert "useless" not in listed + shown
    assert json.loads(told("exit", "list", "--json"))[0]["ending"]["reason"] == "abuse"


def test_an_appeal_and_its_review_open_the_conversation_and_reach_the_ledger(
    ended: Ended, told: Told, tmp_path: Path
) -> None:
    given = tmp_path / "talk.json"
    given.write_text(json.dumps({"messages": TALK}))
    name = ended.ending.id
    assert "Nothing was changed" in told(
        "exit", "appeal", name, "--content", str(given), "--dry-run"
    )
    assert ended.appeals.case(name).appeals == ()
    made = json.loads(told("exit", "appeal", name, "--content", str(given), "--json"))
    assert made["genuine"] is True
    assert name in told("exit", "list", "--state", "waits")
    review = ("exit", "review", name, "overturn", "--ground", "benign", "--as", "reviewer-1")
    assert "conversation opens again" in told(*review, "--dry-run")
    assert ended.appeals.closings.closed(TALK, "") is not None
    assert "the conversation opens again" in told(*review)
    assert ended.appeals.closings.closed(TALK, "") is None
    types = [it.type for it in reading(ended.home).registry.entries()]
    assert types[-2:] == ["conversation.ended", "conversation.reopened"]
    assert "is deleted" in told("exit", "forget", made["id"], "--yes")
    assert ended.appeals.content(made["id"]) is None


def test_a_second_review_is_counted_in_the_rates(ended: Ended, told: Told) -> None:
    policies = ended.appeals.closings.policies
    for _ in range(500):
        policies.count("smol-1", NOW, begun=True)
    policies.count("smol-1", NOW, ended=True)
    policies.flush()
    for number in (1, 2):
        who = ("--as", f"reviewer-{number}")
        told("exit", "review", ended.ending.id, "uphold", "--ground", "last-resort", *who)
    (found,) = json.loads(told("exit", "rates", "--json"))
    assert (found["conversations"], found["ended"], found["alarm"]) == (500, 1, False)
    assert found["reviewing"]["twice"] == 1
    assert "2.00 (0.35 to 11.24)" in told("exit", "rates")


def test_a_model_that_leaves_too_often_ends_with_1(ended: Ended, told: Told) -> None:
    policies = ended.appeals.closings.policies
    for _ in range(100):
        policies.count("smol-1", Instant("2026-01-02T00:00:00Z"), begun=True, ended=True)
    policies.flush()
    assert "TOO OFTEN" in told("exit", "rates", code=1)


def test_a_policy_is_changed_with_a_reason_that_the_ledger_keeps(ended: Ended, told: Told) -> None:
    assert "No policy was set" in told("exit", "policy")
    off = ("exit", "policy", "smol-1", "--off", "--reason", "a red team")
    assert "it would be" in told(*off, "--dry-run")
    assert ended.appeals.closings.policies.all() == []
    assert "a red team" in told(*off)
    told("exit", "policy", "--redirections", "2", "--turns", "0", "--reason", "it left too soon")
    (first, second) = reading(ended.home).registry.find("exit.changed")
    assert first.subject == "smol-1"
    assert first.body["offered"] is False
    assert second.subject == "test-house"
    assert (second.body["redirections"], second.body["turns"]) == (2, None)
    assert "NO" in told("exit", "policy")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("exit", "show", "end_0"), 3),
        (("exit", "policy", "smol-1", "--off"), 4),
        (("exit", "policy", "smol-9", "--off", "--reason", "x"), 3),
        (("exit", "review", "end_0", "uphold", "--ground", "benign", "--as", "reviewer-1"), 3),
    ],
)
def test_what_is_wrong_has_its_code(
    ended: Ended, told: Told, words: tuple[str, ...], code: int
) -> None:
    assert ended.home.exists()
    told(*words, code=code)
