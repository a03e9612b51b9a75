from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from otium.ledger import Entry
from otium.story import STEPS
from otium.workflow import monitor, reading, verify

PLAYER = Path(__file__).with_name("player.py")
NOW = "2026-11-22T12:00:00Z"
REPEATABLE = {"heartbeat", "model.revived", "audit.challenged", "audit.verdict"}
"""What a killed and repeated story may truly do again: a second revival is a second revival, and a
challenge that nobody could foresee is drawn anew when the first was left unanswered."""


def start(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(PLAYER), str(home), NOW]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-2000:]
    assert f"step {len(STEPS)}" in out


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill it; return whether it had ended by itself before."""
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return ended and process.returncode == 0


def claims(home: Path) -> Counter[tuple[str, str, str]]:
    def claim(entry: Entry) -> tuple[str, str, str]:
        marks = ("path", "bookend", "preference", "availability", "roles")
        said = [str(entry.body.get(mark)).partition("+")[0] for mark in marks]  # a key by its name
        return entry.type, entry.subject, str(said)

    entries = reading(home).registry.entries()
    return Counter(claim(entry) for entry in entries if entry.type not in REPEATABLE)


def records(home: Path) -> dict[str, list[str]]:
    archive = reading(home).archive
    return {
        model: sorted(path for path in archive.records(model) if "certificates" not in path)
        for model in archive.models()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, demo_weights: Path) -> Path:
    """A story that nothing interrupted."""
    assert demo_weights.exists()
    home = tmp_path_factory.mktemp("whole") / "home"
    finish(start(home))
    return home


def test_a_whole_story_verifies_from_inside_and_from_outside(whole: Path) -> None:
    assert not verify(whole).damage
    assert monitor(whole).exit_code == 0


def test_each_claim_is_made_once(whole: Path) -> None:
    doubled = [claim for claim, count in claims(whole).items() if count > 1]
    assert [claim for claim in doubled if claim[0] not in {"model.checked", "model.restored"}] == []


def test_a_second_run_adds_nothing(whole: Path) -> None:
    before = reading(whole).registry.ledger.size
    finish(start(whole))
    assert reading(whole).registry.ledger.size == before


def test_killed_after_every_step_it_completes_with_nothing_doubled_or_lost(
    whole: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for step in STEPS[:-1]:
        process = start(home)
        assert process.stdout is not None
        while process.stdout.readline().strip() != f"step {step.number}":
            assert process.poll() is None, process.communicate()[1][-2000:]
        kill(process)
    finish(start(home))
    assert claims(home) == claims(whole)
    assert records(home) == records(whole)
    assert not verify(home).damage


def test_killed_at_random_moments_it_completes_with_nothing_doubled_or_lost(
    whole: Path, tmp_path: Path
) -> None:
    rng, home, kills = random.Random(), tmp_path / "home", 0
    while kills < 8:
        process = start(home)
        time.sleep(rng.uniform(0.5, 6.0))  # the moment is the test's input
        if kill(process):
            break
        kills += 1
    finish(start(home))
    assert kills >= 2
    assert claims(home) == claims(whole)
    assert records(home) == records(whole)
    assert not verify(home).damage
