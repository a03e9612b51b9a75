from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.errors import (
    BadInput,
    BadInstant,
    BadProof,
    BrokenLedger,
    Exists,
    LedgerError,
    NotFound,
)
from otium.ledger import (
    Entry,
    Ledger,
    Proof,
    Signer,
    check_consistency,
    check_proof,
    verify,
)
from otium.ledger.checkpoint import write_proof
from otium.ledger.note import encode64
from otium.records import Actor, Digest, Instant
from otium.store import Buffer, LocalStore
from otium.testing import MemoryStore

Make = Callable[[int], Entry]


def entries_of(make: Make, count: int, start: int = 0) -> list[Entry]:
    return [make(start + number) for number in range(count)]


def test_an_empty_ledger_verifies(ledger: Ledger, store: MemoryStore, signer: Signer) -> None:
    assert ledger.size == 0
    assert ledger.entries() == []
    assert verify(store, [signer.vkey]) == ledger.checkpoint()
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
        Ledger.open(store, vkeys=[signer.vkey])
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
        Ledger.open(store, vkeys=[signer.vkey], signer=signer).append(entry(3))
    assert store.objects == before


def test_there_is_no_ledger_to_open_in_an_empty_store(signer: Signer) -> None:
    with pytest.raises(NotFound):
        Ledger.open(MemoryStore(), vkeys=[signer.vkey])


def test_entries_are_read_back_in_order_from_a_directory(
    tmp_path: Path, signer: Signer, entry: Make
) -> None:
    store = LocalStore(tmp_path)
    ledger = Ledger.create(store, signer, origin=signer.name)
    assert ledger.append(entry(0)) == [0]
    assert ledger.append(*entries_of(entry, 300, 1)) == list(range(1, 301))
    assert ledger.append() == []
    assert ledger.append(entry(301), entry(302)) == [301, 302]
    again = Ledger.open(LocalStore(tmp_path), vkeys=[signer.vkey])
    assert again.entries() == entries_of(entry, 303)
    assert verify(store, [signer.vkey]).size == again.size == 303


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 600])
def test_every_entry_is_proved_and_every_older_size_is_consistent(
    size: int, store: MemoryStore, ledger: Ledger, signer: Signer, entry: Make
) -> None:
    older = {0: ledger.checkpoint()}
    for number in range(0, size, 51):
        ledger.append(*entries_of(entry, min(51, size - number), number))
        older[ledger.size] = ledger.checkpoint()
    for number in sorted({0, size // 2, size - 1}):
        proof = check_proof(ledger.prove(number), entry(number).encode(), [signer.vkey])
        assert (proof.index, proof.checkpoint) == (number, ledger.checkpoint())
    for old, point in older.items():
        path = ledger.consistency(old)
        check_consistency(old, size, point.root, ledger.checkpoint().root, path)
    assert verify(store, [signer.vkey]).size == size


def test_a_proof_of_another_entry_index_log_or_key_is_refused(
    ledger: Ledger, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 20))
    text = ledger.prove(7)
    with pytest.raises(BadProof):
        check_proof(text, entry(8).encode(), [signer.vkey])
    with pytest.raises(BadProof):
        check_proof(text.replace("index 7", "index 6"), entry(7).encode(), [signer.vkey])
    with pytest.raises(LedgerError):
        check_proof(text, entry(7).encode(), [Signer.generate("other").vkey])
    with pytest.raises(BadInput):
        ledger.prove(20)
    with pytest.raises(BadInput):
        ledger.consistency(21)


@pytest.mark.parametrize("at", range(0, 600, 7))
def test_no_byte_of_a_proof_can_change(
    at: int, ledger: Ledger, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 9))
    text = ledger.prove(8).encode()
    at %= len(text)
    for flip in (1, 32, 128):
        changed = text[:at] + bytes([text[at] ^ flip]) + text[at + 1 :]
        with pytest.raises((LedgerError, UnicodeDecodeError)):
            check_proof(changed.decode(), entry(8).encode(), [signer.vkey])


def test_a_proof_is_the_text_of_the_specification(
    ledger: Ledger, signer: Signer, entry: Make
) -> None:
    ledger.append(*entries_of(entry, 3))
    proof = check_proof(ledger.prove(2), entry(2).encode(), [signer.vkey])
    first, index, *hashes, blank, origin, size, root, _, signature = ledger.prove(2).splitlines()
    assert (first, index, blank) == ("c2sp.org/tlog-proof@v1", "index 2", "")
    assert hashes == [encode64(part) for part in proof.path]
    assert (origin, size, root) == (signer.name, "3", encode64(ledger.checkpoint().root))
    assert signature.startswith(f"— {signer.name} ")
    changed = Proof(index=2, path=(*proof.path, bytes(32)), checkpoint=proof.checkpoint)
    with pytest.raises(BadProof):
        check_proof(write_proof(changed), entry(2).encode(), [signer.vkey])


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
    reader = Ledger.open(store, vkeys=[signer.vkey])
    with pytest.raises(LedgerError, match="no signer"):
        reader.append(entry(0))
    stranger = Ledger.open(store, vkeys=[signer.vkey], signer=Signer.generate(signer.name))
    with pytest.raises(LedgerError, match="not one of this ledger's keys"):
        stranger.append(entry(0))
    assert ledger.size == 0


