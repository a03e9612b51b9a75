"""Read a stored log and believe nothing: all is computed again from the entries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from otium.errors import BadInput, BadNote, BrokenLedger, NotFound
from otium.ledger.checkpoint import Checkpoint, read_own
from otium.ledger.entry import Entry, read_entry
from otium.ledger.merkle import frontier_root, tree_hash
from otium.ledger.tiles import LOG, WIDTH, Tile, bundle, tiles_of, unbundle
from otium.ledger.witnessed import (
    check_timestamps,
    is_timestamp,
    load_witnessed,
    witnessed_size,
)
from otium.notes import WitnessPolicy
from otium.store import Store

CHECKPOINT = f"{LOG}/checkpoint"


def verify(
    store: Store,
    vkeys: Sequence[str],
    policy: WitnessPolicy | None = None,
    *,
    earlier: Sequence[WitnessPolicy] = (),
) -> Checkpoint:
    """Return the checkpoint if every file under ``log/`` is what its entries make it.

    Each cosigned checkpoint must be of this log and, if a *policy* is given, cosigned as it or
    one of the *earlier* ones asks. Of time stamps only name and place are checked. Raises
    BrokenLedger, naming the file, for a changed, missing, unknown or uncommitted file, an entry
    that is not canonical, or a time that goes backwards.
    """
    point = load_checkpoint(store, vkeys)
    leaves = load_leaves(store, point.size)
    rows = _rows(leaves)
    if _root(rows, point.size) != point.root:
        raise BrokenLedger(why=_misfit(store, rows[0]))
    names = set(store.list(f"{LOG}/")) - {CHECKPOINT}
    stamps = set(filter(is_timestamp, names))
    check_timestamps(stamps, point.size)
    policies = [*([policy] if policy else []), *earlier]
    tiles = set()
    for name in sorted(names - stamps):
        size = witnessed_size(name)
        if size is None:
            tiles.add(name)
        else:
            _check_witnessed(load_witnessed(store, size, vkeys, policies), point, rows)
    _check_tiles(store, tiles, leaves, rows)
    check_times(read_leaves(leaves))
    return point


def load_checkpoint(store: Store, vkeys: Sequence[str]) -> Checkpoint:
    """Return the stored checkpoint if all of *vkeys* signed it, else raise BrokenLedger.

    Raises NotFound if there is no ledger at all.
    """
    try:
        return read_own(store.get(CHECKPOINT).decode(), vkeys)
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


def load_leaves(store: Store, size: int, start: int = 0) -> list[bytes]:
    """Return the leaves from *start* up to *size* from the bundles, unverified."""
    first = start // WIDTH
    tiles = (it for it in tiles_of(size) if it.level is None and it.number >= first)
    leaves = [leaf for tile in tiles for leaf in unbundle(load_tile(store, tile), tile)]
    return leaves[start - first * WIDTH :]


def read_leaves(leaves: Iterable[bytes], start: int = 0) -> Iterator[Entry]:
    """Yield the entries in *leaves*; raise BrokenLedger for one that may not stand here.

    *start* is the index of the first.
    """
    for index, leaf in enumerate(leaves, start):
        try:
            yield read_entry(leaf)
        except BadInput as error:
            raise BrokenLedger(why=f"{_bundle_of(index)}, entry {index}: {error}") from error


def check_times(entries: Iterable[Entry]) -> None:
    """Raise BrokenLedger if an entry is earlier than the one before it."""
    for index, (before, entry) in enumerate(pairwise(entries)):
        if entry.time < before.time:
            why = f"entry {index + 1} ({entry.time}) is earlier than the one before ({before.time})"
            raise BrokenLedger(why=why)


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
    sha256 = hashlib.sha256
    rows = [[sha256(b"\x00" + leaf).digest() for leaf in leaves]]
    while len(row := rows[-1]) >= WIDTH:
        full = len(row) - len(row) % WIDTH
        rows.append([tree_hash(row[i : i + WIDTH]) for i in range(0, full, WIDTH)])
    return rows


def _root(rows: Sequence[Sequence[bytes]], size: int) -> bytes:
    """Return the root that the log had at *size*, from the hashes of each tile level."""
    edges = []
    for level, row in enumerate(rows):
        count = size >> 8 * level
        edges.append(row[count - count % WIDTH : count])
    return frontier_root(edges)


def _check_witnessed(
    witnessed: Checkpoint, point: Checkpoint, rows: Sequence[Sequence[bytes]]
) -> None:
    size = witnessed.size
    here = f"log/witnessed/{size}"
    if witnessed.origin != point.origin or size > point.size:
        raise BrokenLedger(why=f"{here} is of another log, or {CHECKPOINT} was rolled back")
    if witnessed.root != _root(rows, size):
        raise BrokenLedger(why=f"{here} and {CHECKPOINT} are of different histories")


def _check_tiles(
    store: Store, found: set[str], leaves: Sequence[bytes], rows: Sequence[Sequence[bytes]]
) -> None:
    needed = {tile.name for tile in tiles_of(len(leaves))}
    for name in sorted(needed - found):
        raise BrokenLedger(why=f"{name} is missing")
    for name in sorted(found):
        data = store.get(name)
        if data or name in needed or Tile.parse(name) is None:  # else withdrawn: as good as gone
            _check_file(name, data, leaves, rows)


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
