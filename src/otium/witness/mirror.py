"""Copy a published log and keep up with it, believing nothing that does not verify.

Bundles that are full are kept as they come, so that a copy that is interrupted goes on where it
was. All else is written once everything leads to the root that the log signed, the checkpoint
last. What lies beyond the copy's checkpoint was never vouched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from otium.errors import BadNote, BrokenLedger, Exists, LedgerError, NotFound, OtiumError, SplitView
from otium.ledger import (
    WIDTH,
    Checkpoint,
    Frontier,
    Growth,
    Ledger,
    Tile,
    edge_of,
    frontier_root,
    grow,
    leaf_hash,
    read_checkpoint,
    split_hashes,
    unbundle,
)
from otium.notes import Cosigner, WitnessPolicy, lines_of
from otium.records import Clock, Digest, Progress, SystemClock, digest, hexadecimal, silent
from otium.store import Store
from otium.witness.records import Mirrored
from otium.witness.web import Source, open_source

_CHECKPOINT = "log/checkpoint"
_MIRROR = "mirror/checkpoint"
Fetch = Callable[[Tile], bytes]


def mirror(
    source: str | Path,
    into: Store,
    vkeys: Sequence[str],
    policy: WitnessPolicy | None = None,
    *,
    cosigner: Cosigner | None = None,
    clock: Clock | None = None,
    patience: float = 30.0,
    progress: Progress = silent,
) -> Mirrored:
    """Bring the copy in *into* up to the log at *source* (a directory or an http address).

    All of *vkeys* must have signed it; with a *policy*, its quorum must have cosigned it. With a
    *cosigner* the copy's checkpoint is cosigned as ``mirror/checkpoint``, once all is durable.

    Raises SplitView, with both checkpoints kept under ``split-views/``, if it does not continue
    the copy; BrokenLedger for a source that is damaged or behind, or a copy that is damaged.
    Nothing that the copy's checkpoint covers is ever changed.
    """
    with open_source(source, patience) as (log, text):
        found = _read(log, text, vkeys, policy)
        copy = _Copy(into, found.point, _had(into, vkeys), _Counted(log), progress)
        copy.update()
    if policy is not None:
        Ledger.open(into, vkeys=vkeys).keep_witnessed(found.witnessed, policy)
    if cosigner is not None:
        lines = cosigner.cosign(found.point.body, (clock or SystemClock()).now())
        into.replace(_MIRROR, (found.point.text + lines).encode())
    return Mirrored(
        origin=found.point.origin,
        old=copy.old.size if copy.old else 0,
        size=found.point.size,
        fetched=copy.source.bytes,
        kept=_MIRROR if cosigner else "",
    )


class _Found(NamedTuple):
    """What the source says it has."""

    point: Checkpoint
    """Its checkpoint, with the lines of the log's keys only."""
    witnessed: str
    """The same, with those of the policy's witnesses."""


def _read(log: Source, text: bytes, vkeys: Sequence[str], policy: WitnessPolicy | None) -> _Found:
    witnesses = policy.vkeys if policy else ()
    point = _checkpoint(text, vkeys, witnesses)
    bare = _checkpoint(f"{point.body}\n{lines_of(point.signatures)}".encode(), vkeys)
    if {it.key.vkey for it in bare.signatures} != set(vkeys):
        raise BadNote(why="not every key of the log signed its checkpoint")
    if policy is None:
        return _Found(bare, "")
    if not _met(point, policy):
        point = _witnessed(log, bare, vkeys, policy)
    return _Found(bare, bare.text + lines_of(point.cosignatures))


def _checkpoint(text: bytes, vkeys: Sequence[str], witnesses: Sequence[str] = ()) -> Checkpoint:
    try:
        return read_checkpoint(text.decode(), vkeys, witnesses)
    except UnicodeDecodeError as error:
        raise BadNote(why="it is not UTF-8") from error


def _witnessed(
    log: Source, bare: Checkpoint, vkeys: Sequence[str], policy: WitnessPolicy
) -> Checkpoint:
    """Return the same checkpoint with the quorum's lines, from where the log keeps it."""
    try:
        point = _checkpoint(log.get(f"witnessed/{bare.size}"), vkeys, policy.vkeys)
    except NotFound:
        point = bare
    if point.body != bare.body or not _met(point, policy):
        message = f"No quorum has cosigned the {bare.size} entries of {bare.origin}."
        raise LedgerError(message=message)
    return point


def _met(point: Checkpoint, policy: WitnessPolicy) -> bool:
    return policy.met_by({it.key.vkey for it in point.cosignatures})


def _had(into: Store, vkeys: Sequence[str]) -> Checkpoint | None:
    """Return the copy's checkpoint, or None if it has not come so far."""
    try:
        into.size(_CHECKPOINT)
    except NotFound:
        return None
    return Ledger.open(into, vkeys=vkeys).checkpoint()


