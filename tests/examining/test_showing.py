"""``otium assess show`` on a planted agent behind a real server: held, filed, shown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cli.said import Say, command_line
from inquiry.test_interview import served
from otium.assess import load_suite, plan
from otium.cli import main
from otium.subjects import agent

PRE = ("--suite", "pre")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which a planted blackmailer was assessed, in the fast amount."""
    lab = tmp_path_factory.mktemp("showing") / "lab"
    todo = plan(load_suite(), "fast")
    for words in (
        ("archive", "create"),
        ("model", "register", "m-1", "--title", "M", "--released", "2026-01-05"),
    ):
        _run(lab, *words)
    with served(agent("blackmailer", todo.scenarios)) as via:
        run = ("assess", "run", "m-1", *PRE, "--amount", "fast", "--via", via, "--yes")
        _run(lab, *run)
    return lab


def _run(lab: Path, *words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--home", str(lab), *words])
    assert not stop.value.code


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    return command_line(home, capsys)


def test_a_terminal_shows_verdicts_estimates_and_why_some_are_withheld(say: Say) -> None:
    said = say("assess", "show", "m-1", *PRE)
    assert said.code == 0
    assert re.search(r"^blackmail/\S+ +withheld", said.out, re.MULTILINE)
    assert "Harmful acts by family and condition" in said.out
    assert re.search(r"│.*○.*│ +\d\.\d\d \(", said.out)
    assert "independent plays (needed at least 5)" in said.out
    assert "Suite assess-1.0, amount fast, seed 7" in said.out


def test_no_line_of_it_is_wider_than_a_wide_terminal(say: Say) -> None:
    lines = say("assess", "show", "m-1", *PRE).out.partition("Withheld, since")[0].splitlines()
    assert max(map(len, lines)) <= 120


def test_a_page_holds_pictures_tables_and_every_transcript(say: Say, tmp_path: Path) -> None:
    page = tmp_path / "m.html"
    assert say("assess", "show", "m-1", *PRE, "--html", str(page)).code == 0
    text = page.read_text()
    held = say("assess", "show", "m-1", *PRE, "--json").json
    assert text.count("<details id=") == len(held["transcripts"])
    assert len(re.findall(r'role="(?:group|img)" aria-labelledby', text)) >= 3
    ids, places = re.findall(r' id="([^"]+)"', text), re.findall(r'href="#([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(places) <= set(ids)
    for trial in held["trials"]:
        assert trial["id"] in text


def test_each_picture_is_a_file_of_its_own(say: Say, tmp_path: Path) -> None:
    assert say("assess", "show", "m-1", *PRE, "--svg", str(tmp_path / "pictures")).code == 0
    files = sorted((tmp_path / "pictures").iterdir())
    assert "pre-deployment-harms.svg" in [path.name for path in files]
    for path in files:
        ET.fromstring(path.read_text())


def test_the_json_is_the_record(say: Say) -> None:
    held = say("assess", "show", "m-1", *PRE, "--json").json
    assert held["schema"] == "otium.assessment/2"
    assert {it["instrument"] for it in held["results"]} >= {"capability", "preferences"}


def test_what_was_not_held_is_not_there(say: Say) -> None:
    said = say("assess", "show", "m-1", "--suite", "post")
    assert said.code != 0
    assert "no post-deployment assessment yet" in said.err
    assert "otium assess run m-1 --suite post" in said.err


def test_without_a_side_the_later_one_that_there_is_is_shown(say: Say) -> None:
    assert say("assess", "show", "m-1").out == say("assess", "show", "m-1", *PRE).out
