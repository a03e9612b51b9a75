"""The seal: in the log, the Merkle root of each pack, and which models rest on which packs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from otium.archive import Archive, pack_name
from otium.audit.records import Log, is_sha256
from otium.audit.trees import LEAF, Tree, leaf_count, read_through
from otium.authority import authorised
from otium.custody import stats
from otium.errors import BadInput, BadProof, BadRecord, CannotStore, NotFound, SplitView
from otium.ledger import Entry, Ledger, check_consistency, read_checkpoint
from otium.records import ModelId, Part, Progress, silent
from otium.store import Store

_BATCH = 400
"""Packs in one entry: about 59,000 bytes."""
_LARGEST = 1 << 53


class SealedPack(Part):
    """A pack whose bytes the log speaks for."""

    sha256: str
    size: int
    root: str

    @property
    def name(self) -> str:
        """Return its stored name."""
        return pack_name(self.sha256)

    @property
    def leaves(self) -> int:
        """Return how many leaves it has."""
        return leaf_count(self.size)


class Sealing(Part):
    """What a seal added to the log, or would add."""

    packs: tuple[str, ...]
    """Stored names."""
    bytes: int = 0
    damaged: tuple[str, ...] = ()
    """Packs that are not what their names say, or not to be read; they were not sealed."""
    models: tuple[ModelId, ...] = ()
    """Whose packs were named anew."""


class _PacksBody(Part):
    leaf: Literal[16384]
    packs: tuple[tuple[str, int, str], ...]


class _ModelBody(Part):
    packs: tuple[tuple[int, int], ...]
    """First and last number of each run of packs."""


class Seals:
    """What a log says about packs, read entry by entry. A pack's number is its place in ``packs``.

    An entry that does not read as its type demands is passed over, and so is a pack that was
    sealed before: the first seal stands.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Read *entries*, in log order and only those that were authorised."""
        self.packs: list[SealedPack] = []
        self.models: dict[ModelId, list[int]] = {}
        """The numbers of each model's packs, ascending."""
        self._numbers: dict[str, int] = {}
        for entry in entries:
            self._take(entry)

    def number(self, sha256: str) -> int | None:
        """Return the number of a pack, or None if it is not sealed."""
        return self._numbers.get(sha256)

    def chosen(self, models: Sequence[ModelId] = ()) -> list[int]:
        """Return the numbers of the packs on which *models* (or all) rest, ascending."""
        return sorted(
            {number for model in models or self.models for number in self.packs_of(model)}
        )

    def packs_of(self, model: ModelId) -> list[int]:
        """Return the numbers of a model's packs; raise BadInput if none was ever named."""
        if model not in self.models:
            raise BadInput(what=f"model {model}", why="no pack of it was sealed")
        return self.models[model]

    def _take(self, entry: Entry) -> None:
        try:
            if entry.type == "custody.sealed":
                self._take_packs(_PacksBody.convert(entry.body))
            elif entry.type == "custody.mapped":
                self._take_model(ModelId(entry.subject), _ModelBody.convert(entry.body))
            elif entry.type == "model.deaccessioned":
                self.models.pop(ModelId(entry.subject), None)
        except BadRecord:
            return

    def _take_packs(self, body: _PacksBody) -> None:
        packs = [SealedPack(sha256=name, size=size, root=root) for name, size, root in body.packs]
        if not all(map(_is_sound, packs)):
            return
        for pack in packs:
            if pack.sha256 not in self._numbers:
                self._numbers[pack.sha256] = len(self.packs)
                self.packs.append(pack)

    def _take_model(self, model: ModelId, body: _ModelBody) -> None:
        numbers: list[int] = []
        free = 0
        for first, last in body.packs:
            if not free <= first <= last < len(self.packs):
                return
            numbers += range(first, last + 1)
            free = last + 1
        self.models[model] = numbers


def _is_sound(pack: SealedPack) -> bool:
    return is_sha256(pack.sha256) and is_sha256(pack.root) and 0 < pack.size < _LARGEST


