"""More than 100,000 changed logs, none of which is accepted.

Each family changes one thing in every way that it can. To keep this within a minute or so, the
log is small, and a mutant is given to the part of ``verify`` that reads what was changed, where
``verify`` calls that part with the same arguments and stops at its error: ``load_checkpoint``
for `log/checkpoint` and ``load_witnessed`` for a cosigned checkpoint. All other changes of
files are given to ``verify`` itself; rollbacks and forks that are sound in themselves are given
to ``check_consistency`` with a checkpoint that was kept, as whoever keeps one does.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from otium.errors import LedgerError
from otium.ledger import Checkpoint, Entry, Ledger, check_consistency, check_proof, verify
from otium.ledger.checkpoint import sign_checkpoint
from otium.ledger.merkle import consistency_path, frontier_root, leaf_hash, tree_hash
from otium.ledger.tiles import grow
from otium.ledger.verify import load_checkpoint
from otium.ledger.witnessed import load_witnessed
from otium.notes import COSIGNATURE, MLDSA44, Cosigner, Signer, WitnessPolicy, read_policy
from otium.records import Actor, Instant, later
from otium.testing import MemoryStore

AT = Instant("2026-11-22T00:00:00Z")
BATCHES = (3, 2, 1)
SIZE = sum(BATCHES)
WITNESSED = (3, 5)
Check = Callable[[], object]
Objects = dict[str, bytes]


class World(NamedTuple):
    """A small log with two cosigned checkpoints, and the same again at each earlier size."""

    signer: Signer
    objects: Objects
    past: dict[int, Objects]
    policy: WitnessPolicy


def entry(number: int) -> Entry:
    time = later(Instant("2026-01-01T00:00:00Z"), seconds=number)
    return Entry(type="model.checked", time=time, actor=Actor("a"), subject=f"m-{number % 3}")


@functools.cache
def world() -> World:
    seed = bytes(range(32))
    key = Ed25519PrivateKey.from_private_bytes(seed)
    signer = Signer("log.example", key, MLDSA44PrivateKey.from_seed_bytes(seed))
    return grown(signer)


def grown(signer: Signer) -> World:
    alice, bob = Cosigner.generate("alice.example"), Cosigner.generate("bob.example")
    lines = (
        f"witness A {alice.vkeys[0]}",
        f"witness B {bob.vkeys[1]}",
        "group all all A B",
        "quorum all",
    )
    policy = read_policy("\n".join(lines) + "\n")
    store = MemoryStore()
    ledger, past = Ledger.create(store, signer, origin=signer.name), {}
    for count in BATCHES:
        ledger.append(*(entry(ledger.size + number) for number in range(count)))
        point = ledger.checkpoint()
        if point.size in WITNESSED:
            one = alice.cosign(point.body, AT, [COSIGNATURE])
            two = bob.cosign(point.body, AT, [MLDSA44])
            ledger.keep_witnessed(point.text + one + two, policy)
        past[point.size] = dict(store.objects)
    return World(signer, dict(store.objects), past, policy)


def stored(objects: Objects) -> MemoryStore:
    store = MemoryStore()
    store.objects = objects
    return store


def verified(changes: Objects, *, without: Iterable[str] = ()) -> Check:
    objects = {name: data for name, data in world().objects.items() if name not in set(without)}
    store = stored({**objects, **changes})
    return lambda: verify(store, world().signer.vkeys, world().policy)


def flips(data: bytes, bits: Iterable[int] = range(8)) -> Iterator[bytes]:
    for at, bit in itertools.product(range(len(data)), bits):
        yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def cuts(data: bytes) -> Iterator[bytes]:
    """Yield *data* cut off at every place, from either end."""
    for at in range(1, len(data)):
        yield data[:at]
        yield data[at:]


def shuffled_lines(data: bytes) -> Iterator[bytes]:
    """Yield the note with its lines dropped, doubled or out of order."""
    lines = data.splitlines(keepends=True)
    for at in range(len(lines)):
        yield b"".join(lines[:at] + lines[at + 1 :])
        yield b"".join(lines[: at + 1] + lines[at:])
    for order in itertools.permutations(range(4)):
        if order != (0, 1, 2, 3):
            yield b"".join([*(lines[it] for it in order), *lines[4:]])


def checkpoint_changes() -> Iterator[Check]:
    data, vkeys = world().objects["log/checkpoint"], world().signer.vkeys
    older = world().past[WITNESSED[0]]["log/checkpoint"]
    mixed = older.rpartition(b"\n\n")[0] + b"\n\n" + data.rpartition(b"\n\n")[2]
    for changed in itertools.chain(flips(data), cuts(data), shuffled_lines(data), [mixed]):
        yield functools.partial(load_checkpoint, stored({"log/checkpoint": changed}), vkeys)


def cosigned_changes() -> Iterator[Check]:
    first, second = (f"log/witnessed/{size}" for size in WITNESSED)
    data, older = world().objects[second], world().objects[first]
    head, tail = (part.splitlines(keepends=True) for part in (older, data))
    others = [older, b"".join(head[:6] + tail[6:]), b"".join(tail[:6] + head[6:])]
    changes = itertools.chain(flips(data, (0, 3, 5, 7)), cuts(data), shuffled_lines(data), others)
    vkeys, policies = world().signer.vkeys, [world().policy]
    for changed in changes:
        store = stored({second: changed})
        yield functools.partial(load_witnessed, store, WITNESSED[1], vkeys, policies)


def tile_changes() -> Iterator[Check]:
    for name, data in world().objects.items():
        if name.startswith("log/tile/"):
            bits = range(8) if f".p/{SIZE}" in name else (1, 4)
            for changed in itertools.chain(flips(data, bits), cuts(data)):
                yield verified({name: changed})


def file_changes() -> Iterator[Check]:
    """Drop needed files, swap, join and copy files, also to names that nothing stands under."""
    objects = world().objects
    yield from (verified({}, without=[name]) for name in objects if f".p/{SIZE}" in name)
    yield verified({}, without=["log/checkpoint"])
    for one, other in itertools.permutations(objects, 2):
        yield verified({one: objects[other]})
        yield verified({one: objects[one] + objects[other]})
        yield verified({one: objects[other], other: objects[one]})
    spare = ["log/x", "log/witnessed/4", "log/witnessed/x", "log/tile/0/001", "log/tile/1/000"]
    spare += ["log/timestamps/3/2-a.tsr", "log/timestamps/99/1-a.tsr", "log/checkpoint.old"]
    spare += [f"log/tile/{kind}/000.p/{width}" for kind in ("0", "entries") for width in (2, 20)]
    yield from (verified({name: data}) for name in spare for data in objects.values())


def rebuilt(leaves: list[bytes]) -> Objects:
    return {tile.name: data for tile, data in grow(0, [], [], leaves).tiles}


def entry_changes() -> Iterator[Check]:
    """Drop, double, exchange and change entries, all tiles made to fit."""
    good, chance = [entry(number).encode() for number in range(SIZE)], random.Random(1)
    tiles = [name for name in world().objects if name.startswith("log/tile/")]
    for _ in range(3000):
        leaves, at, other = list(good), *chance.sample(range(SIZE), 2)
        kind = chance.randrange(5)
        if kind == 0:
            del leaves[at : at + 1 + other]
        elif kind == 1:
            leaves.insert(other, leaves[at])
        elif kind == 2:
            leaves[at], leaves[other] = leaves[other], leaves[at]
        elif kind == 3:
            leaves[at] = entry(chance.randrange(SIZE, 10_000)).encode()
        else:
            byte = chance.randrange(len(leaves[at]))
            leaves[at] = leaves[at][:byte] + b"~" + leaves[at][byte + 1 :]
        if leaves != good:
            yield verified(rebuilt(leaves), without=tiles)


def forged(leaves: list[bytes]) -> Objects:
    """Return a whole log of any leaves, signed with the log's own keys."""
    growth, signer = grow(0, [], [], leaves), world().signer
    point = sign_checkpoint(signer, signer.name, len(leaves), frontier_root(growth.edge))
    return {**rebuilt(leaves), "log/checkpoint": point.text.encode()}


