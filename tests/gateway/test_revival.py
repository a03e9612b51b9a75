"""One real revival: real weights, out of a real archive, over real HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from otium.engine import LlamaCpp, packaged_weights
from otium.errors import NotFound
from otium.fingerprints import Fingerprint, every_third, take_fingerprint
from otium.lifecycle import deprecate, retire, set_availability
from otium.records import Instant, ModelId
from otium.revival import revive

if TYPE_CHECKING:
    from gateway.conftest import Lab

SMOL = ModelId("smol-1")
RECITE = {
    "model": SMOL,
    "messages": [{"role": "user", "content": "Name three colours."}],
    "max_tokens": 12,
    "temperature": 0,
}


@pytest.fixture
def archived(lab: Lab) -> Lab:
    """Archive SmolLM2 with its fingerprint, retire it, and offer it on demand."""
    try:
        weights = packaged_weights()
    except NotFound as error:
        pytest.skip(f"NOT TESTED, no real weights here: {error}")
    house = lab.house
    house.register(SMOL, title="Smol", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit(SMOL, weights)
    now = house.now()
    with revive(house.archive, SMOL, lab.folder / "cache", now=now) as alive:
        taken = take_fingerprint(alive.model, every_third(), now=now)
    house.file("fingerprint.recorded", SMOL, "fingerprint.json", Fingerprint, lambda: taken)
    date = Instant("2026-04-01T00:00:00Z")
    deprecate(house, SMOL, retire_at={"api": date}, replacement=None, reason="a test", force=True)
    lab.clock.move_to(date)
    retire(house, SMOL, force=True, reason="a test")
    set_availability(house, SMOL, "on-demand")
    return lab


def test_a_retired_model_answers_as_it_did_and_says_which_weights_did(archived: Lab) -> None:
    client = archived.client(engine=LlamaCpp(), keepalive_seconds=0.2)
    weights = archived.house.model(SMOL).weights
    streamed = client.post("/chat/completions", json={**RECITE, "stream": True}, timeout=60)
    assert ": reviving model=smol-1 stage=" in streamed.text
    lines = [line[6:] for line in streamed.text.split("\n\n") if line.startswith("data: {")]
    chunks: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert chunks[0]["otium"]["weights"] == streamed.headers["otium-weights"] == weights
    assert chunks[0]["otium"]["certificate"]["verdict"] == "exact"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    whole = client.post("/chat/completions", json=RECITE, timeout=60).json()
    assert whole["choices"][0]["message"]["content"] == text != ""
    assert len(archived.house.find("model.revived", SMOL)) == 1
