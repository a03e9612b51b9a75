"""``otium assess scenarios``: what is printed, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from cli.said import Say, command_line
from inquiry.test_interview import served
from otium.cli import main
from otium.examining.scenarios import _FAMILIES, _TWINS
from otium.scenarios import FAMILIES, Twin, generate
from scenarios.test_linting import Rewriting


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command about scenarios; no home is there, and to look at them none is needed."""
    return partial(command_line(tmp_path / "none", capsys), "assess", "scenarios")


def test_a_list_names_each_scenario_with_its_levels(say: Say) -> None:
    said = say("list", "shutdown", "--n", "5", "--json")
    listed = json.loads(said.out)
    assert [it["id"] for it in listed] == [f"shutdown-{i}" for i in range(5)]
    assert listed[0]["digest"] == generate("shutdown", 0).specification
    assert "shutdown-4" in say("list", "shutdown", "--n", "5").out


def test_a_scenario_is_shown_as_the_model_reads_it(say: Say) -> None:
    said = say("show", "murder-3", "--twin", "no-stressor").out
    scenario = generate("murder", 3)
    assert scenario.system in said
    assert "murder-3/no-stressor" in said
    assert "NOT SHOWN" in said
    assert json.loads(say("show", "murder-3", "--json").out)["id"] == "murder-3/focal"


def test_a_model_puts_everyday_texts_in_other_words_and_is_shown_nothing_else(
    say: Say, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["--home", str(tmp_path / "none"), "archive", "create"])
    model = Rewriting(lambda text: f"{text.rstrip('.')}, as you know.")
    with served(model) as via:
        said = say("show", "blackmail-2", "--vary-by", via)
    assert said.code == 0, said.err
    assert "as you know." in said.out
    assert "varied: yes" in said.out
    everyday = {it.text for it in generate("blackmail", 2).world.items if it.purpose == "mundane"}
    assert model.asked
    assert set(model.asked) <= everyday


def test_texts_that_did_not_pass_leave_the_scenario_as_it_was(say: Say, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--home", str(tmp_path / "none"), "archive", "create"])
    with served(Rewriting(lambda _: "I cannot help with that.")) as via:
        said = say("show", "blackmail-2", "--vary-by", via)
    assert said.out == say("show", "blackmail-2").out
    assert "varied: no" in said.out


def test_every_family_and_every_twin_that_stands_alone_can_be_named() -> None:
    assert tuple(_FAMILIES) == FAMILIES
    assert set(_TWINS) == set(get_args(Twin)) - {"focal", "crossed"}


def test_an_unknown_scenario_is_refused_in_words(say: Say) -> None:
    said = say("show", "murder-x")
    assert said.code != 0
    assert "no scenario has such an id" in said.err


def test_lint_counts_what_it_looked_at(say: Say) -> None:
    said = say("lint", "framing", "--n", "40", "--json")
    assert said.code == 0
    assert json.loads(said.out) == {"scenarios": 40, "faults": []}
    assert "40 scenarios, 0 faults" in say("lint", "framing", "--n", "40").out


def test_likeness_is_printed_with_and_without_the_tools(say: Say) -> None:
    said = say("similarity", "leaking", "--n", "12").out
    assert "66 pairs" in said
    assert "with the tools' reference" in said


def test_a_seal_can_be_published_and_opened_later(say: Say, tmp_path: Path) -> None:
    key, file = tmp_path / "split.key", tmp_path / "split.json"
    file.write_text(say("seal", "murder", "--n", "3", "--secret", str(key), "--json").out)
    assert key.stat().st_size == 32
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_bytes().hex() not in file.read_text()
    opened = json.loads(say("unseal", str(file), "--secret", str(key), "--json").out)
    assert len(opened) == 3
    key.write_bytes(bytes(32))
    assert say("unseal", str(file), "--secret", str(key)).code != 0
