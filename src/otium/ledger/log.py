"""The ledger in a store: appended to, read, proved.

An append writes tiles first and the checkpoint last; what no checkpoint covers was never
acknowledged. A writer that dies in between leaves tiles beyond the checkpoint: the next append
overwrites them or, where it does not reach them, withdraws them (replaces them with nothing).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from otium.errors import BadInput, BrokenLedger, Exists, LedgerError
from otium.ledger.checkpoint import (
    Checkpoint,
    Proof,
    meets,
    read_checkpoint,
    read_witnessed,
    sign_checkpoint,
    write_proof,
)
from otium.ledger.entry import Entry, write_entry
from otium.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    frontier_root,
    inclusion_path,
    leaf_hash,
    node_hash,
    split,
    tree_hash,
)
from otium.ledger.tiles import LOG, WIDTH, Tile, edge_of, grow, split_hashes, tiles_of, unbundle
from otium.ledger.verify import (
    CHECKPOINT,
    check_times,
    load_checkpoint,
    load_leaves,
    load_tile,
    read_leaves,
)
from otium.ledger.witnessed import WITNESSED, load_witnessed, witnessed_name, witnessed_size
from otium.notes import Signer, VerifierKey, WitnessPolicy
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
        self._read: list[Entry] = []
        self._frontier = Frontier()
        """Of the tree over what was read."""

    @classmethod
    def create(cls, store: Store, signer: Signer, *, origin: str) -> Self:
        """Begin an empty ledger under ``log/``.

        Raises Exists if there is one, BrokenLedger if there is one without its checkpoint.
        """
        if next(iter(store.list(f"{LOG}/tile/")), None):
            load_checkpoint(store, signer.vkeys)
        first = sign_checkpoint(signer, origin, 0, EMPTY_ROOT)
        store.put(CHECKPOINT, first.text.encode())
        return cls(store, signer.vkeys, signer)

    @classmethod
    def open(cls, store: Store, *, vkeys: Sequence[str], signer: Signer | None = None) -> Self:
        """Open the ledger that all of *vkeys* sign; *signer* is needed only to append.

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
        """Return the newest checkpoint, its signatures verified."""
        return load_checkpoint(self._store, self._vkeys)

    def entries(self) -> list[Entry]:
        """Return all entries, verified against the checkpoint's root.

        What this object has read and verified before is not read again. Raises BrokenLedger
        also if the ledger no longer begins with it.
        """
        point, known = self.checkpoint(), len(self._read)
        if point.size < known:
            raise BrokenLedger(why=f"{CHECKPOINT} was rolled back from {known} entries")
        leaves = load_leaves(self._store, point.size, known)
        frontier = self._frontier.extended(map(leaf_hash, leaves))
        if frontier.root() != point.root:
            raise BrokenLedger(why=f"the entries do not lead to the root in {CHECKPOINT}")
        self._read = [*self._read, *read_leaves(leaves, known)]
        self._frontier = frontier
        return list(self._read)

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

    def prove(self, index: int, policy: WitnessPolicy | None = None) -> str:
        """Return the C2SP ``tlog-proof`` that the entry at *index* is in this ledger.

        With a *policy* it has the newest checkpoint that the policy's quorum cosigned, if one
        covers the entry; else the newest one, which a reader with that policy will refuse.
        """
        point = self.checkpoint()
        if not 0 <= index < point.size:
            raise BadInput(what=f"index {index}", why=f"the ledger has {point.size} entries")
        if policy is not None:
            point = self._witnessed_beyond(index, policy) or point
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

    def keep_witnessed(self, text: str, policy: WitnessPolicy | None = None) -> Checkpoint:
        """Keep the cosigned checkpoint *text* for ever and return the one that is kept.

        If one of its size is kept already, that one stays. Raises BadNote if this log's keys
        did not all sign it or, with a *policy*, if it is not cosigned by the quorum and by
        nobody else; BrokenLedger if this ledger never had its root.
        """
        policies = [policy] if policy else []
        point, newest = read_witnessed(text, self._vkeys, policies), self.checkpoint()
        if point.origin != newest.origin or point.size > newest.size:
            raise BrokenLedger(why=f"the cosigned checkpoint of {point.size} is beyond this log")
        if point.root != _Tree(self._store, newest.size).root(point.size):
            raise BrokenLedger(why=f"the cosigned checkpoint of {point.size} has another root")
        try:
            self._store.put(witnessed_name(point.size), text.encode())
        except Exists:
            return load_witnessed(self._store, point.size, self._vkeys)
        return point

    def witnessed(self, policy: WitnessPolicy | None = None) -> list[Checkpoint]:
        """Return every cosigned checkpoint that is kept, the smallest first.

        The signatures of this log are verified; the cosignatures only with a *policy*, which
        then has to be met. Raises BrokenLedger for one that does not verify.
        """
        policies = [policy] if policy else []
        sizes = self._witnessed_sizes()
        return [load_witnessed(self._store, size, self._vkeys, policies) for size in sizes]

    def _witnessed_sizes(self) -> list[int]:
        sizes = map(witnessed_size, self._store.list(WITNESSED))
        return sorted(size for size in sizes if size is not None)

    def _witnessed_beyond(self, index: int, policy: WitnessPolicy) -> Checkpoint | None:
        """Return the newest checkpoint over *index* that meets *policy*, if there is one."""
        for size in reversed(self._witnessed_sizes()):
            if size <= index:
                return None
            kept = load_witnessed(self._store, size, self._vkeys)
            point = read_checkpoint(kept.text, self._vkeys, policy.vkeys)
            if meets(point, policy):
                return point
        return None

    def _may_sign(self) -> Signer:
        if self._signer is None:
            raise LedgerError(message="This ledger was opened for reading: it has no signer.")
        if set(self._signer.vkeys) != set(self._vkeys):
            message = f"The keys of {self._signer.name} are not those of this ledger."
            raise LedgerError(message=message)
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
        return _Tip(point, edge, last if edge[0] else [], list(read_leaves(last))[-1:])

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

    def root(self, size: int) -> bytes:
        """Return the root that the log had at *size*."""
        return self.subtree(0, size) if size else EMPTY_ROOT

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
