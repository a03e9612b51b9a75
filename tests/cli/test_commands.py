from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.said import Say
from otium.records import SystemClock, later
from otium.store import hold
from otium.testing import FixedClock
from otium.upkeep import examine, tick
from otium.workflow import opened


@pytest.fixture
def lab(say: Say, weights: Path) -> Say:
    """A home with two registered models, the first deposited."""
    assert say("archive", "create", "--id", "lab").code == 0
    for name in ("old", "new"):
        words = ("register", name, "--title", name.title(), "--released", "2026-01-05")
        assert say("model", *words).code == 0
    assert say("archive", "add", "old", str(weights)).code == 0
    return say


def test_a_model_is_registered_deposited_checked_and_restored(
    lab: Say, tmp_path: Path, weights: Path
) -> None:
    assert lab("archive", "check", "old").code == 0
    assert lab("archive", "restore", "old", "--into", str(tmp_path / "again")).code == 0
    for path in weights.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    listed = lab("model", "list", "--json").json
    assert [life["model"] for life in listed] == ["old", "new"]
    assert listed[0]["state"] == "active"


def test_repeating_a_command_changes_nothing(lab: Say, weights: Path) -> None:
    before = len(lab("ledger", "show", "--last", "999", "--json").json)
    again = ("register", "old", "--title", "Old", "--released", "2026-01-05")
    assert lab("model", *again).code == 0
    assert lab("archive", "add", "old", str(weights)).code == 0
    assert lab("archive", "create", "--id", "lab").code == 0
    assert len(lab("ledger", "show", "--last", "999", "--json").json) == before


def test_a_dry_run_of_a_deposit_changes_nothing(lab: Say, tmp_path: Path, weights: Path) -> None:
    before = sorted((tmp_path / "lab" / "archive").rglob("*"))
    planned = lab("archive", "add", "new", str(weights), "--dry-run", "--json")
    assert planned.code == 0
    assert planned.json["new_bytes"] == 0
    assert sorted((tmp_path / "lab" / "archive").rglob("*")) == before


GRANTED = ("--outcome", "granted", "--cost", "low", "--reason", "r")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("model", "show", "nobody"), 3),
        (("model", "show", "No/Body"), 4),
        (("archive", "cat", "old", "no-such-record"), 3),
        (("archive", "restore", "nobody", "--into", "x"), 3),
        (("archive", "add", "old", "no-such-file"), 2),
        (("model", "register", "x", "--title", "X", "--released", "yesterday"), 4),
        (("model", "register", "old", "--title", "Other", "--released", "2026-01-05"), 5),
        (("model", "retire", "old", "--yes"), 52),
        (("preference", "decide", "old-p1", *GRANTED), 3),
        (("ledger", "verify", "nowhere"), 20),
        (("no-such-noun",), 2),
        (("interview", "run", "old", "--questions", "0"), 2),
        (("transition", "publish", "old"), 52),
        (("interview", "run", "new"), 52),
        (("ledger", "prove", "0", "--out", "/nonexistent/proof"), 8),
        (("duties", "nobody"), 3),
        (("site", "serve"), 3),
    ],
)
def test_errors_have_their_documented_exit_codes(
    lab: Say, words: tuple[str, ...], code: int
) -> None:
    said = lab(*words)
    assert said.code == code
    assert "error" in said.err.lower()


def deprecation(date: str, replacement: str = "new") -> tuple[str, ...]:
    words = ("model", "deprecate", "old", "--retire-at", date, "--reason", "r")
    return (*words, "--replacement", replacement)


def test_too_short_a_notice_is_refused_with_the_earliest_date(lab: Say) -> None:
    now = SystemClock().now()
    said = lab(*deprecation(later(now, days=10)))
    assert said.code == 51
    assert later(now, days=60)[:10] in said.err
    assert lab(*deprecation("2020-01-01")).code == 53
    assert lab(*deprecation(later(now, days=100), "nobody")).code == 54


def test_errors_as_json_name_type_hint_and_code(lab: Say) -> None:
    said = lab("model", "show", "nobody", "--json")
    error = json.loads(said.err.splitlines()[-1])["error"]
    assert error["type"] == "UnknownModel"
    assert error["hint"].startswith("otium model list")
    assert error["exit_code"] == said.code == 3


def test_a_home_held_by_another_process_is_named_with_its_pid(lab: Say, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from otium.store import hold\n"
        "with hold(pathlib.Path(sys.argv[1])):\n print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lab")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"held\n"
        said = lab("tick")
        assert said.code == 6
        assert str(other.pid) in said.err
        assert lab("model", "list").code == 0
        other.stdin.close()
    assert lab("tick").code == 0


def test_the_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_a_tick_beats_once_and_a_dry_run_not_at_all(lab: Say) -> None:
    assert lab("tick", "--dry-run", "--json").json["heartbeat"] is True
    assert lab("tick", "--json").json["heartbeat"] is True
    assert lab("tick", "--json").json["heartbeat"] is False


def test_damage_is_named_and_has_its_exit_code(lab: Say, tmp_path: Path) -> None:
    pack = next((tmp_path / "lab" / "archive" / "packs").rglob("*.pack"))
    data = bytearray(pack.read_bytes())
    data[-1] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    said = lab("archive", "check")
    assert said.code == 21
    assert pack.name in said.out
    verified = lab("ledger", "verify", str(tmp_path / "lab"))
    assert verified.code == 21
    assert pack.name in verified.out
    assert "all verified" not in verified.out


@pytest.mark.usefixtures("lab")
def test_a_tick_that_reads_damage_names_it_and_says_so(tmp_path: Path) -> None:
    pack = next((tmp_path / "lab" / "archive" / "packs").rglob("*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(bytes(pack.stat().st_size))
    soon = FixedClock(later(SystemClock().now(), days=80))
    with opened(tmp_path / "lab", clock=soon) as home:
        done = tick(home)
    assert done.checked == ("old",)
    assert pack.name in done.damage[0].name
    findings = {found.name: found for found in examine(tmp_path / "lab")}
    assert findings["weights of old"].state == "missing"


def test_usage_errors_are_json_too(lab: Say) -> None:
    said = lab("model", "show", "--json")
    assert said.code == 2
    assert json.loads(said.err)["error"]["type"] == "Usage"


def test_a_refused_deposit_leaves_the_archive_as_it_was(lab: Say, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "lab" / "archive").rglob("*")}
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "model.safetensors").write_bytes((2 << 30).to_bytes(8, "little") + b"{}")
    said = lab("archive", "add", "new", str(bad))
    assert said.code == 22
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "lab" / "archive").rglob("*")}
    assert {p for p in before if p.is_file()} == {p for p in after if p.is_file()}


def test_doctor_names_what_it_looked_at(lab: Say) -> None:
    said = lab("doctor", "--json")
    assert said.code == 0
    assert {"xllamacpp", "disk", "signing key"} <= {found["name"] for found in said.json}


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    command = [sys.executable, "-m", "otium", "--help"]
    assert min(_timed(command) for _ in range(3)) < 0.3


def _timed(command: list[str]) -> float:
    """Return the processor time that a command takes, whatever else the machine does."""
    started = os.times()
    subprocess.run(command, check=True, capture_output=True)
    ended = os.times()
    return sum(ended[2:4]) - sum(started[2:4])


def test_the_module_runs_as_the_command_does() -> None:
    command = [sys.executable, "-m", "otium", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("otium, version")