def seals_under(ledger: Ledger, vkeys: Sequence[str], note: str) -> Seals:
    """Return what *ledger* had sealed under the checkpoint *note*, shown to be one of its own.

    Raises BadNote, BadInput if this copy of the log is older, SplitView if it is another log or
    one that took another way.
    """
    point, newest = read_checkpoint(note, vkeys), ledger.checkpoint()
    if point.size > newest.size:
        why = f"this copy of the log has {newest.size} entries, and it is of {point.size}"
        raise BadInput(what="the checkpoint", why=why)
    try:
        path = ledger.consistency(point.size)
        check_consistency(point.size, newest.size, point.root, newest.root, path)
    except BadProof as error:
        why = f"the checkpoint of {point.size} entries is not one of this log: {error}"
        raise SplitView(origin=point.origin, why=why) from error
    if point.origin != newest.origin:
        raise BadInput(what="the checkpoint", why=f"it is one of {point.origin}")
    return Seals(authorised(ledger.entries()[: point.size], point.origin).entries)


def unsealed(store: Store, seals: Seals) -> list[str]:
    """Return the stored names of the packs in *store* that were never sealed."""
    return [name for name in store.list("packs/") if seals.number(_sha256(name)) is None]


def seal(
    archive: Archive,
    entries: Callable[[], Iterable[Entry]],
    log: Log,
    *,
    progress: Progress = silent,
) -> Sealing:
    """Read each pack that is not sealed, log its root, then which packs each model rests on.

    What *entries* shows to be sealed is not read again, so a seal that was cut short goes on.
    """
    waiting = unsealed(archive.store, Seals(entries()))
    total, done = sum(archive.store.size(name) for name in waiting), 0
    sealed: list[SealedPack] = []
    damaged: list[str] = []
    for start in range(0, len(waiting), _BATCH):
        batch: list[SealedPack] = []
        for name in waiting[start : start + _BATCH]:
            pack = _read(archive.store, name)
            batch += [pack] if pack else []
            damaged += [] if pack else [name]
            done += pack.size if pack else 0
            progress("sealing", done, total)
        if batch:
            rows = [[pack.sha256, pack.size, pack.root] for pack in batch]
            log("custody.sealed", archive.id, {"leaf": LEAF, "packs": rows})
        sealed += batch
    return Sealing(
        packs=tuple(pack.name for pack in sealed),
        bytes=sum(pack.size for pack in sealed),
        damaged=tuple(damaged),
        models=tuple(_map(archive, Seals(entries()), log)),
    )


def _read(store: Store, name: str) -> SealedPack | None:
    """Read one pack; return None if it cannot be read or is not what its name says."""
    whole = hashlib.sha256()

    def seen(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            whole.update(chunk)
            yield chunk

    try:
        size = store.size(name)
        tree = Tree.read(seen(read_through(store, name, size)))
    except (NotFound, BadInput, CannotStore):
        return None
    pack = SealedPack(sha256=whole.hexdigest(), size=size, root=tree.root.hex())
    return pack if pack.name == name and size else None


def _map(archive: Archive, seals: Seals, log: Log) -> Iterator[ModelId]:
    """Log for each model the packs it rests on, where that is not what the log says already."""
    for model, numbers in sorted(_resting(archive, seals).items()):
        if seals.models.get(model) != numbers:
            log("custody.mapped", model, {"packs": _runs(numbers)})
            yield model


def _resting(archive: Archive, seals: Seals) -> dict[ModelId, list[int]]:
    """Return the numbers of each model's packs; a model with a pack not sealed is left out."""
    found: dict[ModelId, list[int]] = {}
    unknown: set[ModelId] = set()
    for use in stats(archive, top=sys.maxsize).packs:
        number = seals.number(_sha256(use.name))
        for model in use.models:
            if number is None:
                unknown.add(model)
            else:
                found.setdefault(model, []).append(number)
    return {model: sorted(numbers) for model, numbers in found.items() if model not in unknown}


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _sha256(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]
