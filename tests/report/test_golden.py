from __future__ import annotations

from pathlib import Path

from otium.lifecycle import Registry
from otium.report import report_path, show
from otium.testing import FixedClock
from report import golden
from samples import ALDER, tell_story


def test_the_report_of_a_whole_life_is_the_one_that_was_read(
    house: Registry, clock: FixedClock, weights: Path
) -> None:
    tell_story(house, clock, weights)
    report = show(house, ALDER)
    golden.check(ALDER, report)
    kept = house.archive.record(ALDER, report_path("post-deployment", 1, "html"))
    assert kept == (golden.FOLDER / f"{ALDER}.html").read_bytes()
