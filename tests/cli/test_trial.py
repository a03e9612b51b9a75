from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from bench.families import write_family
from otium.cli.app import otium


def run(tmp_path: Path, *options: str) -> str:
    family = tmp_path / "family"
    if not family.exists():
        write_family(family)
    arguments = ["archive", "--family", str(family), "--work", str(tmp_path / "w"), "--quick"]
    done = CliRunner().invoke(otium, ["bench", *arguments, "--only", "fine-tunes", *options])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_tables_show_bits_bound_and_what_was_reached(tmp_path: Path) -> None:
    text = run(tmp_path)
    assert "ft1" in text
    assert "bits/weight" in text
    assert "Figures to reach" in text
    assert "reached" in text or "short" in text


def test_json_holds_every_figure(tmp_path: Path) -> None:
    report = json.loads(run(tmp_path, "--json"))
    (section,) = report["sections"]
    line = section["lines"][0]
    assert line["coder"] == "otium"
    assert 0 < 8 * line["stored"] / line["weights"] < 16
    assert {"what", "target", "reached"} <= set(section["goals"][0])


def test_a_directory_without_a_base_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(otium, ["bench", "archive", "--family", str(tmp_path / "empty")])
    assert "base.safetensors" in str(done.exception)


def test_crash_trials_are_told_with_each_seeded_bug() -> None:
    done = CliRunner().invoke(otium, ["bench", "crash", "--runs", "20", "--seed", "1"])
    assert done.exit_code == 0, done.output
    assert "lost, damaged or left behind: 0" in done.stdout
    assert "seen after runs" in done.stdout
