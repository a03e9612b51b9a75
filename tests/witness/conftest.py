from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otium.notes import Signer
from otium.testing import FixedClock
from otium.witness import Witness, known_logs, open_witness
from witness.small import NAME, ORIGIN, SmallLog


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock("2026-01-01T00:00:00Z")


@pytest.fixture(scope="session")
def log_signer() -> Signer:
    return Signer.generate(ORIGIN)


@pytest.fixture
def log(log_signer: Signer) -> SmallLog:
    return SmallLog(log_signer).grow(10)


@pytest.fixture
def make_witness(tmp_path: Path, clock: FixedClock) -> Iterator[Callable[..., Witness]]:
    made: list[Witness] = []

    def make(*vkeys: str, folder: str = "witness", name: str = NAME) -> Witness:
        made.append(open_witness(tmp_path / folder, known_logs(vkeys), name=name, clock=clock))
        return made[-1]

    yield make
    for witness in made:
        witness.close()


@pytest.fixture
def witness(make_witness: Callable[..., Witness], log_signer: Signer) -> Witness:
    return make_witness(*log_signer.vkeys)