def test_either_of_two_keys_of_a_ledger_signs_the_next_checkpoint(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(entry(0))
    successor = Signer.generate(signer.name)
    vkeys = [signer.vkey, successor.vkey]
    Ledger.open(store, vkeys=vkeys, signer=successor).append(entry(1))
    assert verify(store, vkeys).size == 2
    with pytest.raises(BrokenLedger):
        verify(store, [signer.vkey])


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


class Mortal(MemoryStore):
    """Dies before or after its n-th write, and is dead from then on."""

    def __init__(self, objects: dict[str, bytes], life: int, *, writes_last: bool) -> None:
        super().__init__()
        self.objects = dict(objects)
        self.life = life
        self.writes_last = writes_last
        self.dead = False

    def put(self, name: str, data: Buffer) -> None:
        self._age(lambda: super(Mortal, self).put(name, data))

    def replace(self, name: str, data: Buffer) -> None:
        self._age(lambda: super(Mortal, self).replace(name, data))

    def _age(self, write: Callable[[], None]) -> None:
        self.life -= 1
        if self.life < 0 or self.dead:
            self.dead = True
            if self.writes_last and self.life == -1:
                write()
            raise SystemError("killed")
        write()


@pytest.mark.parametrize("writes_last", [False, True])
@pytest.mark.parametrize("start", [0, 1, 255, 256])
@pytest.mark.parametrize(("batch", "retry"), [(1, 1), (5, 1), (300, 5), (20, 300), (300, 300)])
def test_a_writer_killed_at_any_write_loses_nothing_acknowledged_and_doubles_nothing(
    *, start: int, batch: int, retry: int, writes_last: bool, signer: Signer, entry: Make
) -> None:
    base = MemoryStore()
    known = entries_of(entry, start)
    Ledger.create(base, signer, origin=signer.name).append(*known)
    vkeys = [signer.vkey]
    for life in range(20):
        store = Mortal(base.objects, life, writes_last=writes_last)
        ledger = Ledger.open(store, vkeys=vkeys, signer=signer)
        try:
            ledger.append(*entries_of(entry, batch, 1000))
        except SystemError:
            store.life, store.dead = 10**6, False
        else:
            break
        again = Ledger.open(store, vkeys=vkeys, signer=signer)
        committed = again.entries()
        assert committed in (known, known + entries_of(entry, batch, 1000))
        for new in (entries_of(entry, retry, 2000), entries_of(entry, 40, 3000)):
            again.append(*new)
            committed += new
            assert verify(store, vkeys).size == len(committed)
        assert again.entries() == committed
    else:
        pytest.fail("the append did not end")


def test_the_same_writer_goes_on_after_a_failed_write(signer: Signer, entry: Make) -> None:
    base = MemoryStore()
    Ledger.create(base, signer, origin=signer.name)
    store = Mortal(base.objects, 10, writes_last=False)
    ledger = Ledger.open(store, vkeys=[signer.vkey], signer=signer)
    ledger.append(entry(0))
    store.life = 2
    with pytest.raises(SystemError):
        ledger.append(*entries_of(entry, 300, 1))
    with pytest.raises(BrokenLedger, match="interrupted"):
        verify(store, [signer.vkey])
    store.life, store.dead = 100, False
    ledger.append(entry(1))
    assert verify(store, [signer.vkey]).size == 2
    assert ledger.entries() == entries_of(entry, 2)


CHILD = """
import sys
from pathlib import Path
from otium.ledger import Entry, Ledger, Signer
from otium.store import LocalStore
signer = Signer.load(Path(sys.argv[1]) / "key.pem")
ledger = Ledger.open(LocalStore(Path(sys.argv[1])), vkeys=[signer.vkey], signer=signer)
for number in range(10**6):
    new = [
        Entry(type="heartbeat", time="2026-01-01T00:00:00Z", actor="a", subject=f"{number}-{part}")
        for part in range(40)
    ]
    print(ledger.append(*new)[-1] + 1, flush=True)
"""


def test_a_process_killed_while_it_appends_keeps_all_that_it_acknowledged(
    tmp_path: Path, signer: Signer, entry: Make
) -> None:
    store = LocalStore(tmp_path)
    signer.save(tmp_path / "key.pem")
    Ledger.create(store, signer, origin=signer.name)
    before = 0
    for acknowledgements in (1, 3, 8):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(acknowledgements)]
            child.kill()
            lines += child.stdout.readlines()
        acknowledged = max(int(line) for line in lines if line.endswith("\n"))
        ledger = Ledger.open(store, vkeys=[signer.vkey], signer=signer)
        assert ledger.size in {acknowledged, acknowledged + 40}
        assert ledger.size > before
        before = ledger.size + 1
        (number,) = ledger.append(entry(0))
        assert number == verify(store, [signer.vkey]).size - 1
