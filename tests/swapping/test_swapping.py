"""Two real models that take each other's place in a real gateway with room for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from otium.swapping import Waits, swap_bench


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_request_is_answered_and_a_missing_peer_is_said(
    demo_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert demo_weights.exists()
    monkeypatch.setattr("otium.swapping.measure.PEER", "no-such-router")
    found = swap_bench(rounds=1, swaps=1, requests=1, clients=1)
    (ours,) = found.ways
    assert (ours.name, ours.failed) == ("otium", 0)
    assert (ours.swaps.count, ours.mixed.count) == (1, 1)
    assert 0 < ours.swaps.p50 <= ours.swaps.most
    assert found.ratios == {}
    assert found.notes == ("no no-such-router is installed here: --peer names one",)


def test_quantiles_are_of_all_waits() -> None:
    found = Waits.of([one / 100 for one in range(101)])
    assert (found.count, found.p50, found.p95, found.p99, found.most) == (101, 0.5, 0.95, 0.99, 1.0)
