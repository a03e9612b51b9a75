"""Updates of low rank that were merged into a base, found again in the result.

A merged LoRA adapter changes a matrix by a product of two thin ones. Rounding to 16 bits hides
that weight by weight, but not from the singular values: those of the rounding are a floor, and
those of the update stand above it. Two factors and the small rest take about half of what the
change takes when it is coded weight by weight (``otium bench archive``, merged LoRA).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from otium.codec.predict import DTYPES, Bits, Buffer, Dtype, narrow, widen

FACTORS = DTYPES["BF16"]
_MOST = 64
"""The highest rank that is looked for."""
_SAMPLE = (96, 160)
"""Rows on which it is looked for first, of small and of large pieces; half as many ranks show."""
_WIDE = 1024
"""Columns on which it is looked for first, at the most."""
_ENERGY = 0.4
"""Of the change, that an update has at the least."""
_LARGE = 1 << 20
"""Weights of a large piece."""
_STEP = 2.0
"""By how much the last singular value of an update stands above the first of the rounding."""
_LEAST = 1 << 14
"""Weights; a smaller piece is not worth factors."""
_CODED = 0.7
"""What factors take when they are coded as floats, of their size, about."""

Matrix = npt.NDArray[np.float32]


class Factors(NamedTuple):
    """An update ``up @ down``, both BF16."""

    down: Buffer
    """[rank, columns]"""
    up: Buffer
    """[rows, rank]"""
    rank: int

    @property
    def size(self) -> float:
        """Return about how many bytes they take when they are kept as pieces."""
        return _CODED * (len(self.down) + len(self.up))


def find_factors(base: Bits, data: Bits, kind: Dtype, row: int) -> Factors | None:
    """Return the update of low rank that turns *base* nearly into *data*, if there is one."""
    if row < 1 or data.size % row or data.size < _LEAST or min(row, data.size // row) < _MOST:
        return None
    rows = data.size // row
    some = np.arange(0, rows, max(1, rows // _SAMPLE[data.size >= _LARGE]))
    part = slice(None, _WIDE)
    rank = _rank(
        _change(base.reshape(rows, row)[some, part], data.reshape(rows, row)[some, part], kind)
    )
    if not rank:
        return None
    change = _change(base.reshape(rows, row), data.reshape(rows, row), kind)
    if not np.isfinite(change).all():
        return None
    left, values, right = _truncated(change, rank)
    scale = np.sqrt(values)
    up = narrow(np.ascontiguousarray(left * scale, np.float32).reshape(-1), FACTORS)
    down = narrow(np.ascontiguousarray(right * scale[:, None], np.float32).reshape(-1), FACTORS)
    return Factors(down.tobytes(), up.tobytes(), rank)


def _change(base: Bits, data: Bits, kind: Dtype) -> Matrix:
    with np.errstate(invalid="ignore", over="ignore"):
        change = widen(data.reshape(-1), kind) - widen(base.reshape(-1), kind)
    return change.reshape(data.shape)


def _rank(change: Matrix) -> int:
    """Return after how many singular values the floor begins; 0 if there is no step to it."""
    if not np.isfinite(change).all():
        return 0
    # Their squares are the eigenvalues of a small matrix.
    exact = change.astype(np.float64)
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(exact @ exact.T)[::-1], 0))
    most = min(_MOST, len(values) // 2)
    steps = values[:most] / np.maximum(values[1 : most + 1], 1e-30)
    best = int(np.argmax(steps))
    share = float((values[: best + 1] ** 2).sum() / max(float((values**2).sum()), 1e-300))
    return best + 1 if steps[best] >= _STEP and share >= _ENERGY else 0


def _truncated(change: Matrix, rank: int) -> tuple[Matrix, Matrix, Matrix]:
    """Return the leading singular triplets (Halko, Martinsson and Tropp 2011, algorithm 5.1)."""
    random = np.random.default_rng(0).standard_normal((change.shape[1], rank + 8), np.float32)
    basis = np.linalg.qr(change @ random)[0]
    basis = np.linalg.qr(change @ (change.T @ basis))[0]
    left, values, right = np.linalg.svd(basis.T @ change, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank], right[:rank]
