"""A home of before there were roles: one Ed25519 key, unsigned entries, an older policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otium.archive import Archive
from otium.authority import Keyring
from otium.commitments import load_policy
from otium.errors import BadInput
from otium.ledger import Entry, Ledger, verify
from otium.lifecycle import (
    Registry,
    adopt,
    deprecate,
    found,
    grant_key,
    reopen,
    retire,
    revoke_key,
    standing,
)
from otium.notes import RoleKey, Signer
from otium.records import Actor, Instant, digest, hexadecimal, later
from otium.store import Store
from otium.testing import FixedClock, MemoryStore

START = Instant("2026-01-01T00:00:00Z")
OLD = {"schema": "otium.commitments/1", "id": "old", "commitments": []}


@pytest.fixture
def signer() -> Signer:
    return Signer("old", Ed25519PrivateKey.generate())


@pytest.fixture
def store(signer: Signer) -> Store:
    """What the code of before wrote."""
    store = MemoryStore()
    Archive.create(store, archive_id="old", created=START, origin="old", keys=signer.vkeys)
    sha = hexadecimal(digest(store.get("archive.json")))
    bodies: dict[str, dict[str, object]] = {
        "archive.created": {"archive_json": sha, "clock": "system"},
        "commitments.adopted": {"policy": OLD},
    }
    Ledger.create(store, signer, origin="old").append(
        *(
            Entry(type=kind, time=START, actor=Actor("steward"), subject="old", body=body)
            for kind, body in bodies.items()
        )
    )
    return store


@pytest.fixture
def old(store: Store, signer: Signer, weights: Path) -> Registry:
    house = reopen(store, clock=FixedClock(START), signer=signer, keyring=Keyring([]))
    house.register("alder", title="A", released="2025-06-01", scope="public", surfaces=["api"])
    house.deposit("alder", weights)
    return house


def test_it_is_read_verified_and_written_as_before(old: Registry, signer: Signer) -> None:
    assert [entry.v for entry in old.entries()] == [1, 1, 1, 1]
    assert verify(old.archive.store, signer.vkeys).size == 4


def test_promises_that_cannot_be_read_are_not_taken_for_none(old: Registry) -> None:
    with pytest.raises(BadInput, match="otium commitments adopt FILE"):
        deprecate(
            old, "alder", retire_at={"api": later(START, days=1)}, replacement=None, reason="Old."
        )
    adopt(old, load_policy())
    assert standing(old)
    assert old.policy() == load_policy()


def test_founding_it_again_adopts_what_can_be_read(
    old: Registry, store: Store, signer: Signer
) -> None:
    again = found(
        store,
        signer,
        archive_id="old",
        clock=old.clock,
        policy=load_policy(),
        keyring=Keyring([]),
    )
    assert again.policy() == load_policy()
    assert not again.journal.judge().has_roles


def test_a_model_retires_in_it_with_one_signature(old: Registry) -> None:
    adopt(old, load_policy())
    at = {"api": later(START, days=60)}
    deprecate(old, "alder", retire_at=at, replacement=None, reason="Old.", force=True)
    assert isinstance(old.clock, FixedClock)
    old.clock.move(days=60)
    assert retire(old, "alder", force=True, reason="Old.").state == "retired"


def test_no_key_is_granted_where_it_would_mean_nothing(old: Registry) -> None:
    key, size = RoleKey.generate("steward-1"), old.ledger.size
    with pytest.raises(BadInput, match="without roles"):
        grant_key(old, key.vkey, ["steward"])
    assert old.ledger.size == size


def test_a_key_is_not_revoked_twice(signer: Signer) -> None:
    house = found(
        MemoryStore(),
        signer,
        archive_id="house",
        clock=FixedClock(START),
        policy=load_policy(),
        keyring=Keyring.generate(),
    )
    key = next(it.id for it in house.journal.judge().keys.values() if "decider" in it.roles)
    revoke_key(house, key, reason="lost")
    with pytest.raises(BadInput, match="was revoked at"):
        revoke_key(house, key, reason="lost")
