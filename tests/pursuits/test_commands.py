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
    assert made["transcript"]["options"]["max_tokens"] == 40, "no more than the programme has"
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
