"""Custodians that cheat, over ten thousand audits, are caught as often as was computed.

What is real in all of them: the draw, by `otium.audit` itself, a new checkpoint's beacon each.
What is simulated in most: whether a response would have held a leaf is looked up in an array
of leaves that were dropped, since a leaf that is not held cannot be answered for (test_spot).
One audit in fifty is also answered out of a real copy with those leaves gone, by a
custodian that kept all hashes, and judged by the real `judge`; both must agree each time.
"""

import os
from hashlib import sha256
from math import sqrt

import numpy as np
import pytest
from blake3 import blake3
from msgspec.structs import replace
from numpy.typing import NDArray

from audit.kit import DEADLINE, NOW, Lab, response_of
from otium.audit import (
    LEAF,
    Challenge,
    ReadResponse,
    Seals,
    commit_to,
    judge_read,
    reads_challenge,
    respond_to_read,
    seal_reads,
)
from otium.audit.records import chance
from otium.audit.spot import draws
from otium.errors import AuditFailed
from otium.records import ModelId
from otium.testing import MemoryStore

AUDITS = 2000
"""For each of six cheats."""
REAL = 50
LEAVES = 3000
SAMPLES = {0.001: 460, 0.01: 110, 0.05: 30}
DEVIATIONS = 2.576
"""Within so many standard deviations lie 99 of 100."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab that keeps three thousand leaves of three models."""
    lab = Lab(tmp_path_factory.mktemp("wide"))
    for number in range(3):
        lab.keep(ModelId(f"part-{number}"), LEAVES // 3 * LEAF)
    lab.seal()
    return lab


def dropped(seals: Seals, share: float, *, contiguous: bool) -> NDArray[np.bool_]:
    """Return which of all leaves, in order, a cheat no longer holds."""
    total = sum(pack.leaves for pack in seals.packs)
    gone, rng = np.zeros(total, bool), np.random.default_rng(7)
    lost = round(share * total)
    start = int(rng.integers(total - lost))
    where = np.arange(start, start + lost) if contiguous else rng.choice(total, lost, False)
    gone[where] = True
    return gone


def without(lab: Lab, seals: Seals, gone: NDArray[np.bool_]) -> MemoryStore:
    """Return a copy in which the leaves that are *gone* hold zeros."""
    copy, first = lab.copy(), 0
    for pack in seals.packs:
        data = bytearray(copy.objects[pack.name])
        for leaf in np.flatnonzero(gone[first : first + pack.leaves]):
            data[leaf * LEAF : (leaf + 1) * LEAF] = bytes(
                len(data[leaf * LEAF : (leaf + 1) * LEAF])
            )
        copy.objects[pack.name] = bytes(data)
        first += pack.leaves
    return copy


def places(asked: Challenge, seals: Seals) -> NDArray[np.int64]:
    """Return the number of each leaf that was drawn, in the order of all leaves."""
    starts = np.concatenate([[0], np.cumsum([pack.leaves for pack in seals.packs])])
    found = np.array(draws(asked, seals))
    return np.asarray(starts[found[:, 0]] + found[:, 1])


@pytest.mark.parametrize("contiguous", [False, True])
@pytest.mark.parametrize("share", SAMPLES)
def test_dropped_bytes_are_caught_at_the_computed_rate(
    wide: Lab, share: float, *, contiguous: bool
) -> None:
    seals, samples = wide.seals(), SAMPLES[share]
    gone = dropped(seals, share, contiguous=contiguous)
    copy, cache = without(wide, seals, gone), MemoryStore()
    first = wide.ask(samples=samples)
    response_of(wide.ask(samples=5000), wide.copy(), cache)  # a cheat that kept every hash
    caught = 0
    for number in range(AUDITS):
        asked = replace(first, beacon=f"{share} {contiguous} {number}")
        seen = bool(gone[places(asked, seals)].any())
        caught += seen
        if number % REAL == 0:
            real = wide.ask(samples=samples, beacon=asked.beacon)
            assert wide.judge(real, response_of(real, copy, cache)).passed is not seen
    expected = chance(samples, float(gone.mean()))
    off = DEVIATIONS * sqrt(expected * (1 - expected) / AUDITS)
    assert abs(caught / AUDITS - expected) <= off, (caught / AUDITS, expected)


def test_who_kept_only_the_answer_to_the_last_challenge_is_caught(wide: Lab) -> None:
    seals, hashes = wide.seals(), MemoryStore()
    response_of(wide.ask(samples=5000), wide.copy(), hashes)
    last = wide.ask(samples=110, beacon="last")
    old = response_of(last, wide.copy())
    gone = np.ones(sum(pack.leaves for pack in seals.packs), bool)
    gone[places(last, seals)] = False
    copy = without(wide, seals, gone)
    assert wide.judge(last, response_of(last, copy, hashes)).passed
    for number in range(20):
        asked = wide.ask(samples=110, beacon=str(number))
        with pytest.raises(AuditFailed, match="another challenge"):
            wide.judge(asked, old)
        assert not wide.judge(asked, response_of(asked, copy, hashes)).passed


def test_who_forwards_the_challenge_to_a_peer_passes_a_spot_check(wide: Lab) -> None:
    """What P1 cannot tell: one copy answers for two custodians. docs/how-to says so."""
    peer = wide.copy()
    asked = wide.ask(custodian="holds nothing")
    assert wide.judge(asked, response_of(asked, peer)).passed


def test_hash_states_that_answer_for_a_suffix_do_not_answer_for_a_key(sealed: Lab) -> None:
    """A cheat keeps a hash's state after each pack, and no byte of it."""
    secret = seal_reads(sealed.store, sealed.seals(), count=1, randomness=os.urandom)
    commit_to(secret, "lab", sealed.log)
    asked = reads_challenge(secret, (), custodian="cheat", made=NOW, deadline=DEADLINE)
    nonce = bytes.fromhex(asked.nonce)
    packs = [sealed.store.get(pack.name) for pack in sealed.seals().packs]
    kept = [(sha256(data), blake3(data)) for data in packs]
    for (state, tree), data in zip(kept, packs, strict=True):
        ended = state.copy(), tree.copy()
        for one in ended:
            one.update(nonce)
        right = sha256(data + nonce).digest(), blake3(data + nonce).digest()
        assert tuple(one.digest() for one in ended) == right  # had the nonce been a suffix
    guesses = [
        [tree.hexdigest() for _, tree in kept],
        [blake3(tree.digest(), key=nonce).hexdigest() for _, tree in kept],
        [blake3(tree.digest() + nonce).hexdigest() for _, tree in kept],
        [state.hexdigest() for state, _ in kept],
    ]
    for guess in guesses:
        answer = ReadResponse(audit=asked.digest(), answers=tuple(guess)).encode()
        outcome = judge_read(asked, answer, secret, sealed.ledger.entries(), sealed.seals())
        assert {one.verdict for one in outcome.models} == {"failed"}


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_any_dropped_byte_is_caught_by_a_full_read(wide: Lab, share: float) -> None:
    seals = wide.seals()
    secret = seal_reads(wide.store, seals, count=1, randomness=os.urandom)
    commit_to(secret, "lab", wide.log)
    asked = reads_challenge(secret, (), custodian="cheat", made=NOW, deadline=DEADLINE)
    copy = without(wide, seals, dropped(seals, share, contiguous=False))
    response = respond_to_read(asked, copy).encode()
    assert not judge_read(asked, response, secret, wide.ledger.entries(), seals).passed
