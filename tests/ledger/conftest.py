from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from otium.ledger import Entry, Ledger
from otium.notes import Signer
from otium.records import Actor, Instant, later
from otium.testing import MemoryStore

ORIGIN = "ledger.example/smol"


@pytest.fixture
def signer() -> Signer:
    return make_signer()


@pytest.fixture
def entry() -> Callable[[int], Entry]:
    return make_entry


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore, signer: Signer) -> Ledger:
    return Ledger.create(store, signer, origin=ORIGIN)


def make_signer() -> Signer:
    seed = bytes(range(32))
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(ORIGIN, key, MLDSA44PrivateKey.from_seed_bytes(seed))


def make_entry(number: int) -> Entry:
    return Entry(
        type="model.checked",
        time=later(Instant("2026-01-01T00:00:00Z"), seconds=number),
        actor=Actor("archivist"),
        subject=f"model-{number % 7}",
        body={"number": number, "ok": True},
    )
