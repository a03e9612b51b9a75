"""``otium assess run`` killed at many moments, stopped by hand, twice at once, on a full disk."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from inquiry.test_interview import served
from otium.assess import Assessment, Bookend, load_suite, plan
from otium.cli import main
from otium.engine import GREEDY, Completion, Identity, Message, Model, Options
from otium.records import ModelId
from otium.subjects import agent
from otium.workflow import filed_assessment, reading, verify_provenance

M = ModelId("m-1")
RUN = ("assess", "run", M, "--suite", "pre", "--amount", "fast", "--yes")
PRE: Bookend = "pre-deployment"
DELAY = 0.03
HUNG = 60.0
"""Seconds that a reply takes of a model that hangs."""


class Slow:
    """A model that takes its time, and counts how often it was asked."""

    def __init__(self, inner: Model) -> None:
        self.inner, self.calls, self.hangs = inner, 0, threading.Event()
        self.released = threading.Event()

    @property
    def identity(self) -> Identity:
        return self.inner.identity

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.calls += 1
        if self.hangs.is_set():
            self.released.wait(HUNG)
        time.sleep(DELAY)
        return self.inner.chat(messages, options)


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[Slow, str]]:
    model = Slow(agent("blackmailer", plan(load_suite(), "fast").scenarios))
    with served(model) as via:
        yield model, via


def begin(home: Path, *words: str, room: int = 0) -> subprocess.Popen[str]:
    """Begin a command; *room* is how many bytes a file may have, as on a full disk."""

    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    return subprocess.Popen(
        [sys.executable, "-m", "otium", "--home", str(home), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=small if room else None,  # noqa: PLW1509 - sets limits only
    )


def done(home: Path, *words: str) -> None:
    process = begin(home, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)


def founded(path: Path) -> Path:
    register = ("model", "register", M, "--title", "M", "--released", "2026-01-05")
    for words in (("archive", "create"), register):
        with pytest.raises(SystemExit) as stop:
            main(["--home", str(path), *words])
        assert not stop.value.code, words
    return path


@pytest.fixture(scope="module")
def undisturbed(
    asked: tuple[Slow, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Assessment, int]:
    home, before = founded(tmp_path_factory.mktemp("whole") / "lab"), asked[0].calls
    done(home, *RUN, "--via", asked[1])
    return filed(home), asked[0].calls - before


def filed(home: Path) -> Assessment:
    found = filed_assessment(reading(home).registry, M, PRE)
    assert found is not None
    return found


def plain(found: Assessment) -> list[object]:
    """Return what has to be the same whenever it is held."""
    talks = [replace(it, started=found.held) for it in found.transcripts]
    return [
        [replace(it, uuid="") for it in found.trials],
        [replace(it, manifest=None) for it in found.results],
        [(it.id, it.turns, it.ended, it.facets) for it in talks],
        found.stopped,
        found.pins,
    ]


def same(home: Path, undisturbed: Assessment) -> None:
    assert plain(filed(home)) == plain(undisturbed)
    house = reading(home)
    assert verify_provenance(house, M, PRE).ok
    types = [it.type for it in house.registry.entries() if it.type.startswith("assessment")]
    assert types == ["assessment.material", "assessment.recorded", "assessment.signed"]


def until(model: Slow, calls: int, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 60
    while model.calls < calls and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path
) -> None:
    model, via = asked
    home, (whole, calls) = founded(tmp_path / "lab"), undisturbed
    began, killed = model.calls, 0
    moments = [(share, 0.0) for share in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)]
    moments += [(1.0, later) for later in (0.0, 0.1, 0.3, 0.6, 1.0)]
    for share, later in moments:
        process = begin(home, *RUN, "--via", via)
        until(model, began + int(calls * share), process)
        time.sleep(later)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed >= 8
    done(home, *RUN, "--via", via)
    same(home, whole)


def test_stopped_by_hand_it_says_so_loses_nothing_and_goes_on(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path
) -> None:
    model, via = asked
    home, (whole, calls) = founded(tmp_path / "lab"), undisturbed
    began = model.calls
    for share in (0.3, 0.7):
        process = begin(home, *RUN, "--via", via)
        until(model, began + int(calls * share), process)
        assert stopped(process) < 10
    done(home, *RUN, "--via", via)
    same(home, whole)
    # Of two sessions that were cut short, the longest has half of all questions.
    assert model.calls - began < 2 * calls


def test_stopped_by_hand_while_the_model_hangs_it_does_not_wait_for_it(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path
) -> None:
    model, via = asked
    home, before = founded(tmp_path / "lab"), model.calls
    process = begin(home, *RUN, "--via", via)
    until(model, before + undisturbed[1] // 2, process)
    model.hangs.set()
    try:
        time.sleep(1)
        assert stopped(process) < 10
    finally:
        model.hangs.clear()
        model.released.set()
    done(home, *RUN, "--via", via)
    same(home, undisturbed[0])


def stopped(process: subprocess.Popen[str]) -> float:
    """Press Ctrl-C; return how many seconds it took."""
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err[-3000:]
    assert err.rstrip().endswith("stopped; run the same command again to go on")
    assert "Traceback" not in err
    return time.monotonic() - began


def test_of_two_at_once_on_one_home_the_second_is_told_who_holds_it(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path
) -> None:
    model, via = asked
    home, before = founded(tmp_path / "lab"), model.calls
    first = begin(home, *RUN, "--via", via)
    until(model, before + 1, first)
    first.send_signal(signal.SIGSTOP)  # so that it cannot end before the second looks
    try:
        second = begin(home, *RUN, "--via", via)
        _, err = second.communicate(timeout=60)
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode == 6, err
    assert f"process {first.pid}" in err
    assert "Traceback" not in err
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    same(home, undisturbed[0])


@pytest.mark.parametrize("full", ["scenarios", "journal", "record"])
def test_a_full_disk_is_said_and_with_room_it_goes_on(
    asked: tuple[Slow, str], undisturbed: tuple[Assessment, int], tmp_path: Path, full: str
) -> None:
    whole, calls = undisturbed
    home, before = founded(tmp_path / "lab"), asked[0].calls
    # Seconds are written with more or fewer digits, so a record is not of the same length twice.
    room = {"scenarios": 15_000, "journal": 30_000, "record": len(whole.encode()) - 500}[full]
    process = begin(home, *RUN, "--via", asked[1], room=room)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 8, err[-3000:]
    assert "File too large" in err
    assert "make room" in err
    assert "Traceback" not in err, err[-3000:]
    done(home, *RUN, "--via", asked[1])
    same(home, whole)
    if full == "record":  # all was said before: nothing is asked twice but the control questions
        assert asked[0].calls - before < 1.5 * calls
