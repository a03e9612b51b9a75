"""The ledger in a store: appended to, read, proved.

An append writes tiles first and the checkpoint last; what no checkpoint covers was never
acknowledged. A writer that dies in between leaves tiles beyond the checkpoint: the next append
overwrites them or, where it does not reach them, withdraws them (replaces them with nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from otium.errors import BadInput, BrokenLedger, Exists, LedgerError
from otium.ledger.checkpoint import Checkpoint, Proof, sign_checkpoint, write_proof
from otium.ledger.entry import Entry, write_entry
from otium.ledger.merkle import (
    EMPTY_ROOT,
    consistency_path,
    frontier_root,
    inclusion_path,
    leaf_hash,
    node_hash,
    split,
    tree_hash,
)
from otium.ledger.note import Signer, VerifierKey
from otium.ledger.tiles import LOG, WIDTH, Tile, edge_of, grow, split_hashes, tiles_of, unbundle
from otium.ledger.verify import (
    CHECKPOINT,
    check_times,
    load_checkpoint,
    load_entries,
    load_leaves,
    load_tile,
)
from otium.store import Store


class _Tip(NamedTuple):
    """The right end of the log: all that an append builds on."""

    checkpoint: Checkpoint
    edge: list[list[bytes]]
    last: list[bytes]
    """The entries of the last, partial bundle."""
    newest: list[Entry]
    """The last entry, if there is one."""


class Ledger:
    """An append-only log of entries, signed."""

    def __init__(self, store: Store, vkeys: Sequence[str], signer: Signer | None = None) -> None:
        """Use ``create`` or ``open``."""
        self._store = store
        self._vkeys = tuple(vkeys)
        self._signer = signer
        self._swept = False

    @classmethod
    def create(cls, store: Store, signer: Signer, *, origin: str) -> Self:
        """Begin an empty ledger under ``log/``.

        Raises Exists if there is one, BrokenLedger if there is one without its checkpoint.
        """
        if next(iter(store.list(f"{LOG}/tile/")), None):
            load_checkpoint(store, [signer.vkey])
        first = sign_checkpoint(signer, origin, 0, EMPTY_ROOT)
        store.put(CHECKPOINT, first.text.encode())
        return cls(store, [signer.vkey], signer)

    @classmethod
    def open(cls, store: Store, *, vkeys: Sequence[str], signer: Signer | None = None) -> Self:
        """Open the ledger that one of *vkeys* signs; *signer* is needed only to append.

        Raises NotFound if there is none, BrokenLedger if its checkpoint is not theirs.
        """
        for vkey in vkeys:
            VerifierKey.parse(vkey)
        ledger = cls(store, vkeys, signer)
        ledger.checkpoint()
        return ledger

    @property
    def size(self) -> int:
        """How many entries the ledger has."""
        return self.checkpoint().size

    def resume(self) -> None:
        """Look again, at the next append, for what a writer that died left behind.

        For one of several processes that take turns: call it at the beginning of each turn.
        """
        self._swept = False

    def checkpoint(self) -> Checkpoint:
        """Return the newest checkpoint, its signature verified."""
        return load_checkpoint(self._store, self._vkeys)

    def entries(self) -> list[Entry]:
        """Return all entries, verified against the checkpoint's root."""
        point = self.checkpoint()
        leaves = load_leaves(self._store, point.size)
        if tree_hash([leaf_hash(leaf) for leaf in leaves]) != point.root:
            raise BrokenLedger(why=f"the entries do not lead to the root in {CHECKPOINT}")
        return load_entries(leaves)

    def append(self, *entries: Entry) -> list[int]:
        """Add *entries* durably under one new checkpoint; return their indices.

        Raises BrokenLedger, and writes nothing, if what is stored does not lead to its
        checkpoint; BadInput for an entry that may not stand here.
        """
        signer = self._may_sign()
        tip = self._tip()
        leaves = [write_entry(entry) for entry in entries]
        _check_order([*tip.newest, *entries])
        size = tip.checkpoint.size
        if entries:
            self._sweep(size)
            self._swept = False
            self._extend(signer, tip, leaves)
            self._swept = True
        return list(range(size, size + len(entries)))

    def prove(self, index: int) -> str:
        """Return the C2SP ``tlog-proof`` that the entry at *index* is in this ledger."""
        point = self.checkpoint()
        if not 0 <= index < point.size:
            raise BadInput(what=f"index {index}", why=f"the ledger has {point.size} entries")
        path = inclusion_path(index, point.size, _Tree(self._store, point.size).subtree)
        return write_proof(Proof(index=index, path=tuple(path), checkpoint=point))

    def consistency(self, old_size: int) -> list[bytes]:
        """Return the proof that this ledger begins with that of *old_size* entries."""
        size = self.checkpoint().size
        if not 0 <= old_size <= size:
            raise BadInput(what=f"size {old_size}", why=f"the ledger has {size} entries")
        if old_size == 0:
            return []
        return consistency_path(old_size, size, _Tree(self._store, size).subtree)

    def _may_sign(self) -> Signer:
        if self._signer is None:
            raise LedgerError(message="This ledger was opened for reading: it has no signer.")
        if self._signer.vkey not in self._vkeys:
            raise LedgerError(message=f"{self._signer.vkey} is not one of this ledger's keys.")
        return self._signer

    def _tip(self) -> _Tip:
        """Read the right end and verify that it leads to the checkpoint."""
        point = self.checkpoint()
        edge = [_load_hashes(self._store, tile) for tile in edge_of(point.size)]
        if frontier_root(edge) != point.root:
            raise BrokenLedger(why=f"the tiles do not lead to the root in {CHECKPOINT}")
        if point.size == 0:
            return _Tip(point, edge, [], [])
        *_, tile = (tile for tile in tiles_of(point.size) if tile.level is None)
        last = unbundle(load_tile(self._store, tile), tile)
        hashes = edge[0] or _load_hashes(self._store, Tile(0, tile.number, WIDTH))
        if [leaf_hash(leaf) for leaf in last] != hashes:
            raise BrokenLedger(why=f"{tile.name} does not lead to the root in {CHECKPOINT}")
        return _Tip(point, edge, last if edge[0] else [], load_entries(last)[-1:])

    def _sweep(self, size: int) -> None:
        """Withdraw what a writer that died left beyond *size*; once for each opening.

        Raises BrokenLedger if several appends left it: then the checkpoint was rolled back, and
        going on would overwrite what was acknowledged.
        """
        if self._swept:
            return
        tiles = map(Tile.parse, self._store.list(f"{LOG}/tile/"))
        beyond = [tile for tile in tiles if tile and not tile.is_within(size)]
        left = [tile for tile in beyond if self._store.size(tile.name)]
        end = max((tile.end for tile in left if tile.level in {None, 0}), default=0)
        for tile in set(left) - set(tiles_of(end)):
            why = f"{tile.name} and others lie beyond {CHECKPOINT}, which was rolled back"
            raise BrokenLedger(why=why)
        for tile in left:
            self._store.replace(tile.name, b"")

    def _extend(self, signer: Signer, tip: _Tip, leaves: Sequence[bytes]) -> None:
        size = tip.checkpoint.size
        growth = grow(size, tip.edge, tip.last, leaves)
        for tile, data in growth.tiles:
            self._put(tile, data, size)
        root = frontier_root(growth.edge)
        point = sign_checkpoint(signer, tip.checkpoint.origin, size + len(leaves), root)
        self._store.replace(CHECKPOINT, point.text.encode())

    def _put(self, tile: Tile, data: bytes, size: int) -> None:
        try:
            self._store.put(tile.name, data)
        except Exists:
            if self._store.get(tile.name) == data:
                return
            if tile.is_within(size):
                raise
            self._store.replace(tile.name, data)


