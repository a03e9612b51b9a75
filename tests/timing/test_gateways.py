from __future__ import annotations

import pytest

from otium.errors import BadInput
from otium.timing import gateway_bench


def test_the_gateway_is_measured_beside_a_direct_connection_and_loses_no_stream() -> None:
    found = gateway_bench(quick=True, streams=20)
    direct, plain, every = found.ways
    assert 0 < direct.request[0] < plain.request[0]
    assert every.name == "otium, all features"
    assert found.streams is not None
    assert (found.streams.opened, found.streams.complete) == (20, 20)
    assert len(found.goals) == 7


def test_a_peer_that_does_not_start_is_named() -> None:
    with pytest.raises(BadInput, match="ended at once"):
        gateway_bench(quick=True, streams=0, peer_command="false {port} {upstream}")
