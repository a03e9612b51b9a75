from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otium.errors import (
    BadInput,
    BadInstant,
    BadProof,
    BrokenLedger,
    Exists,
    LedgerError,
    NotFound,
)
from otium.ledger import Entry, Ledger, Proof, check_consistency, check_proof, verify
from otium.ledger.checkpoint import write_proof
from otium.notes import Signer, encode64
from otium.records import Actor, Digest, Instant
from otium.store import LocalStore, Span
from otium.testing import MemoryStore

Make = Callable[[int], Entry]


def entries_of(make: Make, count: int, start: int = 0) -> list[Entry]:
    return [make(start + number) for number in range(count)]


def test_an_empty_ledger_verifies(ledger: Ledger, store: MemoryStore, signer: Signer) -> None:
    assert ledger.size == 0
    assert ledger.entries() == []
    assert verify(store, signer.vkeys) == ledger.checkpoint()
    assert list(store.list()) == ["log/checkpoint"]


def test_a_second_ledger_in_the_same_store_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer
) -> None:
    before = ledger.checkpoint()
    with pytest.raises(Exists):
        Ledger.create(store, signer, origin="ledger.example/other")
    assert ledger.checkpoint() == before


def test_a_ledger_that_lost_its_checkpoint_is_neither_opened_nor_begun_again(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(entry(0))
    del store.objects["log/checkpoint"]
    before = dict(store.objects)
    with pytest.raises(BrokenLedger, match="is missing"):
        Ledger.open(store, vkeys=signer.vkeys)
    with pytest.raises(BrokenLedger, match="is missing"):
        Ledger.create(store, signer, origin=signer.name)
    assert store.objects == before


def test_nothing_is_appended_under_a_checkpoint_rolled_back_over_two_appends(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(entry(0))
    old = store.objects["log/checkpoint"]
    ledger.append(entry(1))
    ledger.append(entry(2))
    store.objects["log/checkpoint"] = old
    before = dict(store.objects)
    with pytest.raises(BrokenLedger, match="rolled back"):
        Ledger.open(store, vkeys=signer.vkeys, signer=signer).append(entry(3))
    assert store.objects == before


def test_there_is_no_ledger_to_open_in_an_empty_store(signer: Signer) -> None:
    with pytest.raises(NotFound):
        Ledger.open(MemoryStore(), vkeys=signer.vkeys)


def test_entries_are_read_back_in_order_from_a_directory(
    tmp_path: Path, signer: Signer, entry: Make
) -> None:
    store = LocalStore(tmp_path)
    ledger = Ledger.create(store, signer, origin=signer.name)
    assert ledger.append(entry(0)) == [0]
    assert ledger.append(*entries_of(entry, 300, 1)) == list(range(1, 301))
    assert ledger.append() == []
    assert ledger.append(entry(301), entry(302)) == [301, 302]
    again = Ledger.open(LocalStore(tmp_path), vkeys=signer.vkeys)
    assert again.entries() == entries_of(entry, 303)
    assert verify(store, signer.vkeys).size == again.size == 303


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 600])
def test_every_entry_is_proved_and_every_older_size_is_consistent(
    size: int, store: MemoryStore, ledger: Ledger, signer: Signer, entry: Make
) -> None:
    older = {0: ledger.checkpoint()}
    for number in range(0, size, 51):
        ledger.append(*entries_of(entry, min(51, size - number), number))
        older[ledger.size] = ledger.checkpoint()
    for number in sorted({0, size // 2, size - 1}):
        proof = check_proof(ledger.prove(number), entry(number).encode(), signer.vkeys)
        assert (proof.index, proof.checkpoint) == (number, ledger.checkpoint())
    for old, point in older.items():
        path = ledger.consistency(old)
        check_consistency(old, size, point.root, ledger.checkpoint().root, path)
    assert verify(store, signer.vkeys).size == size


def test_a_proof_of_another_entry_index_log_or_key_is_refused(
    ledger: Ledger, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 20))
    text = ledger.prove(7)
    with pytest.raises(BadProof):
        check_proof(text, entry(8).encode(), signer.vkeys)
    with pytest.raises(BadProof):
        check_proof(text.replace("index 7", "index 6"), entry(7).encode(), signer.vkeys)
    with pytest.raises(LedgerError):
        check_proof(text, entry(7).encode(), [Signer.generate("other").vkey])
    with pytest.raises(BadInput):
        ledger.prove(20)
    with pytest.raises(BadInput):
        ledger.consistency(21)


@pytest.mark.parametrize("at", range(0, 5000, 11))
def test_no_byte_of_a_proof_can_change_but_in_the_line_of_a_key_that_is_then_unknown(
    at: int, signer: Signer, entry: Make
) -> None:
    ledger = Ledger.create(MemoryStore(), signer, origin=signer.name)
    ledger.append(*entries_of(entry, 9))
    text = ledger.prove(8).encode()
    genuine = check_proof(text.decode(), entry(8).encode(), signer.vkeys)
    at %= len(text)
    for flip in (1, 32, 128):
        changed = text[:at] + bytes([text[at] ^ flip]) + text[at + 1 :]
        try:
            proof = check_proof(changed.decode(), entry(8).encode(), signer.vkeys)
        except (LedgerError, UnicodeDecodeError):
            continue
        assert at > text.rindex(b"\n\n")
        assert len(proof.checkpoint.signatures) == 1
        assert proof.checkpoint.body == genuine.checkpoint.body


def test_a_proof_is_the_text_of_the_specification(
    ledger: Ledger, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 3))
    proof = check_proof(ledger.prove(2), entry(2).encode(), signer.vkeys)
    first, index, *hashes, blank, origin, size, root, _, one, other = ledger.prove(2).splitlines()
    assert (first, index, blank) == ("c2sp.org/tlog-proof@v1", "index 2", "")
    assert hashes == [encode64(part) for part in proof.path]
    assert (origin, size, root) == (signer.name, "3", encode64(ledger.checkpoint().root))
    assert all(line.startswith(f"— {signer.name} ") for line in (one, other))
    changed = Proof(index=2, path=(*proof.path, bytes(32)), checkpoint=proof.checkpoint)
    with pytest.raises(BadProof):
        check_proof(write_proof(changed), entry(2).encode(), signer.vkeys)


