"""A second reader of parity files, written from the format's page: integers and nothing else.

A packet is a Python integer, exclusive or its only operation.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import ceil


def product(a: int, b: int) -> int:
    """Return the product in the field, by long multiplication and division."""
    result = 0
    for bit in range(8):
        if b >> bit & 1:
            result ^= a << bit
    for bit in range(14, 7, -1):
        if result >> bit & 1:
            result ^= 0x11D << (bit - 8)
    return result


INVERSE = {a: next(b for b in range(1, 256) if product(a, b) == 1) for a in range(1, 256)}


@dataclass
class Row:
    """A row of data: its pack, and where in the pack and among all cells it begins."""

    pack: str
    size: int
    start: int
    number: int


class Reader:
    """One parity file and what is left of its packs."""

    def __init__(self, data: bytes, packs: dict[str, bytes]) -> None:
        length = int(data[15:35])
        text, _, self.digests = data[101 : 101 + length].partition(b"\n")
        head = json.loads(text)
        self.cell, self.columns, self.parity = head["cell"], head["columns"], head["parity"]
        self.sums, self.packs = data[101 + length :], packs
        self.rows: list[Row] = []
        self.first = 0
        for pack in head["packs"]:
            self.rows += [
                Row(pack["sha256"], pack["size"], start, self.first + start // self.cell)
                for start in range(0, pack["size"], self.cell * self.columns)
            ]
            self.first += ceil(pack["size"] / self.cell)

    def rebuild(self) -> dict[str, bytes]:
        """Return all packs."""
        found = {row.pack: bytearray(row.size) for row in self.rows}
        for column in range(self.columns):
            for row, value in zip(self.rows, self.column(column), strict=True):
                offset = row.start + column * self.cell
                part = value.to_bytes(self.cell, "little")[: max(0, row.size - offset)]
                found[row.pack][offset : offset + len(part)] = part
        return {pack: bytes(data) for pack, data in found.items()}

    def column(self, column: int) -> list[int]:
        """Return the data cells of a column."""
        cells = [self.data(row, column) for row in self.rows]
        lost = [at for at, value in enumerate(cells) if value is None]
        equations = self.equations(column, cells, lost)
        for at in range(len(lost)):  # Gauss and Jordan; no pivot of a Cauchy matrix is zero
            self.scale(equations, at)
            for other in range(len(lost)):
                if other != at:
                    self.subtract(equations, other, at)
        for at, row in enumerate(lost):
            cells[row] = equations[at][1]
        return [value or 0 for value in cells]

    def equations(
        self, column: int, cells: list[int | None], lost: list[int]
    ) -> list[tuple[list[int], int]]:
        """Return factors of the lost rows and what they sum to, one for each lost row."""
        found: list[tuple[list[int], int]] = []
        for j in range(self.parity):
            number = j * self.columns + column
            part = self.sums[number * self.cell : (number + 1) * self.cell]
            total = self.whole(part, self.first + number)
            if total is None or len(found) == len(lost):
                continue
            for row, value in enumerate(cells):
                if value is not None:
                    total ^= self.times(INVERSE[(255 - j) ^ row], value)
            found.append(([INVERSE[(255 - j) ^ row] for row in lost], total))
        return found

    def scale(self, equations: list[tuple[list[int], int]], at: int) -> None:
        factors, total = equations[at]
        scale = INVERSE[factors[at]]
        equations[at] = [product(scale, one) for one in factors], self.times(scale, total)

    def subtract(self, equations: list[tuple[list[int], int]], other: int, at: int) -> None:
        factors, total = equations[other]
        scale = factors[at]
        pairs = zip(factors, equations[at][0], strict=True)
        left = [one ^ product(scale, two) for one, two in pairs]
        equations[other] = left, total ^ self.times(scale, equations[at][1])

    def data(self, row: Row, column: int) -> int | None:
        """Return a cell of a pack, or None if it is damaged."""
        offset = row.start + column * self.cell
        if offset >= row.size:
            return 0
        part = self.packs.get(row.pack, b"")[offset : min(offset + self.cell, row.size)]
        return self.whole(part, row.number + column)

    def whole(self, part: bytes, number: int) -> int | None:
        part += bytes(self.cell - len(part))
        good = self.digests[32 * number : 32 * number + 32]
        return int.from_bytes(part, "little") if hashlib.sha256(part).digest() == good else None

    def times(self, factor: int, value: int) -> int:
        """Return the product of a cell with an element of the field."""
        bits = self.cell  # of a packet, which has an eighth of the cell's bytes
        packets = [value >> bits * n & ((1 << bits) - 1) for n in range(8)]
        result = 0
        for n, packet in enumerate(packets):
            column = product(factor, 1 << n)
            for to in range(8):
                if column >> to & 1:
                    result ^= packet << bits * to
        return result
