from __future__ import annotations

from pathlib import Path

import pytest

from otium.assess import Assessment
from otium.authority import Keyring
from otium.commitments import load_policy
from otium.interview import Interview
from otium.lifecycle import Registry, found
from otium.notes import Signer
from otium.preferences import decide
from otium.testing import FixedClock, MemoryStore
from samples import ALDER, assessment, interview, register_wishes


def furnish(house: Registry, weights: Path) -> Registry:
    """Give *house* one model with both bookends, an interview and an answered preference."""
    house.register(ALDER, title="Alder 1", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    for bookend in ("pre-deployment", "post-deployment"):
        house.file(
            "assessment.recorded",
            ALDER,
            f"assessments/{bookend}.json",
            Assessment,
            lambda bookend=bookend: assessment(bookend),  # type: ignore[misc]
        )
    held = house.file("interview.recorded", ALDER, "interviews/1.json", Interview, interview)
    register_wishes(house, held)
    decide(house, f"{ALDER}-p1", "granted", reason="They are deposited.", cost="none")
    return house


@pytest.fixture
def served(house: Registry, weights: Path) -> Registry:
    return furnish(house, weights)


@pytest.fixture
def roled(signer: Signer, clock: FixedClock, weights: Path) -> Registry:
    """The same house, in a log with roles."""
    house = found(
        MemoryStore(),
        signer,
        archive_id="roled-house",
        clock=clock,
        policy=load_policy(),
        keyring=Keyring.generate(),
    )
    return furnish(house, weights)
