"""Protection by parity: which packs are put together, and how their parity is summed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from typing import IO

from otium.archive import Archive, pack_name
from otium.custody import code
from otium.custody.sheet import Group, Member, Sheet, frame, read_sheet, sheets
from otium.custody.stats import resting, sha256_of
from otium.errors import BadInput, DamagedObject
from otium.parallel import in_order
from otium.records import Part, Progress, silent
from otium.store import Span, Store, content_name

LARGEST = 1 << 30
"""Bytes of parity in one file."""
CELL = 64 << 10
_TOGETHER = 4
"""Columns that are summed at once."""


class Protected(Part):
    """One parity file."""

    name: str
    bytes: int
    packs: tuple[str, ...]
    """The stored names of the packs that it protects."""
    columns: int
    tolerates: int
    """So many damaged cells in each column can be mended."""
    whole: tuple[str, ...]
    """The packs of which each, alone, may be lost whole."""


def protect(
    archive: Archive,
    share: float = 0.05,
    *,
    models: int = 1,
    dry_run: bool = False,
    progress: Progress = silent,
) -> list[Protected]:
    """Store parity for each pack on which at least *models* models rest; return what is new.

    *share* is the bytes of parity for each byte of packs, at most 1. What is protected already
    is left. A *dry_run* stores nothing: what it returns has no name, and its bytes are those of
    the parity rows. Raises BadInput, or DamagedObject for a damaged pack: mend it first.
    """
    if not 0 < share <= 1:
        raise BadInput(what=f"a share of {share}", why="it lies above 0 and is at most 1")
    store = archive.store
    chosen = {name for name, of in resting(archive).items() if len(of) >= models}
    for sheet in sheets(store):
        if sheet.group.share >= share * 0.99:  # what was asked for, but for rounding
            chosen -= {pack_name(member.sha256) for member in sheet.group.packs}
    members = [Member(sha256=sha256_of(name), size=store.size(name)) for name in chosen]
    if dry_run:
        return [_told("", group, group.parity * group.row) for group in groups(members, share)]
    total, done = sum(member.size for member in members), 0

    def tell(length: int) -> None:
        nonlocal done
        done += length
        progress("protecting", done // 2, total)  # each byte is read twice

    return [_protect(store, group, tell) for group in groups(members, share)]


def groups(members: Iterable[Member], share: float) -> Iterator[Group]:
    """Yield the groups into which packs are put: those of like size together."""
    budget = int((code.MOST_ROWS - 1) / (1 + share))
    most = max(1, budget // 3)
    waiting = sorted(members, key=lambda member: (-member.size, member.sha256))
    together: list[Member] = []
    for member in waiting:
        full = (sum(one.size for one in together) + member.size) * share > LARGEST
        if together and (full or len(together) == most):
            yield _group(together, share, budget - most)
            together = []
        together.append(member)
    if together:
        yield _group(together, share, budget - most)


def _group(members: Sequence[Member], share: float, rows: int) -> Group:
    total = sum(member.size for member in members)
    least = ceil(total / rows)
    cell = min(CELL, ceil(least / code.ALIGN) * code.ALIGN)
    columns = ceil(least / cell)
    parity = max(1, ceil(total * share / (cell * columns)))
    return Group(packs=tuple(members), cell=cell, columns=columns, parity=parity)


def _protect(store: Store, group: Group, tell: Callable[[int], None]) -> Protected:
    """Store the parity of a group, and read it back."""
    sha256 = store.add("parity", parity_of(store, group, tell), ".parity")
    name, found = content_name("parity", sha256, ".parity"), hashlib.sha256()
    size = store.size(name)
    for offset in range(0, size, 1 << 20):
        found.update(store.get(name, Span(offset, min(1 << 20, size - offset))))
    if found.hexdigest() != sha256:
        raise DamagedObject(name=name, found=found.hexdigest(), expected=sha256)
    return _told(name, read_sheet(store, name).group, size)


def parity_of(
    store: Store, group: Group, tell: Callable[[int], None] = lambda _length: None
) -> Iterator[bytes]:
    """Yield the bytes of a group's parity file; raise DamagedObject for a damaged pack."""
    with tempfile.TemporaryFile() as rows:
        digests = b"".join(_digests(store, member, group.cell, tell) for member in group.packs)
        _sum(store, Sheet("", group, digests, 0), rows, tell)
        rows.seek(0)
        cells = (rows.read(group.cell) for _ in range(group.parity * group.columns))
        digests += b"".join(hashlib.sha256(cell).digest() for cell in cells)
        head = group.encode() + b"\n" + digests
        rows.seek(0)
        yield frame(head) + head
        yield from iter(lambda: rows.read(1 << 20), b"")
        yield head + frame(head)


def _told(name: str, group: Group, size: int) -> Protected:
    """Return what a parity file protects."""
    return Protected(
        name=name,
        bytes=size,
        packs=tuple(pack_name(member.sha256) for member in group.packs),
        columns=group.columns,
        tolerates=group.parity,
        whole=tuple(
            pack_name(member.sha256)
            for member in group.packs
            if group.rows_of(member) <= group.parity
        ),
    )


def _digests(store: Store, member: Member, size: int, tell: Callable[[int], None]) -> bytes:
    """Return the digests of a pack's cells; raise DamagedObject if it is not as its name says."""
    name, whole, found = pack_name(member.sha256), hashlib.sha256(), []
    step = max(1, (1 << 20) // size) * size
    for offset in range(0, member.size, step):
        data = store.get(name, Span(offset, min(step, member.size - offset)))
        whole.update(data)
        tell(len(data))
        for start in range(0, len(data), size):
            cell = data[start : start + size]
            found.append(hashlib.sha256(cell + bytes(size - len(cell))).digest())
    if whole.hexdigest() != member.sha256:
        raise DamagedObject(name=name, found=whole.hexdigest(), expected=member.sha256)
    return b"".join(found)


def _sum(store: Store, sheet: Sheet, out: IO[bytes], tell: Callable[[int], None]) -> None:
    """Write the parity rows, a few columns at a time."""
    group = sheet.group

    def columns(first: int) -> list[bytes]:
        count = min(_TOGETHER, group.columns - first)
        sums = code.nothing(group.parity, count, group.cell)
        for row, (member, start) in enumerate(group.places()):
            data = _span(store, sheet, member, start + first * group.cell, count)
            factors = [code.coefficient(j, row) for j in range(group.parity)]
            code.add(sums, factors, code.cells(data, group.cell))
        return [one.tobytes() for one in sums]

    firsts = range(0, group.columns, _TOGETHER)
    total, done = sum(member.size for member in group.packs), 0
    for at, (first, parts) in enumerate(zip(firsts, in_order(columns, firsts), strict=True), 1):
        for j, part in enumerate(parts):
            out.seek(j * group.row + first * group.cell)
            out.write(part)
        tell(total * at // len(firsts) - done)
        done = total * at // len(firsts)


def _span(store: Store, sheet: Sheet, member: Member, offset: int, count: int) -> bytes:
    """Return *count* cells of a pack, verified and filled with zeros; raise DamagedObject."""
    size = sheet.group.cell
    length = max(0, min(count * size, member.size - offset))
    name = pack_name(member.sha256)
    data = store.get(name, Span(offset, length)) if length else b""
    data += bytes(count * size - len(data))
    first = sheet.first(member.sha256) + offset // size
    for at in range(ceil(length / size)):
        if hashlib.sha256(data[at * size : (at + 1) * size]).digest() != sheet.digest(first + at):
            raise DamagedObject(name=name, found="other bytes than before", expected=member.sha256)
    return data
