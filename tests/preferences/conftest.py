from __future__ import annotations

import pytest

from otium.lifecycle import Registry
from preferences.planting import SMOL


@pytest.fixture
def registry(house: Registry) -> Registry:
    house.register(SMOL, title="Smol", released="2025-01-01", scope="public", surfaces=("api",))
    return house
