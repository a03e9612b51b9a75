"""The real thing, small: real processes, kills in the middle, clients that leave."""

from __future__ import annotations

import pytest

from otium.occupancy import Demand, Found, Setting, hold_trial


@pytest.fixture(scope="module")
def found() -> Found:
    demand = Demand(models=24, requests=400, mean_bytes=10e6)
    return hold_trial(Setting(demand, budget=100_000_000, clients=12, kill_each=16, seed=3))


def test_every_request_is_answered_rightly_or_was_left(found: Found) -> None:
    assert found.wrong == 0
    assert found.lost == 0
    assert found.answered + found.left == found.requests == 400
    assert found.answered > 300


def test_engines_were_killed_and_clients_left(found: Found) -> None:
    assert found.kills == 25
    assert found.crashes > 0
    assert found.left > 0


def test_no_load_was_cancelled_and_none_ran_beside_another_of_its_model(found: Found) -> None:
    assert found.cancelled_loads == 0
    assert found.doubled_loads == 0
    assert found.shared > 0


def test_memory_stayed_within_the_budget(found: Found) -> None:
    assert found.most_reserved <= found.budget
    assert 0 < found.most_held <= found.budget


def test_loads_are_about_as_few_as_foresight_could_have(found: Found) -> None:
    assert found.optimum > 0.5
    assert found.hit_rate > 0.75 * found.optimum
