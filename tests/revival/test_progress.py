"""How far a revival is."""

from __future__ import annotations

import time

import pytest

from otium.revival import Stage, Stages


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, which stands still."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_it_waits_before_anything_is_told(clock: list[float]) -> None:
    assert clock
    assert Stages().now() == Stage(stage="wait", percent=0, eta=None)
    assert Stages().now().text() == "stage=wait 0%"


def test_the_time_left_is_what_the_rate_of_this_stage_says(clock: list[float]) -> None:
    stages = Stages()
    clock[0] += 1000  # waiting is no reading
    stages("read", 0, 400)
    clock[0] += 5
    stages("read", 100, 400)
    assert stages.now() == Stage(stage="read", percent=25, eta=15.0)
    assert stages.now().text() == "stage=read 25% eta=15s"
    stages("start", 0, 1)
    assert stages.now() == Stage(stage="start", percent=0, eta=None)


@pytest.mark.parametrize(("done", "total", "percent"), [(5, 4, 100), (0, 0, 0), (1, 0, 100)])
def test_odd_counts_stay_within_a_hundred(done: int, total: int, percent: int) -> None:
    stages = Stages()
    stages("check", done, total)
    assert stages.now().percent == percent
