"""A writer that dies at any moment loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otium.errors import BrokenLedger
from otium.ledger import Entry, Ledger, verify
from otium.notes import Signer
from otium.store import Buffer, LocalStore
from otium.testing import MemoryStore

Make = Callable[[int], Entry]


def entries_of(make: Make, count: int, start: int = 0) -> list[Entry]:
    return [make(start + number) for number in range(count)]


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
    vkeys = signer.vkeys
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
    ledger = Ledger.open(store, vkeys=signer.vkeys, signer=signer)
    ledger.append(entry(0))
    store.life = 2
    with pytest.raises(SystemError):
        ledger.append(*entries_of(entry, 300, 1))
    with pytest.raises(BrokenLedger, match="interrupted"):
        verify(store, signer.vkeys)
    store.life, store.dead = 100, False
    ledger.append(entry(1))
    assert verify(store, signer.vkeys).size == 2
    assert ledger.entries() == entries_of(entry, 2)


CHILD = """
import sys
from pathlib import Path
from otium.ledger import Entry, Ledger
from otium.notes import Signer
from otium.store import LocalStore
signer = Signer.load(Path(sys.argv[1]) / "key.pem")
ledger = Ledger.open(LocalStore(Path(sys.argv[1])), vkeys=signer.vkeys, signer=signer)
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
        ledger = Ledger.open(store, vkeys=signer.vkeys, signer=signer)
        assert ledger.size in {acknowledged, acknowledged + 40}
        assert ledger.size > before
        before = ledger.size + 1
        (number,) = ledger.append(entry(0))
        assert number == verify(store, signer.vkeys).size - 1
