from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BadProof
from otium.ledger.merkle import (
    EMPTY_ROOT,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    tree_hash,
)

# The leaves and roots that the Certificate Transparency projects test with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
BORDERS = [1, 2, 3, 254, 255, 256, 257, 258, 511, 512, 513, 600]
sizes = st.one_of(st.sampled_from(BORDERS), st.integers(1, 600))


@cache
def subtree(start: int, end: int) -> bytes:
    """The definition in RFC 6962, section 2.1, word for word."""
    if end - start == 0:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return leaf_hash(b"leaf %d" % start)
    left = 1
    while left * 2 < end - start:
        left *= 2
    pair = subtree(start, start + left) + subtree(start + left, end)
    return hashlib.sha256(b"\x01" + pair).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_known_ones(size: int) -> None:
    assert tree_hash([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size]


def test_known_inclusion_path_of_the_first_leaf_of_eight_verifies() -> None:
    path = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    found = [bytes.fromhex(part) for part in path]
    check_inclusion(leaf_hash(b""), 0, 8, found, bytes.fromhex(ROOTS[8]))


@settings(deadline=None)
@given(sizes)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    leaves = [leaf_hash(b"leaf %d" % index) for index in range(size)]
    assert tree_hash(leaves) == subtree(0, size)


@settings(deadline=None)
@given(st.data(), sizes)
def test_every_inclusion_path_verifies_and_no_other_leaf_or_index_does(
    data: st.DataObject, size: int
) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, subtree)
    root = subtree(0, size)
    check_inclusion(subtree(index, index + 1), index, size, path, root)
    with pytest.raises(BadProof):
        check_inclusion(leaf_hash(b"another"), index, size, path, root)
    wrong = data.draw(st.integers(-1, size).filter(lambda other: other != index))
    with pytest.raises(BadProof):
        check_inclusion(subtree(index, index + 1), wrong, size, path, root)


@settings(deadline=None)
@given(st.data(), sizes)
def test_every_consistency_path_verifies_and_no_changed_one_does(
    data: st.DataObject, size: int
) -> None:
    old = data.draw(st.integers(1, size))
    path = consistency_path(old, size, subtree)
    roots = subtree(0, old), subtree(0, size)
    check_consistency(old, size, *roots, path)
    for changed in ([*path, EMPTY_ROOT], path[:-1], [EMPTY_ROOT, *path[1:]]):
        if changed != path:
            with pytest.raises(BadProof):
                check_consistency(old, size, *roots, changed)
    with pytest.raises(BadProof):
        check_consistency(old, size, EMPTY_ROOT, roots[1], path)
    with pytest.raises(BadProof):
        check_consistency(old, size, roots[0], EMPTY_ROOT, path)


@settings(max_examples=30, deadline=None)
@given(sizes)
def test_a_proof_from_the_empty_log_is_empty(size: int) -> None:
    check_consistency(0, size, EMPTY_ROOT, subtree(0, size), [])
    with pytest.raises(BadProof):
        check_consistency(0, size, EMPTY_ROOT, subtree(0, size), [EMPTY_ROOT])
    with pytest.raises(BadProof):
        check_consistency(0, size, subtree(0, size), subtree(0, size), [])


def test_a_consistency_proof_does_not_lead_backwards() -> None:
    with pytest.raises(BadProof):
        check_consistency(5, 3, subtree(0, 5), subtree(0, 3), [])
