"""``otium plan capacity`` as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from cli.said import Say
from otium.records import ModelId
from otium.workflow import deposit, founded


def test_a_plan_is_printed_with_what_it_rests_on(say: Say) -> None:
    said = say("plan", "capacity", "--models", "200", "--simulate", "20000")
    assert said.code == 0, said.err
    assert re.search(r"^on-demand +\d\d ", said.out, re.MULTILINE)
    assert "8,640 a day for all, alike" in said.out
    assert re.search(r"slots (\d+) \(foretold (\1|\d+)\)", said.out)


def test_json_has_every_number(say: Say) -> None:
    found = json.loads(say("plan", "capacity", "--json").out)
    assert [way["name"] for way in found["ways"]] == ["always-on", "asleep", "on-demand"]
    assert found["setup"]["models"] == 1000


def test_the_picture_is_sound_and_names_its_lines(say: Say, tmp_path: Path) -> None:
    path = tmp_path / "cost.svg"
    assert say("plan", "capacity", "--plot", path).code == 0
    texts = [each.text for each in ET.parse(path).iter() if each.tag.endswith("text")]
    assert {"always-on", "asleep", "on-demand", "retired models"} <= set(texts)


def test_a_home_says_how_many_models_it_keeps_and_what_they_take(
    say: Say, tmp_path: Path, weights: Path
) -> None:
    with founded(tmp_path / "lab", archive_id="lab") as home:
        home.registry.register(
            "one", title="One", released="2026-01-01", scope="public", surfaces=["api"]
        )
        deposit(home, ModelId("one"), weights)
    setup = say("plan", "capacity", "--measured", "--json").json["setup"]
    assert setup["models"] == 1
    assert 0 < setup["gigabytes"] < 1e-6


def test_an_empty_home_has_nothing_to_measure(say: Say) -> None:
    say("archive", "create")
    said = say("plan", "capacity", "--measured")
    assert said.code != 0
    assert "no weights" in said.err
