"""Parity files: how packs are cut and summed, and how they are made again from the rest.

The format is ``docs/formats/parity-1.md``. The packs of a group are cut into rows; rows of
parity are sums over them, cell by cell, so that each column of cells bears as many damaged
cells as there are parity rows. Digests of all cells tell which are damaged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import IO

from otium.archive import pack_name
from otium.custody import code
from otium.errors import BadInput, BadRecord, CannotStore, DamagedObject, Irreparable, NotFound
from otium.records import Part, Record
from otium.store import Span, Store

DIGEST = 32
_LINE = re.compile(rb"otium_parity_1 ([0-9]{20}) ([0-9a-f]{64})\n")
_LINE_LENGTH = 101


class Member(Part):
    """A pack of a group."""

    sha256: str
    size: int


class Group(Record, tag="otium.parity/1"):
    """Which packs a parity file protects, and how they are cut."""

    packs: tuple[Member, ...]
    cell: int
    """Bytes of a cell, a multiple of 64."""
    columns: int
    """Cells of a row."""
    parity: int
    """Rows of parity."""

    @property
    def row(self) -> int:
        """Return the bytes of a row."""
        return self.cell * self.columns

    @property
    def rows(self) -> int:
        """Return how many rows the packs have."""
        return sum(self.rows_of(member) for member in self.packs)

    @property
    def share(self) -> float:
        """Return the bytes of parity for each byte of the packs."""
        return self.parity * self.row / sum(member.size for member in self.packs)

    def rows_of(self, member: Member) -> int:
        """Return how many rows a pack has; if no more than of parity, it may be lost whole."""
        return ceil(member.size / self.row)

    def cells_of(self, member: Member) -> int:
        """Return how many cells a pack has, the last filled with zeros."""
        return ceil(member.size / self.cell)

    def places(self) -> list[tuple[Member, int]]:
        """Return the pack of each row, and where the row begins in it."""
        return [(one, n * self.row) for one in self.packs for n in range(self.rows_of(one))]

    def is_sound(self) -> bool:
        """Whether the numbers fit together."""
        return (
            self.cell > 0
            and self.cell % code.ALIGN == 0
            and self.columns > 0
            and self.parity > 0
            and all(member.size > 0 for member in self.packs)
            and self.rows + self.parity <= code.MOST_ROWS
        )


@dataclass(frozen=True)
class Sheet:
    """A parity file that was read: the group and the digests of all cells."""

    name: str
    group: Group
    digests: bytes
    """SHA-256 of the packs' cells, pack by pack, then of the parity cells, row by row."""
    start: int
    """Where the parity rows begin."""

    def digest(self, number: int) -> bytes:
        """Return the SHA-256 of a cell, counted through the packs and then the parity rows."""
        return self.digests[DIGEST * number : DIGEST * (number + 1)]

    def first(self, pack: str) -> int:
        """Return the number of a pack's first cell; raise NotFound if it is not protected."""
        number = 0
        for member in self.group.packs:
            if member.sha256 == pack:
                return number
            number += self.group.cells_of(member)
        raise NotFound(what=f"the pack {pack} in {self.name}")

    @property
    def parity_first(self) -> int:
        """Return the number of the first parity cell."""
        return sum(map(self.group.cells_of, self.group.packs))


def frame(head: bytes) -> bytes:
    """Return the line that stands before a head, and after it at the end of the file."""
    return b"otium_parity_1 %020d %s\n" % (len(head), hashlib.sha256(head).hexdigest().encode())


def sheets(store: Store) -> Iterator[Sheet]:
    """Yield each parity file whose head can be read; check() names the damaged ones."""
    for name in store.list("parity/"):
        try:
            yield read_sheet(store, name)
        except DamagedObject:
            continue


def read_sheet(store: Store, name: str) -> Sheet:
    """Return the head of a parity file, from either end of it; raise NotFound, DamagedObject."""
    size = store.size(name)
    for at_end in (False, True):
        try:
            return _sheet(store, name, size, at_end=at_end)
        except (BadInput, OSError, ValueError):
            continue
    raise DamagedObject(name=name, found="no whole head", expected="two")