def _check_order(entries: Sequence[Entry]) -> None:
    try:
        check_times(entries)
    except BrokenLedger as error:
        raise BadInput(what="the entries", why=error) from error


class _Tree:
    """The hashes of a stored log, each tile read at most once."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self._size = size
        self._tiles: dict[Tile, list[bytes]] = {}

    def subtree(self, start: int, end: int) -> bytes:
        """Return the hash of the node over the leaves ``[start, end)``."""
        width = end - start
        if width & (width - 1):
            middle = start + split(width)
            return node_hash(self.subtree(start, middle), self.subtree(middle, end))
        level = (width.bit_length() - 1) // 8
        first, count = start >> 8 * level, width >> 8 * level
        row = self._hashes(level, first // WIDTH)
        return tree_hash(row[first % WIDTH : first % WIDTH + count])

    def _hashes(self, level: int, number: int) -> list[bytes]:
        width = min(WIDTH, (self._size >> 8 * level) - number * WIDTH)
        tile = Tile(level, number, width)
        if tile not in self._tiles:
            self._tiles[tile] = _load_hashes(self._store, tile)
        return self._tiles[tile]


def _load_hashes(store: Store, tile: Tile) -> list[bytes]:
    return split_hashes(load_tile(store, tile), tile) if tile.width else []
