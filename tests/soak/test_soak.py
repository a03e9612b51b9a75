"""The real thing, short: real gateways on a real PostgreSQL, real weights, kills in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from otium.soak import Setting, SoakReport, hold_soak

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHORT = Setting(
    seconds=12, clients=2, gateway_kill_each=5, engine_kill_each=5, grant_each=30, seed=1
)


@pytest.fixture(scope="module")
def found(demo_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SoakReport:
    assert demo_weights.exists()
    return hold_soak(SHORT, work=tmp_path_factory.mktemp("soak"))


def test_nothing_that_was_acknowledged_is_lost(found: SoakReport) -> None:
    assert [goal.what for goal in found.goals if not goal.met] == []
    assert found.problems == ()


def test_there_was_something_to_lose(found: SoakReport) -> None:
    assert found.gateways_killed > 0
    assert found.acknowledged["answers"] > 0
    assert found.acknowledged["keys"] >= SHORT.clients
    assert found.acknowledged["grants"] > 0
