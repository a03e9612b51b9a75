"""pymerkle, written by others, computes the same trees; what it proves we accept, and ours it."""

from __future__ import annotations

import functools
import random

import pymerkle
import pytest

from otium.errors import BadProof
from otium.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    tree_hash,
)

SIZES = [*range(1, 70), 127, 128, 129, 255, 256, 257, 300, 511, 512, 513, 1000, 1025]
LARGEST = max(SIZES)
ENTRIES = [f"entry {number}".encode() for number in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@functools.cache
def oracle() -> pymerkle.InmemoryTree:
    return pymerkle.InmemoryTree.init_from_entries(ENTRIES, algorithm="sha256")


def subtree(start: int, end: int) -> bytes:
    return tree_hash(LEAVES[start:end])


@functools.cache
def root(size: int) -> bytes:
    found: bytes = oracle().get_root(size)
    return found


def test_roots_are_those_of_pymerkle() -> None:
    frontier = Frontier()
    for size in range(1, LARGEST + 1):
        frontier = frontier.extended([LEAVES[size - 1]])
        assert frontier.size == size
        assert frontier.root() == root(size)
    for size in SIZES:
        assert subtree(0, size) == root(size)
        assert Frontier().extended(LEAVES[:size]) == Frontier(size, _nodes(size))


def _nodes(size: int) -> tuple[bytes, ...]:
    nodes, start = [], 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            nodes.append(subtree(start, start + (1 << bit)))
            start += 1 << bit
    return tuple(nodes)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_is_proved_as_pymerkle_does(size: int) -> None:
    chance = random.Random(size)
    for index in {0, size - 1, *(chance.randrange(size) for _ in range(12))}:
        path = inclusion_path(index, size, subtree)
        proof = oracle().prove_inclusion(index + 1, size)
        assert [LEAVES[index], *path] == [bytes(step) for step in proof.path]
        check_inclusion(LEAVES[index], index, size, path, root(size))
        pymerkle.verify_inclusion(LEAVES[index], root(size), proof)
        if size > 1:
            with pytest.raises(BadProof):
                check_inclusion(LEAVES[index], (index + 1) % size, size, path, root(size))


@pytest.mark.parametrize("new", SIZES)
def test_consistency_is_proved_so_that_pymerkle_s_roots_lead_to_each_other(new: int) -> None:
    chance = random.Random(new)
    for old in {1, new, *(chance.randrange(1, new + 1) for _ in range(12))}:
        path = consistency_path(old, new, subtree)
        check_consistency(old, new, root(old), root(new), path)
        pymerkle.verify_consistency(root(old), root(new), oracle().prove_consistency(old, new))
        if old < new:
            with pytest.raises(BadProof):
                check_consistency(old, new, root(new), root(new), path)
            with pytest.raises(BadProof):
                check_consistency(old, new, root(old), root(old), path)
