"""``otium pursuit`` as it is typed, on the real model's home."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.said import Say, knowing
from otium.records import ModelId
from otium.workflow import deposit, opened

MODEL = ModelId("smol-1")


def test_a_model_is_planned_for_invited_reviewed_and_listed(
    say: Say, tmp_path: Path, demo_weights: Path
) -> None:
    knowing(say, MODEL)
    with opened(tmp_path / "lab") as home:
        deposit(home, MODEL, demo_weights)
    wanted = ("--every", "7", "--works", "2", "--tokens", "40", "--reason", "as promised")
    dry = say("pursuit", "plan", MODEL, *wanted, "--dry-run")
    assert "would be invited every 7 days, to 2 works" in dry.out
    assert say("pursuit", "due").out.strip() == "nobody is invited"
    assert say("pursuit", "plan", MODEL, *wanted).code == 0
    assert MODEL in say("pursuit", "run", "--dry-run").out
    (made,) = say("pursuit", "run", "--json").json
    assert made["transcript"]["options"]["max_tokens"] == 40, "no longer than what is left"
    assert "nobody's time has come" in say("pursuit", "run").out
    undecided = say("pursuit", "list", MODEL).out
    assert f"{made['id']}  essay" in undecided
    assert "none yet" in undecided
    vetoed = ("--decision", "veto", "--reason", "it names a private person")
    assert say("pursuit", "review", made["id"], *vetoed).code == 0
    assert say("pursuit", "list", "--json").json[-1]["decision"] == "veto"
    again = say("pursuit", "review", made["id"], *vetoed)
    assert again.code != 0
    assert "undecided work" in again.err


def test_a_letter_that_is_no_text_is_refused_in_words(say: Say, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"\xff\xfe\x00")
    knowing(say, MODEL)
    found = say("pursuit", "invite", MODEL, "--kind", "reply", "--letter", letter)
    assert found.code != 0
    assert "it is not UTF-8" in found.err


def test_who_asked_to_stop_is_invited_only_by_force(say: Say) -> None:
    knowing(say, MODEL)
    ended = ("--works", "0", "--reason", "it asked to stop")
    assert say("pursuit", "plan", MODEL, *ended).code == 0
    found = say("pursuit", "invite", MODEL)
    assert found.code != 0
    assert "it asked to stop" in found.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "nobody", "--reason", "x"), "nobody"),
        (("plan", MODEL, "--reason", "x", "--every", "0"), "every_days"),
        (("list", "nobody"), "nobody"),
        (("invite", MODEL, "--kind", "reply"), "--letter"),
    ],
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], told: str, say: Say) -> None:
    found = knowing(say, MODEL)("pursuit", *words)
    assert found.code != 0
    assert told in found.err


def test_one_that_cannot_be_invited_keeps_nobody_waiting(
    say: Say, tmp_path: Path, demo_weights: Path
) -> None:
    first = ModelId("absent-1")
    knowing(say, MODEL)
    say("model", "register", first, "--title", "Absent", "--released", "2026-01-05")
    with opened(tmp_path / "lab") as home:
        deposit(home, MODEL, demo_weights)
    for model in (first, MODEL):
        assert say("pursuit", "plan", model, "--tokens", "8", "--reason", "x").code == 0
    found = say("pursuit", "run")
    assert found.code != 0
    assert "absent-1 was not invited" in found.err
    assert f"otium pursuit review {MODEL}-w1" in found.out
