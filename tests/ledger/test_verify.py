from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from otium.errors import BrokenLedger
from otium.ledger import Entry, Ledger, check_consistency, verify
from otium.ledger.checkpoint import sign_checkpoint
from otium.ledger.merkle import frontier_root
from otium.ledger.tiles import grow
from otium.notes import Signer
from otium.testing import MemoryStore

Make = Callable[[int], Entry]
MUTANTS = 2_400


@pytest.fixture
def full(ledger: Ledger, store: MemoryStore, entry: Make) -> MemoryStore:
    """A log of 300 entries with full, partial and stale partial tiles."""
    for start in range(0, 300, 60):
        ledger.append(*(entry(start + number) for number in range(60)))
    return store


def refuses(objects: dict[str, bytes], signer: Signer) -> str:
    store = MemoryStore()
    store.objects = objects
    with pytest.raises(BrokenLedger) as caught:
        verify(store, signer.vkeys)
    return str(caught.value)


def forge(leaves: list[bytes], signer: Signer) -> dict[str, bytes]:
    """Return a log of any leaves, signed by the log's own key."""
    growth = grow(0, [], [], leaves)
    point = sign_checkpoint(signer, signer.name, len(leaves), frontier_root(growth.edge))
    files = {tile.name: data for tile, data in growth.tiles}
    return {"log/checkpoint": point.text.encode(), **files}


def test_no_byte_of_any_file_can_change(full: MemoryStore, signer: Signer) -> None:
    assert verify(full, signer.vkeys).size == 300
    names = sorted(full.objects)
    chance = random.Random(1)
    for number in range(MUTANTS):
        name = names[number % len(names)]
        data = bytearray(full.objects[name])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        message = refuses({**full.objects, name: bytes(data)}, signer)
        assert "log/" in message


def test_no_file_can_be_cut_or_lengthened(full: MemoryStore, signer: Signer) -> None:
    for name, data in full.objects.items():
        for changed in (data[:-1], data + b"\0", data[:1], data + data, data[1:]):
            refuses({**full.objects, name: changed}, signer)


def test_every_tile_that_the_checkpoint_needs_is_needed(full: MemoryStore, signer: Signer) -> None:
    needed = {
        "log/tile/entries/000",
        "log/tile/entries/001.p/44",
        "log/tile/0/000",
        "log/tile/0/001.p/44",
        "log/tile/1/000.p/1",
    }
    for name in needed:
        rest = {other: data for other, data in full.objects.items() if other != name}
        assert name in refuses(rest, signer)
        assert name in refuses({**rest, name: b""}, signer)
    assert verify_objects({n: full.objects[n] for n in [*needed, "log/checkpoint"]}, signer) == 300


def verify_objects(objects: dict[str, bytes], signer: Signer) -> int:
    store = MemoryStore()
    store.objects = objects
    return verify(store, signer.vkeys).size


def test_swapped_files_are_refused(full: MemoryStore, signer: Signer) -> None:
    names = sorted(full.objects)
    for one, other in pairwise(names):
        swapped = {one: full.objects[other], other: full.objects[one]}
        refuses({**full.objects, **swapped}, signer)


@pytest.mark.parametrize(
    "name",
    ["log/notes.txt", "log/tile/0/000.p/300", "log/tile/entries/0", "log/tile/7/000", "log/a/b"],
)
def test_a_file_that_is_not_the_ledger_s_is_refused(
    name: str, full: MemoryStore, signer: Signer
) -> None:
    assert name in refuses({**full.objects, name: b"x"}, signer)


def test_dropped_repeated_and_reordered_entries_are_refused(
    full: MemoryStore, signer: Signer, entry: Make
) -> None:
    checkpoint = full.objects["log/checkpoint"]
    leaves = [entry(number).encode() for number in range(300)]
    assert verify_objects(forge(leaves, signer), signer) == 300
    chance = random.Random(2)
    for _ in range(30):
        at = chance.randrange(299)
        for changed in (
            leaves[:at] + leaves[at + 1 :],
            [*leaves[:at], leaves[at], *leaves[at:]],
            [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]],
        ):
            refuses({**forge(changed, signer), "log/checkpoint": checkpoint}, signer)


def test_a_checkpoint_rolled_back_under_newer_tiles_is_refused(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    for number in range(20):
        old = store.objects["log/checkpoint"]
        ledger.append(entry(number))
        assert "rolled back" in refuses({**store.objects, "log/checkpoint": old}, signer)


def test_a_fork_is_refused_by_whoever_holds_an_older_checkpoint(
    ledger: Ledger, store: MemoryStore, signer: Signer, entry: Make
) -> None:
    ledger.append(*(entry(number) for number in range(10)))
    mine = ledger.checkpoint()
    other = forge([entry(number).encode() for number in [*range(9), *range(20, 25)]], signer)
    forked = MemoryStore()
    forked.objects = other
    fork = Ledger.open(forked, vkeys=signer.vkeys)
    assert verify(forked, signer.vkeys).size == 14
    with pytest.raises(Exception, match="does not verify"):
        check_consistency(10, 14, mine.root, fork.checkpoint().root, fork.consistency(10))
    refuses({**store.objects, "log/checkpoint": other["log/checkpoint"]}, signer)
    refuses({**other, "log/checkpoint": store.objects["log/checkpoint"]}, signer)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'{"actor"', b'{ "actor"'),
        (b'"ok":true', b'"ok":true,"ok":true'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":3'),
        (b'"refs":[]', b'"refs":[],"sigs":[]'),
        (b'"v":1', b'"v":1,"w":1'),
        (b',"v":1', b""),
        (b'"number":1', b'"number":1e0'),
        (b"archivist", b"\\u0061rchivist"),
        (b'"refs":[]', b'"refs":["sha256:00"]'),
        (b"2026-01-01T00:00:01Z", b"2026-01-01T00:00:60Z"),
        (b"2026-01-01T00:00:01Z", b"2026-01-01 00:00:01Z"),
        (b"2026-01-01T00:00:01Z", b"2025-01-01T00:00:01Z"),
        (b"model-1", b"\xff"),
    ],
)
def test_an_entry_that_is_not_canonical_is_refused_even_if_it_was_signed(
    good: bytes, bad: bytes, signer: Signer, entry: Make
) -> None:
    leaves = [entry(number).encode() for number in range(3)]
    assert verify_objects(forge(leaves, signer), signer) == 3
    assert good in leaves[1]
    leaves[1] = leaves[1].replace(good, bad)
    assert "entr" in refuses(forge(leaves, signer), signer)


def test_a_tile_that_is_not_needed_may_be_withdrawn_but_not_changed(
    full: MemoryStore, signer: Signer
) -> None:
    for name in ("log/tile/entries/001.p/45", "log/tile/entries/000.p/60"):
        assert verify_objects({**full.objects, name: b""}, signer) == 300
        assert name in refuses({**full.objects, name: b"x"}, signer)
