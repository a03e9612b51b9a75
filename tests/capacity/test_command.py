"""``otium plan capacity`` as it is typed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cli.said import Say
from otium.records import ModelId
from otium.workflow import deposit, founded


def test_a_plan_is_printed_with_what_it_rests_on(say: Say) -> None:
    said = say("plan", "capacity", "--models", "200", "--simulate", "20000")
    assert said.code == 0, said.err
    assert re.search(r"^on-demand +\d\d ", said.out, re.MULTILINE)
    assert "8,640 a day for all, alike" in said.out
    slots = re.search(r"slots (\d+) \(foretold (\d+)\)", said.out)
    assert slots is not None
    assert abs(int(slots[1]) - int(slots[2])) <= 1


def test_json_has_every_number(say: Say) -> None:
    found = say("plan", "capacity", "--models", "50", "--simulate", "2000", "--json").json
    assert [way["name"] for way in found["ways"]] == ["always-on", "asleep", "on-demand"]
    assert found["setup"]["models"] == 50
    assert found["simulated"]["requests"] == 2000
    assert found["simulated"]["mean_up"] > 1


def test_without_demand_there_is_nothing_to_simulate(say: Say) -> None:
    said = say("plan", "capacity", "--requests", "0", "--simulate", "1000")
    assert said.code == 0, said.err
    assert "Simulated, 0 requests: 0.0 up on average, slots 0 (foretold 1)" in said.out


@pytest.mark.parametrize(
    "words",
    [("residence", "--seeds", "0"), ("closure", "--rounds", "0"), ("revival", "--size", "0")],
)
def test_a_bench_of_nothing_is_refused(say: Say, words: tuple[str, ...]) -> None:
    said = say("bench", *words)
    assert said.code == 2
    assert "0 is not in the range x>=1" in said.err


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
    assert setup["requests"] == 8640


def test_an_empty_home_has_nothing_to_measure(say: Say) -> None:
    say("archive", "create")
    said = say("plan", "capacity", "--measured")
    assert said.code != 0
    assert "no weights" in said.err
