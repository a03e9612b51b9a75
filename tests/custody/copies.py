"""What tests of custody share: copies of a store, and ways to harm them."""

from __future__ import annotations

from collections.abc import Iterator

from makers import NOW
from otium.ledger import Entry, Ledger
from otium.notes import Signer
from otium.records import Actor, ModelId
from otium.testing import MemoryStore

BASE, CHILD = ModelId("base"), ModelId("child")


def copy_of(store: MemoryStore) -> MemoryStore:
    """Return another store with the same files."""
    again = MemoryStore()
    again.objects = dict(store.objects)
    return again


def flipped(data: bytes, at: int) -> bytes:
    """Return *data* with one bit of one byte changed."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def harms(store: MemoryStore, name: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield each way in which a file may be found; None for one that is gone."""
    good = store.objects[name]
    yield "removed", None
    found = {
        "emptied": b"",
        "cut": good[:-1],
        "grown": good + b"\0",
        "zeroed": bytes(len(good)),
        "flipped": flipped(good, len(good) // 2) if good else b"?",
    }
    for how, data in found.items():
        if data != good:
            yield how, data


def harm(store: MemoryStore, name: str, data: bytes | None) -> None:
    """Let a file have other bytes, or be gone."""
    if data is None:
        del store.objects[name]
    else:
        store.objects[name] = data


def append(store: MemoryStore, signer: Signer, count: int) -> None:
    """Let a store's ledger grow."""
    ledger = Ledger.open(store, vkeys=signer.vkeys, signer=signer)
    for _ in range(count):
        entry = Entry(type="heartbeat", time=NOW, actor=Actor("steward"), subject="test")
        ledger.append(entry)
