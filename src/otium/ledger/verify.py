"""Read a stored log and believe nothing: all is computed again from the entries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from otium.errors import BadInput, BadNote, BrokenLedger, NotFound
from otium.ledger.checkpoint import Checkpoint, read_checkpoint
from otium.ledger.entry import Entry, read_entry
from otium.ledger.merkle import leaf_hash, tree_hash
from otium.ledger.tiles import LOG, WIDTH, Tile, bundle, tiles_of, unbundle
from otium.store import Store

CHECKPOINT = f"{LOG}/checkpoint"


def verify(store: Store, vkeys: Sequence[str]) -> Checkpoint:
    """Return the checkpoint if every file under ``log/`` is what its entries make it.

    Raises BrokenLedger, naming the file, for a changed, missing, unknown or uncommitted file,
    an entry that is not canonical, or a time that goes backwards.
    """
    point = load_checkpoint(store, vkeys)
    leaves = load_leaves(store, point.size)
    rows = _rows(leaves)
    if tree_hash(rows[0]) != point.root:
        raise BrokenLedger(why=_misfit(store, rows[0]))
    needed = {tile.name for tile in tiles_of(point.size)}
    found = set(store.list(f"{LOG}/")) - {CHECKPOINT}
    for name in sorted(needed - found):
        raise BrokenLedger(why=f"{name} is missing")
    for name in sorted(found):
        data = store.get(name)
        if data or name in needed or Tile.parse(name) is None:  # else withdrawn: as good as gone
            _check_file(name, data, leaves, rows)
    check_times(load_entries(leaves))
    return point


def load_checkpoint(store: Store, vkeys: Sequence[str]) -> Checkpoint:
    """Return the stored checkpoint if one of *vkeys* signed it, else raise BrokenLedger.

    Raises NotFound if there is no ledger at all.
    """
    try:
        return read_checkpoint(store.get(CHECKPOINT).decode(), vkeys)
    except NotFound as error:
        for name in store.list(f"{LOG}/"):
            raise BrokenLedger(why=f"{CHECKPOINT} is missing, but {name} is there") from error
        raise
    except (BadNote, UnicodeDecodeError) as error:
        raise BrokenLedger(why=f"{CHECKPOINT}: {error}") from error


def load_tile(store: Store, tile: Tile) -> bytes:
    """Return a tile's bytes, or raise BrokenLedger if it is missing."""
    try:
        return store.get(tile.name)
    except NotFound as error:
        raise BrokenLedger(why=f"{tile.name} is missing") from error


def load_leaves(store: Store, size: int) -> list[bytes]:
    """Return the first *size* leaves from the bundles, unverified."""
    tiles = (tile for tile in tiles_of(size) if tile.level is None)
    return [leaf for tile in tiles for leaf in unbundle(load_tile(store, tile), tile)]


def load_entries(leaves: Sequence[bytes]) -> list[Entry]:
    """Return the entries in *leaves*, or raise BrokenLedger for one that may not stand here."""
    return [_read(leaf, index) for index, leaf in enumerate(leaves)]


def check_times(entries: Sequence[Entry]) -> None:
    """Raise BrokenLedger if an entry is earlier than the one before it."""
    for index, (before, entry) in enumerate(pairwise(entries)):
        if entry.time < before.time:
            why = f"entry {index + 1} ({entry.time}) is earlier than the one before ({before.time})"
            raise BrokenLedger(why=why)


def _read(leaf: bytes, index: int) -> Entry:
    try:
        return read_entry(leaf)
    except BadInput as error:
        raise BrokenLedger(why=f"{_bundle_of(index)}, entry {index}: {error}") from error


def _bundle_of(index: int) -> str:
    return Tile(None, index // WIDTH, WIDTH).name


def _misfit(store: Store, hashes: Sequence[bytes]) -> str:
    """Return which files keep the entries from leading to the root."""
    for tile in tiles_of(len(hashes)):
        part = b"".join(hashes[tile.number * WIDTH : tile.end])
        if tile.level == 0 and load_tile(store, tile) != part:
            return f"{tile._replace(level=None).name} and {tile.name} do not fit each other"
    return f"the entries do not lead to the root in {CHECKPOINT}"


def _rows(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return the hashes of each tile level."""
    rows = [[leaf_hash(leaf) for leaf in leaves]]
    while len(row := rows[-1]) >= WIDTH:
        full = len(row) - len(row) % WIDTH
        rows.append([tree_hash(row[i : i + WIDTH]) for i in range(0, full, WIDTH)])
    return rows


def _check_file(
    name: str, data: bytes, leaves: Sequence[bytes], rows: Sequence[Sequence[bytes]]
) -> None:
    tile = Tile.parse(name)
    if tile is None:
        raise BrokenLedger(why=f"{name} is not a file of a ledger")
    if not tile.is_within(len(leaves)):
        why = "an append was interrupted (the next one mends it) or the checkpoint rolled back"
        raise BrokenLedger(why=f"{name} lies beyond the checkpoint: {why}")
    part = slice(tile.number * WIDTH, tile.end)
    expected = bundle(leaves[part]) if tile.level is None else b"".join(rows[tile.level][part])
    if data != expected:
        raise BrokenLedger(why=f"{name} is not what the entries make it")
