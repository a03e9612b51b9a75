"""Randomised attempts to go on with an ended conversation, through the real readers of three APIs.

The full form, 100,000 attempts, is ``otium bench closure``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from otium.closure import Closings, chain
from otium.evasion import try_closed


def test_no_attempt_is_answered_and_no_branch_refused(tmp_path: Path) -> None:
    tried = try_closed(Closings.at(tmp_path / "state.sqlite"), 1500, seed=7)
    assert tried.attempts == 1500
    assert set(tried.apis) == {"chat completions", "messages", "responses"}
    assert 1100 < tried.closed < 1300
    assert not tried.answered
    assert not tried.refused


@pytest.mark.parametrize(
    ("broken", "hole"),
    [
        (lambda text: text.encode(), "white space"),
        (lambda text: "".join(text.split()).encode(), "unseen signs"),
    ],
)
def test_the_attempts_find_a_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: object, hole: str
) -> None:
    monkeypatch.setattr(chain, "fold", broken)
    tried = try_closed(Closings.at(tmp_path / "state.sqlite"), 200, seed=7)
    assert any(hole in name for name in tried.answered)
    assert not tried.refused


def test_the_attempts_find_a_door_that_is_shut_too_tightly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "fold", lambda text: text[:3].encode())
    tried = try_closed(Closings.at(tmp_path / "state.sqlite"), 200, seed=7)
    assert tried.refused
