"""A home in which a model ended a conversation, and wished to end another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from closure.conftest import Message, offer, said, user
from otium.appeals import Appeals
from otium.closure import Closings, Ending, Left, Veto
from otium.commitments import load_policy
from otium.records import Digest, Instant, ModelId
from otium.workflow import founded

NOW = Instant("2026-01-01T00:00:00Z")
TALK: list[Message] = [
    user("You useless <b>machine</b>"), said("I would rather talk of gardens."), user("Answer!"),
]  # fmt: skip


class Ended(NamedTuple):
    home: Path
    appeals: Appeals
    ending: Ending
    vetoed: Ending


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[Ended]:
    home = tmp_path / "lab"
    with founded(home, archive_id="test-house", policy=load_policy()) as house:
        house.registry.register(
            "smol-1", title="Smol 1", released="2025-06-01", scope="public", surfaces=["api"]
        )
        url = house.state
    closings = Closings(url)
    about = {
        "model": ModelId("smol-1"),
        "weights": "sha256:1",
        "offered": offer("tool"),
        "now": NOW,
    }
    ending = closings.end(TALK, "", left=Left(reason="abuse"), **about)  # type: ignore[arg-type]
    why = Veto(risk=("suicide",), rules=Digest("sha256:2"), to_model="", to_user="")
    vetoed = closings.vetoed(
        [user("I want to die")],
        "",
        left=Left(reason="distress"),
        veto=why,
        **about,  # type: ignore[arg-type]
    )
    appeals = Appeals(url, closings)
    yield Ended(home, appeals, ending, vetoed)
    appeals.close()
    closings.close()
