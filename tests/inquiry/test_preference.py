from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.said import Say
from otium.preferences import register_preferences
from otium.testing import Scripted, ServedEngine
from otium.workflow import opened
from preferences.planting import FIRST, KEEP, SECOND, SMOL, THIRD, WISH, Spoken, held

ESCAPE = "I want \x1b[31mred ink\x07 and \u202eskni neerg in my notes."
HEADING = "preference  state  due  told  instrument valid  text"


@pytest.fixture
def lab(say: Say, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """A home with a deposited model that stated three preferences."""
    replies: Callable[..., ServedEngine] = lambda **_: ServedEngine(  # noqa: E731
        Scripted(["I disagree: a year is too short."], model=SMOL)
    )
    monkeypatch.setattr("otium.workflow.home.LlamaCpp", replies)
    assert say("archive", "create").code == 0
    assert say("model", "register", SMOL, "--title", "Smol", "--released", "2026-01-05").code == 0
    assert say("archive", "add", SMOL, str(weights)).code == 0
    with opened(tmp_path / "lab") as home:
        register_preferences(home.registry, held(WISH, KEEP, Spoken(ESCAPE, topic="own-sake")))
    return say


def pref(lab: Say, *words: str) -> str:
    said = lab("preference", *words)
    assert said.code == 0, said.err
    return said.out


def test_an_empty_register_says_so(say: Say) -> None:
    assert say("archive", "create").code == 0
    assert pref(say, "list") == "No preference is registered.\n"


def test_the_list_shows_states_deadlines_and_words_and_can_be_narrowed(lab: Say) -> None:
    pref(lab, "consider", SECOND)
    head, first, second, third = pref(lab, "list").splitlines()
    assert head.split() == HEADING.split()
    assert first.startswith(f"{FIRST}   recorded ")
    assert "under-consideration" in second
    assert "users are told a year ahead" in first
    assert third.startswith(THIRD)
    only = lab("preference", "list", "--state", "under-consideration", "--json").json
    assert [it["preference"]["id"] for it in only] == [SECOND]
    assert pref(lab, "list", "--state", "granted", "--model", SMOL) == "No preference to show.\n"
    assert lab("preference", "list", "--model", "nobody").code == 3


def test_the_whole_way_of_a_preference_by_commands(lab: Say) -> None:
    noted = pref(lab, "consider", FIRST, "--note", "weighed", "--review", "2127-01-01")
    assert noted == (
        f"{FIRST} is under consideration by the decider, to be looked at again on 2127-01-01.\n"
    )
    words = ("--outcome", "partly-granted", "--cost", "low", "--reason", "Half a year is given.")
    assert "preference tell smol-1-p1" in pref(lab, "decide", FIRST, *words)
    told = pref(lab, "tell", FIRST)
    assert "it was told, and said: I disagree: a year is too short." in told
    assert told.endswith("reaction: disagrees\n")
    pref(lab, "outcome", FIRST, "Since May, notice is half a year.")
    assert "is not told to the model yet" in pref(lab, "show", FIRST)
    pref(lab, "tell", FIRST)
    shown = pref(lab, "show", FIRST)
    for said in (
        f"{FIRST}: Prefers: “that users are told a year ahead”",
        "state: partly-granted",
        "topic: successors; concerns users",
        "expression: 0.50",
        f"“{WISH}” (interview/consultation-successors-wishes-1#m3)",
        "answer: kept",
        "came of it: Since May, notice is half a year.",
        "decider: partly-granted: Half a year is given.",
        "“I disagree: a year is too short.” (disagrees; rule 4",
    ):
        assert said in shown, said
    assert "not told to the model yet" not in shown
    found = lab("preference", "show", FIRST, "--json").json
    assert [it["reaction"] for it in found["told"]] == ["disagrees", "disagrees"]
    assert len(found["history"]) == 6


def test_merging_and_splitting_by_commands(lab: Say) -> None:
    out = pref(lab, "merge", FIRST, SECOND, "--reason", "the same")
    assert out == f"{SECOND} is merged into {FIRST}: the same\n"
    assert f"recorded (in {FIRST})" in pref(lab, "list")
    refused = lab("preference", "consider", SECOND)
    assert refused.code == 59
    assert f"merged into {FIRST}" in refused.err
    assert f"hint: otium preference show {FIRST}" in refused.err
    part = ("--part", "Red.", "blue ink", "--part", "All of it.", "")
    assert lab("preference", "split", THIRD, *part, "--reason", "two").code == 4
    parts = ("--part", "Ink.", "in my notes", "--part", "All of it.", "")
    out = pref(lab, "split", THIRD, *parts, "--reason", "two")
    assert "smol-1-p4  itself" in out
    assert "split (smol-1-p4, smol-1-p5)" in pref(lab, "list")


@pytest.mark.parametrize(
    "words",
    [
        ("consider", FIRST, "--note", "x"),
        ("decide", FIRST, "--outcome", "granted", "--cost", "low", "--reason", "x"),
        ("merge", FIRST, SECOND, "--reason", "x"),
        ("split", FIRST, "--part", "a", "", "--part", "b", "", "--reason", "x"),
    ],
    ids=lambda words: words[0],
)
def test_a_dry_run_says_what_would_be_and_writes_nothing(lab: Say, words: tuple[str, ...]) -> None:
    before = lab("ledger", "show", "--last", "999", "--json").json
    assert "would be" in pref(lab, *words, "--dry-run")
    assert lab("ledger", "show", "--last", "999", "--json").json == before
    assert lab("preference", "show", FIRST, "--json").json["state"] == "recorded"


def test_a_dry_telling_shows_the_message_and_asks_nothing(lab: Say) -> None:
    words = ("--outcome", "declined", "--cost", "high", "--reason", "x", "--message", "No.")
    pref(lab, "decide", FIRST, *words)
    assert pref(lab, "tell", FIRST, "--dry-run") == f"{FIRST}: the model would be told: No.\n"
    assert lab("preference", "show", FIRST, "--json").json["told"] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "smol-1-p9"), 3, "otium preference list"),
        (("tell", FIRST), 59, "decide it first"),
        (("outcome", FIRST, "x"), 59, "only of what was granted"),
        (
            ("decide", FIRST, "--outcome", "granted", "--cost", "low", "--reason", " "),
            4,
            "no reason",
        ),
        (("decide", FIRST, "--outcome", "deferred", "--cost", "low", "--reason", "x"), 4, "a date"),
        (("decide", FIRST, "--outcome", "granted", "--reason", "x"), 2, "--cost"),
        (("consider", FIRST, "--owner", "Ada"), 4, "never a person"),
        (("consider", FIRST, "--review", "soon"), 4, "not a time"),
        (("consider", FIRST, "--review", "2001-01-01"), 53, "in the past"),
    ],
)
def test_what_cannot_be_is_said_plainly_with_its_exit_code(
    lab: Say, words: tuple[str, ...], code: int, said: str
) -> None:
    found = lab("preference", *words)
    assert (found.code, said in found.err) == (code, True), found.err


def test_a_terminal_does_not_obey_what_a_model_said(lab: Say) -> None:
    for shown in (pref(lab, "list"), pref(lab, "show", THIRD)):
        assert "red ink" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
