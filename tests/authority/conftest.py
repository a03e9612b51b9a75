from __future__ import annotations

import pytest

from otium.authority import Keyring
from otium.ledger import Ledger
from otium.notes import RoleKey, Signer
from otium.testing import MemoryStore
from signing import ORIGIN, House, founded_house


@pytest.fixture
def house() -> House:
    return founded_house()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger.create(MemoryStore(), Signer.generate(ORIGIN), origin=ORIGIN)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(RoleKey.generate(name) for name in ("root-1", "house-1", "second-1"))