def test_time_does_not_go_backwards_and_may_stand_still(ledger: Ledger, entry: Make) -> None:
    ledger.append(entry(5), entry(5))
    ledger.append(entry(5))
    before = ledger.checkpoint()
    with pytest.raises(BadInput, match="earlier"):
        ledger.append(entry(4))
    with pytest.raises(BadInput, match="earlier"):
        ledger.append(entry(7), entry(6))
    assert ledger.checkpoint() == before


def test_time_does_not_go_backwards_over_a_tile_border(ledger: Ledger, entry: Make) -> None:
    ledger.append(*entries_of(entry, 256))
    with pytest.raises(BadInput, match="earlier"):
        ledger.append(entry(254))
    ledger.append(entry(255))
    assert ledger.size == 257


def test_an_entry_may_have_65535_bytes_and_not_one_more(ledger: Ledger) -> None:
    def padded(letters: int) -> Entry:
        return _entry(body={"pad": "a" * letters})

    room = 65_535 - len(padded(0).encode())
    ledger.append(padded(room))
    assert len(ledger.entries()[0].encode()) == 65_535
    with pytest.raises(BadInput, match="65536 bytes"):
        ledger.append(padded(room + 1))


def _entry(**changes: object) -> Entry:
    facts: dict[str, object] = {
        "type": "heartbeat",
        "time": Instant("2026-01-01T00:00:00Z"),
        "actor": Actor("steward"),
        "subject": "house",
    }
    return Entry(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": ""},
        {"type": "Model.Deposited"},
        {"type": "model deposited"},
        {"actor": ""},
        {"subject": ""},
        {"refs": (Digest("sha256:00"),)},
        {"refs": (Digest("0" * 64),)},
        {"body": {"number": 2**53 + 1}},
        {"body": {"number": float("nan")}},
    ],
)
def test_an_entry_that_may_not_stand_in_a_ledger_is_refused(
    ledger: Ledger, changes: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        ledger.append(_entry(), _entry(**changes))
    assert ledger.size == 0


@pytest.mark.parametrize(
    "time", ["", "2026-01-01", "2026-01-01T00:00:00+00:00", "2026-02-30T00:00:00Z", "tomorrow"]
)
def test_an_entry_without_a_complete_utc_time_is_refused(ledger: Ledger, time: str) -> None:
    with pytest.raises(BadInstant):
        ledger.append(_entry(time=Instant(time)))


def test_who_has_no_key_or_another_key_does_not_append(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    reader = Ledger.open(store, vkeys=signer.vkeys)
    with pytest.raises(LedgerError, match="no signer"):
        reader.append(entry(0))
    stranger = Ledger.open(store, vkeys=signer.vkeys, signer=Signer.generate(signer.name))
    with pytest.raises(LedgerError, match="not those of this ledger"):
        stranger.append(entry(0))
    assert ledger.size == 0


def test_every_key_of_a_ledger_must_sign_and_no_other(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(entry(0))
    successor = Signer.generate(signer.name)
    for vkeys in (signer.vkeys[:1], signer.vkeys[1:], (*signer.vkeys, *successor.vkeys)):
        with pytest.raises(BrokenLedger):
            verify(store, vkeys)
        with pytest.raises(BrokenLedger):
            Ledger.open(store, vkeys=vkeys)


def test_a_ledger_of_one_old_ed25519_key_goes_on(entry: Make) -> None:
    store = MemoryStore()
    signer = Signer("old", Ed25519PrivateKey.generate())
    Ledger.create(store, signer, origin="old").append(entry(0))
    Ledger.open(store, vkeys=[signer.vkey], signer=signer).append(entry(1))
    assert verify(store, [signer.vkey]).size == 2


@pytest.mark.parametrize(
    "name",
    ["log/checkpoint", "log/tile/0/001.p/44", "log/tile/1/000.p/1", "log/tile/entries/001.p/44"],
)
@pytest.mark.parametrize("end", [0, -1])
def test_nothing_is_appended_to_a_log_whose_right_edge_is_damaged(
    name: str, end: int, ledger: Ledger, store: MemoryStore, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 300))
    data = bytearray(store.objects[name])
    data[end] ^= 1
    store.objects[name] = bytes(data)
    before = dict(store.objects)
    with pytest.raises(BrokenLedger):
        ledger.append(entry(300))
    assert store.objects == before
    del store.objects[name]
    with pytest.raises((BrokenLedger, NotFound)):
        ledger.append(entry(300))


def test_entries_that_do_not_lead_to_the_root_are_not_read(
    ledger: Ledger, store: MemoryStore, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 3))
    name = "log/tile/entries/000.p/3"
    store.objects[name] = store.objects[name].replace(b"model-1", b"model-2")
    with pytest.raises(BrokenLedger):
        ledger.entries()


class Counting(MemoryStore):
    """Knows which bundles were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get(self, name: str, span: Span | None = None) -> bytes:
        self.read += [name] if "entries" in name else []
        return super().get(name, span)


def test_entries_that_were_read_before_are_not_read_again(signer: Signer, entry: Make) -> None:
    store = Counting()
    ledger = Ledger.create(store, signer, origin=signer.name)
    ledger.append(*entries_of(entry, 1000))
    assert len(ledger.entries()) == 1000
    ledger.append(entry(1000))
    store.read.clear()
    assert ledger.entries() == entries_of(entry, 1001)
    assert store.read == ["log/tile/entries/003.p/233"]
    store.read.clear()
    assert ledger.entries()[5:7] == [entry(5), entry(6)]
    assert len(store.read) == 1


def test_whoever_read_a_ledger_notices_its_rollback_and_its_fork(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 5))
    before = dict(store.objects)
    ledger.append(*entries_of(entry, 3, 5))
    reader = Ledger.open(store, vkeys=signer.vkeys)
    assert len(reader.entries()) == 8
    store.objects = dict(before)
    with pytest.raises(BrokenLedger, match="rolled back"):
        reader.entries()
    Ledger.open(store, vkeys=signer.vkeys, signer=signer).append(*entries_of(entry, 9, 20))
    assert verify(store, signer.vkeys).size == 14
    with pytest.raises(BrokenLedger, match="do not lead to the root"):
        reader.entries()