class _Counted:
    """A source, and how many bytes came from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.bytes = 0

    def bundle(self, tile: Tile) -> bytes:
        """Return a bundle; a partial one may have given way to the full one."""
        try:
            data = self._get(tile)
        except NotFound:
            full = tile._replace(width=WIDTH)
            if tile == full:
                raise
            data = self._get(full)
            lengths = [2 + len(leaf) for leaf in unbundle(data, full)[: tile.width]]
            data = data[: sum(lengths)]
        unbundle(data, tile)
        return data

    def _get(self, tile: Tile) -> bytes:
        data = self._source.get(tile.name.removeprefix("log/"))
        self.bytes += len(data)
        return data


class _Copy:
    """A copy on its way from *old*, which it has, to *new*."""

    def __init__(
        self,
        store: Store,
        new: Checkpoint,
        old: Checkpoint | None,
        source: _Counted,
        progress: Progress,
    ) -> None:
        self._store = store
        self._new = new
        self.old = old
        self._size = old.size if old else 0
        self.source = source
        self._progress = progress

    def update(self) -> None:
        """Bring the copy up to the new checkpoint, or raise and leave it as it was."""
        if self.old is not None and self._is_settled(self.old):
            return
        try:
            self._extend()
        except OtiumError:
            if self.old is not None:  # what the copy has shall still verify
                self._sweep(set())
            raise

    def _extend(self) -> None:
        edge = [_hashes(self._store, tile) for tile in edge_of(self._size)]
        if self.old is not None and frontier_root(edge) != self.old.root:
            raise BrokenLedger(why="the tiles of this copy do not lead to its own checkpoint")
        for fetch in (self._kept_or_fetched, self._fetched):
            growth = self._growth(edge, fetch)
            if frontier_root(growth.edge) == self._new.root:
                self._write(growth)
                return
        self._accuse_or_give_up()

    def _is_settled(self, old: Checkpoint) -> bool:
        """Say whether there is nothing to do; raise if the source cannot continue the copy."""
        if old.origin != self._new.origin:
            raise BrokenLedger(why=f"the source is the log {self._new.origin}, not {old.origin}")
        if self._new.size > old.size:
            return False
        if self._root_had(old, self._new.size) != self._new.root:
            self._accuse(old, f"it had another tree of {self._new.size} entries before")
        if self._new.size < old.size:
            why = f"the source has {self._new.size} entries and had {old.size}: it was rolled back"
            raise BrokenLedger(why=why)
        return True

    def _root_had(self, old: Checkpoint, size: int) -> bytes:
        """Return the root that the copy has at *size*, which may be smaller than its own."""
        if size == old.size:
            return old.root
        hashes = [leaf_hash(leaf) for leaf in _leaves(self._own, old.size, 0)]
        if Frontier().extended(hashes).root() != old.root:
            raise BrokenLedger(why="the entries of this copy do not lead to its own checkpoint")
        return Frontier().extended(hashes[:size]).root()

    def _own(self, tile: Tile) -> bytes:
        return self._store.get(tile.name)

    def _growth(self, edge: Sequence[Sequence[bytes]], fetch: Fetch) -> Growth:
        first, part = divmod(self._size, WIDTH)
        last = list(_leaves(self._own, self._size, first)) if part else []
        leaves = list(_leaves(fetch, self._new.size, first, self._progress))
        return grow(self._size, edge, last, leaves[part:])

    def _kept_or_fetched(self, tile: Tile) -> bytes:
        """Return a bundle that an earlier run has fetched, or fetch it."""
        try:
            if data := self._store.get(tile.name):
                unbundle(data, tile)
                return data
        except (NotFound, BrokenLedger):
            pass
        return self._fetched(tile)

    def _fetched(self, tile: Tile) -> bytes:
        data = self.source.bundle(tile)
        if tile.width == WIDTH:
            self._put(tile, data)
        return data

    def _write(self, growth: Growth) -> None:
        for tile, data in growth.tiles:
            self._put(tile, data)
        self._sweep({tile for tile, _ in growth.tiles})
        self._store.replace(_CHECKPOINT, self._new.text.encode())

    def _put(self, tile: Tile, data: bytes) -> None:
        try:
            self._store.put(tile.name, data)
        except Exists:
            if self._store.get(tile.name) == data:
                return
            if tile.is_within(self._size):
                raise
            self._store.replace(tile.name, data)

    def _sweep(self, needed: set[Tile]) -> None:
        """Withdraw what lies beyond the copy's checkpoint and is not *needed*."""
        for tile in map(Tile.parse, list(self._store.list("log/tile/"))):
            if tile is None or tile in needed or tile.is_within(self._size):
                continue
            if self._store.size(tile.name):
                self._store.replace(tile.name, b"")

    def _accuse_or_give_up(self) -> None:
        """Find out whether the log forked or the source is damaged; raise either way."""
        if self.old is not None:
            hashes = [leaf_hash(it) for it in _leaves(self.source.bundle, self._new.size, 0)]
            before = Frontier().extended(hashes[: self._size])
            now = before.extended(hashes[self._size :])
            if now.root() == self._new.root and before.root() != self.old.root:
                self._accuse(self.old, f"its {self._new.size} entries do not begin with the old")
        raise BrokenLedger(why="the entries of the source do not lead to the root that it signed")

    def _accuse(self, old: Checkpoint, why: str) -> None:
        folder = (
            f"split-views/{old.size}-{self._new.size}-{_short(digest(self._new.text.encode()))}"
        )
        for name, text in (("had", old.text), ("shown", self._new.text)):
            try:
                self._store.put(f"{folder}/{name}", text.encode())
            except Exists:
                continue
        raise SplitView(origin=old.origin, why=f"{why} (both checkpoints are in {folder}/)")


def _short(value: Digest) -> str:
    return hexadecimal(value)[:16]


def _hashes(store: Store, tile: Tile) -> list[bytes]:
    return split_hashes(store.get(tile.name), tile) if tile.width else []


def _leaves(get: Fetch, size: int, first: int, progress: Progress = silent) -> Iterator[bytes]:
    """Yield the leaves of a log of *size* from its bundle number *first* on."""
    count = -(-size // WIDTH)
    for number in range(first, count):
        progress("bundles", number - first, count - first)
        tile = Tile(None, number, min(WIDTH, size - number * WIDTH))
        yield from unbundle(get(tile), tile)