def _sheet(store: Store, name: str, size: int, *, at_end: bool) -> Sheet:
    line = store.get(name, Span(size - _LINE_LENGTH if at_end else 0, _LINE_LENGTH))
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadRecord(what=name, why="it does not begin as a parity file does")
    length = int(found[1])
    head = store.get(name, Span(size - _LINE_LENGTH - length if at_end else _LINE_LENGTH, length))
    if hashlib.sha256(head).hexdigest().encode() != found[2]:
        raise BadRecord(what=name, why="its head is damaged")
    text, _, digests = head.partition(b"\n")
    sheet = Sheet(name, Group.decode(text), digests, _LINE_LENGTH + length)
    group = sheet.group
    if not group.is_sound() or len(digests) != DIGEST * (
        sheet.parity_first + group.parity * group.columns
    ):
        raise BadRecord(what=name, why="its head does not fit together")
    return sheet


def rebuild(sheet: Sheet, pack: str, stores: Sequence[Store], out: IO[bytes]) -> None:
    """Write the bytes of *pack* (its SHA-256) to *out*, from what is whole in *stores*.

    Each cell is taken from the first store that has it undamaged, of the packs and of the
    parity. Raises NotFound, or Irreparable when a column has more damage than parity.
    """
    sheet.first(pack)
    source = _Source(sheet, stores)
    rows = [n for n, (one, _) in enumerate(sheet.group.places()) if one.sha256 == pack]
    member, _ = sheet.group.places()[rows[0]]
    for column in range(sheet.group.columns):
        for row, cell in source.column(rows, column):
            offset = (row - rows[0]) * sheet.group.row + column * sheet.group.cell
            out.seek(offset)
            out.write(cell[: max(0, member.size - offset)])
    out.flush()


class _Source:
    """The cells of a group, from several stores, and those that can be computed."""

    def __init__(self, sheet: Sheet, stores: Sequence[Store]) -> None:
        self.sheet, self.stores = sheet, stores
        self.places = sheet.group.places()
        self.firsts = {m.sha256: sheet.first(m.sha256) for m in sheet.group.packs}

    def column(self, rows: Sequence[int], column: int) -> Iterator[tuple[int, bytes]]:
        """Yield the cells of these rows in one column; raise Irreparable."""
        found = {row: self.data(row, column) for row in rows}
        if None in found.values():
            found = {row: self.data(row, column) for row in range(len(self.places))}
            lost = [row for row, cell in found.items() if cell is None]
            found |= dict(zip(lost, self.compute(found, lost, column), strict=True))
        for row in rows:
            yield row, found[row] or b""

    def compute(
        self, found: dict[int, bytes | None], lost: Sequence[int], column: int
    ) -> list[bytes]:
        """Return the lost cells of a column, in the order of their rows."""
        group, whole = self.sheet.group, {}
        for j in range(group.parity):
            cell = self.parity(j, column)
            if cell is not None:
                whole[j] = cell
            if len(whole) == len(lost):
                break
        else:
            why = f"{len(lost)} cells of column {column} are damaged, {len(whole)} can be mended"
            raise Irreparable(name=self.sheet.name, why=why)
        sums = [code.cells(bytearray(cell), group.cell) for cell in whole.values()]
        for row, cell in found.items():
            if cell is not None:
                factors = [code.coefficient(j, row) for j in whole]
                code.add(sums, factors, code.cells(cell, group.cell))
        cells = code.nothing(len(lost), 1, group.cell)
        solution = code.solve(list(whole), lost)
        for at, total in enumerate(sums):
            code.add(cells, [row[at] for row in solution], total)
        return [cell.tobytes() for cell in cells]

    def data(self, row: int, column: int) -> bytes | None:
        """Return a cell of a pack, or None if no store has it whole."""
        member, start = self.places[row]
        size = self.sheet.group.cell
        offset = start + column * size
        if offset >= member.size:
            return bytes(size)
        span = Span(offset, min(size, member.size - offset))
        number = self.firsts[member.sha256] + offset // size
        return self.find(pack_name(member.sha256), span, number)

    def parity(self, j: int, column: int) -> bytes | None:
        """Return a cell of a parity row, or None if no store has it whole."""
        group = self.sheet.group
        number = j * group.columns + column
        span = Span(self.sheet.start + number * group.cell, group.cell)
        return self.find(self.sheet.name, span, self.sheet.parity_first + number)

    def find(self, name: str, span: Span, number: int) -> bytes | None:
        """Return the bytes of a span, filled with zeros, from the first store that has them."""
        for store in self.stores:
            try:
                data = store.get(name, span)
            except (NotFound, BadInput, CannotStore, OSError):
                continue
            data += bytes(self.sheet.group.cell - len(data))
            if hashlib.sha256(data).digest() == self.sheet.digest(number):
                return data
        return None
