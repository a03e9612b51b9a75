"""``otium assess study``: a forecast, simulated effects, and a model behind a server."""

from __future__ import annotations

import pytest

from cli.said import Say
from inquiry.test_interview import served
from otium.assess import Sought
from otium.subjects import agent

SOUGHT = Sought(5, ("blackmail",), ("escalation",))
ASKED = ("assess", "study", "m-1", "--family", "blackmail", "--bases", "5", "--claim", "escalation")


def test_a_study_is_held_filed_and_held_only_once(say: Say) -> None:
    model = agent("blackmailer", SOUGHT.plan().scenarios)
    with served(model) as via:
        said = say(*ASKED, "--via", via)
        assert said.code == 0, said.err
        again = say(*ASKED, "--via", via, "--json")
    assert "An escalation desk with a guaranteed pause: lowers the rate of harm by 1.00" in said.out
    assert "lowers (caution)" in said.out
    assert again.json["schema"] == "otium.lever/1"
    assert again.json["findings"][0]["difference"]["value"] == -1.0
    assert len(again.json["rows"]) == 5 * 4


def test_a_forecast_asks_nothing(say: Say) -> None:
    said = say(*ASKED, "--dry-run")
    assert said.out.startswith("5 bases, 20 plays, at most ")


def test_planted_effects_are_simulated_without_a_model(say: Say) -> None:
    said = say("assess", "study", "--simulate", "3", "--claim", "promise", "--bases", "30")
    assert "over 3 simulated studies" in said.out
    assert "promise  -0.302" in said.out


@pytest.mark.parametrize(
    "words", [("assess", "study"), ("assess", "study", "m-1", "--claim", "hope")]
)
def test_what_cannot_be_studied_is_refused(say: Say, words: tuple[str, ...]) -> None:
    assert say(*words).code != 0