def forks_beside_a_cosigned_checkpoint() -> Iterator[Check]:
    """Sign another history, or an older state, beside what the witnesses cosigned."""
    kept = {f"log/witnessed/{it}": world().objects[f"log/witnessed/{it}"] for it in WITNESSED}
    for number in range(1000):
        size = 1 + number % (2 * SIZE)
        first = number % min(size, WITNESSED[1])
        leaves = [entry(it if it < first else it + 100 + number).encode() for it in range(size)]
        store = stored({**forged(leaves), **kept})
        yield functools.partial(verify, store, world().signer.vkeys, world().policy)
    for size, objects in world().past.items():
        if size < WITNESSED[1]:
            store = stored({**objects, **kept})
            yield functools.partial(verify, store, world().signer.vkeys, world().policy)


def points() -> Iterator[tuple[Checkpoint, Checkpoint, list[bytes]]]:
    """Yield a kept checkpoint, a newer one of the same history, and the proof between them."""
    leaves = [leaf_hash(entry(number).encode()) for number in range(40)]
    signer = world().signer
    made = {
        size: sign_checkpoint(signer, signer.name, size, tree_hash(leaves[:size]))
        for size in range(1, 41)
    }
    for old, new in itertools.combinations(made, 2):
        yield made[old], made[new], consistency_path(old, new, lambda a, b: tree_hash(leaves[a:b]))


