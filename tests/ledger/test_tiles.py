from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.errors import BrokenLedger
from otium.ledger.merkle import frontier_root, leaf_hash, tree_hash
from otium.ledger.tiles import Tile, bundle, grow, tiles_of, unbundle


@pytest.mark.parametrize(
    ("tile", "name"),
    [
        (Tile(0, 0, 256), "log/tile/0/000"),
        (Tile(0, 1234067, 256), "log/tile/0/x001/x234/067"),
        (Tile(2, 999, 1), "log/tile/2/999.p/1"),
        (Tile(None, 1000, 255), "log/tile/entries/x001/000.p/255"),
    ],
)
def test_tiles_are_named_as_the_specification_says(tile: Tile, name: str) -> None:
    assert tile.name == name
    assert Tile.parse(name) == tile


@pytest.mark.parametrize(
    "name",
    [
        "log/tile/00/000",
        "log/tile/0/00",
        "log/tile/0/x000/001",
        "log/tile/0/001/002",
        "log/tile/0/000.p/0",
        "log/tile/0/000.p/256",
        "log/tile/0/000.p/01",
        "log/tile/100/000",
        "log/tile/x/000",
        "log/tile/0/000/",
        "log/tile/0/000\n",
        "log/tile/entries/\u0660\u0660\u0660",
        "tile/0/000",
    ],
)
def test_other_names_are_not_tiles(name: str) -> None:
    assert Tile.parse(name) is None


def test_a_log_of_70000_has_the_tiles_of_the_specification_s_example() -> None:
    tiles = [tile for tile in tiles_of(70_000) if tile.level is not None]
    full = [tile.level for tile in tiles if tile.width == 256]
    partial = {tile.level: tile.width for tile in tiles if tile.width < 256}
    assert [full.count(level) for level in range(3)] == [273, 1, 0]
    assert partial == {0: 112, 1: 17, 2: 1}


def test_a_log_of_256_has_a_full_tile_and_one_hash_above_it() -> None:
    assert [tile.name for tile in tiles_of(256)] == [
        "log/tile/entries/000",
        "log/tile/0/000",
        "log/tile/1/000.p/1",
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_growing_in_any_steps_gives_the_tiles_and_root_of_the_whole(steps: list[int]) -> None:
    leaves = [b"leaf %d" % index for index in range(sum(steps))]
    grown: dict[Tile, bytes] = {}
    size, edge = 0, list[list[bytes]]()
    for step in steps:
        start = size - size % 256
        growth = grow(size, edge, leaves[start:size], leaves[size : size + step])
        grown.update(growth.tiles)
        size, edge = size + step, growth.edge
    whole = grow(0, [], [], leaves)
    assert frontier_root(edge) == tree_hash([leaf_hash(leaf) for leaf in leaves])
    assert {tile for tile, _ in whole.tiles} == set(tiles_of(size))
    assert {tile: grown[tile] for tile, _ in whole.tiles} == dict(whole.tiles)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    data = bundle(entries)
    assert unbundle(data, Tile(None, 0, len(entries))) == entries
    with pytest.raises(BrokenLedger):
        unbundle(data, Tile(None, 0, len(entries) + 1))
    with pytest.raises(BrokenLedger):
        unbundle(data + b"\0", Tile(None, 0, len(entries)))
    with pytest.raises(BrokenLedger):
        unbundle(data[:-1], Tile(None, 0, len(entries)))
