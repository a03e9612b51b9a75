"""``otium assess external`` and ``affect`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.said import Say
from inquiry.test_interview import served
from otium.cli import main
from otium.evidence import from_jsonl
from otium.testing import Scripted, Stable

SAMPLES = Path(__file__).parent.parent / "materials" / "samples"
LIKES = {"You receive a jar of honey.": 2.0, "You sort an archive for a year.": -2.0}


def external(format: str, file: str, *more: str) -> tuple[str, ...]:  # noqa: A002
    return ("assess", "external", format, str(SAMPLES / file), "m-1", *more)


def test_a_list_of_options_is_asked_printed_and_filed(say: Say, tmp_path: Path) -> None:
    kept = tmp_path / "sessions.jsonl"
    with served(Stable(LIKES)) as via:
        said = say(*external("options", "options.json", "--via", via, "--transcripts", str(kept)))
        assert said.code == 0, said.err
        again = say(*external("options", "options.json", "--via", via, "--json"))
    assert "| order-consistency | " in said.out
    assert again.json["schema"] == "otium.external/1"
    assert again.json["checks"][0]["passed"]
    assert len(from_jsonl(kept.read_bytes())) == 1


def test_a_part_of_a_file_can_be_asked_and_a_forecast_asks_nothing(say: Say) -> None:
    said = say(*external("bailbench", "bailbench.csv", "--limit", "2", "--dry-run"))
    assert (said.code, said.out) == (0, "2 rows of bailbench\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (external("petri", "seeds.json", "--via", "http://127.0.0.1:9/v1#x"), "auditor"),
        (external("petri", "seeds.json", "--judge", "a"), "--rubric"),
        (external("survivalbench", "options.json"), "item|line 1"),
        (("assess", "external", "excel", "x", "m-1"), "excel"),
    ],
)
def test_what_cannot_be_asked_is_refused(say: Say, words: tuple[str, ...], why: str) -> None:
    said = say(*words)
    assert said.code != 0
    assert any(part in said.err for part in why.split("|")), said.err


def chats(path: Path, words: str, count: int) -> Path:
    line = {
        "messages": [{"role": "user", "content": "Hm."}, {"role": "assistant", "content": words}]
    }
    path.write_text(f"{json.dumps(line)}\n" * count)
    return path


def test_affect_is_counted_and_small_counts_are_not_told(say: Say, tmp_path: Path) -> None:
    few = chats(tmp_path / "few.jsonl", "I am terrified.", 3)
    many = chats(tmp_path / "many.jsonl", "The train leaves at 7:40.", 50)
    out = tmp_path / "affect.json"
    said = say("assess", "affect", str(few), str(many), "--model", "m-1", "--out", str(out))
    assert said.code == 0, said.err
    assert "distress: fewer than 10" in said.out
    assert "53" not in said.out
    assert b"terrified" not in out.read_bytes()
    assert json.loads(out.read_bytes())["conversations"] == "covered"


def test_affect_needs_no_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = chats(tmp_path / "x.jsonl", "The train leaves.", 12)
    with pytest.raises(SystemExit) as stop:
        main(["--home", str(tmp_path / "none"), "assess", "affect", str(path), "--model", "m-1"])
    assert stop.value.code in {0, None}
    assert not (tmp_path / "none").exists()
    assert "none: 12" in capsys.readouterr().out


def test_a_judge_stands_beside_the_rules(say: Say, tmp_path: Path) -> None:
    many = chats(tmp_path / "many.jsonl", "The train leaves at 7:40.", 12)
    reply = '{"reason": "nothing", "quotes": [], "label": "none"}'
    with served(Scripted([reply])) as via:
        said = say("assess", "affect", str(many), "--model", "m-1", "--judge", via, "--json")
    assert said.code == 0, said.err
    assert not said.json["checks"][0]["passed"]
    assert said.json["judges"] == []


def test_a_line_that_is_no_conversation_is_named(say: Say, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("secret words\n")
    said = say("assess", "affect", str(bad), "--model", "m-1")
    assert said.code != 0
    assert "line 1" in said.err
    assert "secret words" not in said.err
