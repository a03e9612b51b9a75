"""A Cauchy Reed-Solomon code over GF(2^8), computed by exclusive or alone.

Any m lost rows of k + m are found again from the others, k + m at most 256. A cell is eight
packets; bit b of a symbol stands in packet b, so that a product with a constant is exclusive
ors of whole packets (Bloemer et al., "An XOR-based erasure-resilient coding scheme", 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Cells = NDArray[np.uint64]
    """Axes: cell, packet, word."""

MOST_ROWS = 256
ALIGN = 64
"""A cell is a multiple of so many bytes: eight packets of words of eight bytes."""
_POLYNOMIAL = 0x11D


def multiply(a: int, b: int) -> int:
    """Return the product of two elements of the field."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a > 0xFF:  # noqa: PLR2004  (a byte)
            a ^= _POLYNOMIAL
        b >>= 1
    return product


@cache
def inverse(a: int) -> int:
    """Return the element whose product with *a* is one."""
    return next(b for b in range(1, 256) if multiply(a, b) == 1)


@cache
def coefficient(parity: int, row: int) -> int:
    """Return by what data row *row* is multiplied in parity row *parity*."""
    return inverse((MOST_ROWS - 1 - parity) ^ row)


def solve(parities: Sequence[int], lost: Sequence[int]) -> list[list[int]]:
    """Return by what the sums of *parities* are multiplied to give each of the *lost* rows.

    Both have the same length; the matrix is a Cauchy matrix and so can always be inverted.
    """
    count = len(lost)
    table = [
        [*(coefficient(j, row) for row in lost), *(int(n == at) for n in range(count))]
        for at, j in enumerate(parities)
    ]
    for at in range(count):
        pivot = next(n for n in range(at, count) if table[n][at])
        table[at], table[pivot] = table[pivot], table[at]
        scale = inverse(table[at][at])
        table[at] = [multiply(scale, value) for value in table[at]]
        for n in range(count):
            if n != at and (factor := table[n][at]):
                pairs = zip(table[n], table[at], strict=True)
                table[n] = [value ^ multiply(factor, other) for value, other in pairs]
    return [row[count:] for row in table]


@cache
def _bits(a: int) -> tuple[tuple[int, int], ...]:
    """Return for each packet of a product with *a* which packets it sums, lower and upper four."""
    columns = [multiply(a, 1 << bit) for bit in range(8)]
    rows = [sum((columns[c] >> r & 1) << c for c in range(8)) for r in range(8)]
    return tuple((row & 0xF, row >> 4) for row in rows)


def cells(data: bytes | bytearray, size: int) -> Cells:
    """Return bytes as cells of *size* bytes each."""
    import numpy as np

    return np.frombuffer(data, np.uint64).reshape(-1, 8, size // ALIGN)


def nothing(rows: int, count: int, size: int) -> list[Cells]:
    """Return *rows* sums, each of *count* cells of *size* bytes, to which nothing was added."""
    import numpy as np

    return [np.zeros((count, 8, size // ALIGN), np.uint64) for _ in range(rows)]


def add(sums: Sequence[Cells], factors: Sequence[int], data: Cells) -> None:
    """Add to each of *sums* the product of *data* with its factor, in place.

    The sums of any four packets are made once and used for all rows (the method of the four
    Russians), which halves the work already from four rows on.
    """
    import numpy as np

    tables = np.empty((2, 16, data.shape[0], data.shape[2]), np.uint64)
    for half, table in enumerate(tables):
        for bit in range(4):
            one = 1 << bit
            table[one] = data[:, 4 * half + bit]
            if bit:
                np.bitwise_xor(table[1:one], table[one], out=table[one + 1 : 2 * one])
    for total, factor in zip(sums, factors, strict=True):
        for packet, (lower, upper) in enumerate(_bits(factor)):
            target = total[:, packet]
            if lower:
                np.bitwise_xor(target, tables[0, lower], out=target)
            if upper:
                np.bitwise_xor(target, tables[1, upper], out=target)
