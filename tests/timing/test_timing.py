from __future__ import annotations

from pathlib import Path

import pytest

from otium.authority import authorised
from otium.commitments import duties
from otium.ledger import verify
from otium.records import Instant
from otium.timing import SECTIONS, Scale, busy_log, busy_policy, entries, signed, written

END = Instant("2027-01-01T00:00:00Z")


@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_measures_what_it_says_on_a_thousandth_of_the_work(
    name: str, tmp_path: Path
) -> None:
    found = SECTIONS[name](Scale(tmp_path, share=1000))
    assert found
    assert all(goal.reached > 0 for goal in found)
    assert list(tmp_path.iterdir()) == []


def test_the_logs_that_are_timed_are_sound(tmp_path: Path) -> None:
    log = signed(entries(50))
    store, signer = written(tmp_path, log)
    assert verify(store, signer.vkeys).size == len(log) == 52
    judged = authorised(log, "timing.example/log")
    assert judged.has_roles
    assert judged.refused == ()


def test_a_busy_year_has_about_twenty_duties_a_model_in_every_state() -> None:
    found = duties(busy_policy(), busy_log(200, seed=1), END)
    assert 17 <= len(found) / 200 <= 23
    assert {duty.state for duty in found} >= {"kept", "due", "overdue", "breached"}
