import hashlib

from hypothesis import given
from hypothesis import strategies as st

from otium.audit import LEAF, Tree
from otium.audit.trees import leaf_count, leaf_span, path_length, read_through
from otium.ledger import EMPTY_ROOT, check_inclusion, leaf_hash
from otium.testing import MemoryStore


def rfc(leaves: list[bytes]) -> bytes:
    """Return MTH as RFC 6962, 2.1, writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + rfc(leaves[:k]) + rfc(leaves[k:])).digest()


def leaves_of(data: bytes) -> list[bytes]:
    return [data[at : at + LEAF] for at in range(0, len(data), LEAF)]


@given(st.integers(0, 40 * LEAF))
def test_the_root_is_that_of_the_rfc_and_each_path_leads_to_it(size: int) -> None:
    data = hashlib.shake_128(size.to_bytes(8)).digest(size)
    leaves = leaves_of(data)
    tree = Tree.read([data])
    assert tree.root == rfc(leaves)
    assert tree.is_whole
    assert leaf_count(size) == len(leaves)
    for index, leaf in enumerate(leaves):
        assert leaf_span(index, size) == (index * LEAF, len(leaf))
        path = tree.path(index)
        assert len(path) == path_length(index, len(leaves))
        check_inclusion(leaf_hash(leaf), index, len(leaves), path, tree.root)


def test_a_tree_does_not_depend_on_how_a_pack_is_read() -> None:
    data = bytes(1200 * LEAF + 5)
    store = MemoryStore()
    store.put("pack", data)
    parts = list(read_through(store, "pack", len(data)))
    assert len(parts) == 3
    assert Tree.read(parts).data == Tree.read([data]).data


def test_an_empty_pack_has_the_root_of_nothing() -> None:
    assert Tree.read([]).root == EMPTY_ROOT


def test_a_tree_that_lacks_a_byte_is_not_whole() -> None:
    whole = Tree.read([bytes(5 * LEAF)])
    assert not Tree(5, whole.data[:-1]).is_whole
    assert not Tree(6, whole.data).is_whole