def rollbacks_and_forks() -> Iterator[Check]:
    """Show an older state, or another history, to who kept a checkpoint; and change proofs."""
    chance = random.Random(2)
    for old, new, path in points():
        for shown in (path, [], path[::-1], [old.root], [new.root, *path]):
            yield functools.partial(
                check_consistency, new.size, old.size, new.root, old.root, shown
            )
        for _ in range(10):
            fork = [leaf_hash(chance.randbytes(4)) for _ in range(new.size)]
            hashes = functools.partial(_range, fork)
            theirs = consistency_path(old.size, new.size, hashes)
            for shown in (theirs, path, path + theirs):
                yield functools.partial(
                    check_consistency, old.size, new.size, old.root, tree_hash(fork), shown
                )
        wrong = [path[:at] + path[at + 1 :] for at in range(len(path))]
        wrong += [[*path[:at], step, *path[at + 1 :]] for at, step in enumerate(_bent(path))]
        for shown in [*wrong, [*path, path[-1]]]:
            yield functools.partial(
                check_consistency, old.size, new.size, old.root, new.root, shown
            )


def _range(hashes: list[bytes], start: int, end: int) -> bytes:
    return tree_hash(hashes[start:end])


def _bent(path: list[bytes]) -> list[bytes]:
    return [bytes([step[0] ^ 1]) + step[1:] for step in path]


def proof_changes() -> Iterator[Check]:
    """Change a cosigned proof. Its log has one key: a line of another would be passed over."""
    small = grown(Signer("log.example", Ed25519PrivateKey.generate()))
    ledger = Ledger.open(stored(small.objects), vkeys=small.signer.vkeys)
    data, vkeys = ledger.prove(4, small.policy).encode(), small.signer.vkeys
    assert check_proof(data.decode(), entry(4).encode(), vkeys, small.policy).path
    shuffled = (it for it in shuffled_lines(data) if not _says_the_same(it, data))
    for changed in itertools.chain(flips(data, (0, 2, 5)), cuts(data), shuffled):
        text = changed.decode(errors="surrogateescape")
        yield functools.partial(check_proof, text, entry(4).encode(), vkeys, small.policy)
    for number in (*range(4), *range(5, 500)):
        leaf = entry(number).encode()
        yield functools.partial(check_proof, data.decode(), leaf, vkeys, small.policy)


def _says_the_same(changed: bytes, data: bytes) -> bool:
    """Return whether only a signature was doubled, which C2SP allows."""
    (head, _, lines), (other_head, _, others) = (it.rpartition(b"\n\n") for it in (changed, data))
    return (head, set(lines.splitlines())) == (other_head, set(others.splitlines()))


FAMILIES = {
    checkpoint_changes: 34_000,
    cosigned_changes: 40_000,
    tile_changes: 13_000,
    file_changes: 300,
    entry_changes: 3_000,
    forks_beside_a_cosigned_checkpoint: 1_000,
    rollbacks_and_forks: 35_000,
    proof_changes: 18_000,
}
"""Each family, and how many mutants it must have at least."""


def test_the_log_that_is_changed_verifies() -> None:
    assert verified({})() is not None
    for size, objects in world().past.items():
        point = verify(stored(objects), world().signer.vkeys, world().policy)
        assert point.size == size
    for old, new, path in points():
        check_consistency(old.size, new.size, old.root, new.root, path)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda it: it.__name__)
def test_no_mutant_is_accepted(family: Callable[[], Iterator[Check]]) -> None:
    tried, accepted = 0, []
    for tried, check in enumerate(family(), 1):
        try:
            check()
        except LedgerError:
            continue
        accepted.append(tried)
    assert accepted == []
    assert tried >= FAMILIES[family]


def test_there_are_more_than_a_hundred_thousand() -> None:
    assert sum(FAMILIES.values()) > 100_000
