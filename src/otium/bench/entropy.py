"""How small could it be? Entropies under the model class of otium's own codecs.

Each bound is a static conditional entropy: the contexts are known to the decoder, the tables
fit the tensor perfectly and cost nothing, neither do row scales and headers. So no coder with
these contexts and one table a tensor comes below it; for tensors of a few thousand weights it
is far below what tables that must be sent can reach. It says nothing about other contexts.

- standalone: exponent and top two mantissa bits, given the row's scale; the rest at one bit
  each.
- delta: the difference of the floats as ordered integers, given the row's scale of change in
  units of the base weight's last place, or given the base's exponent. Differences under 8
  stand for themselves; larger ones fall into two classes per octave and their low bits count
  in full.
- conditional: whether the sign stayed, exponent and top two mantissa bits, given the base's
  exponent and the row's scale; the rest at one bit each.

A row is the tensor's, or as many together as make 128 weights. Low bits that are zero in all
weights cost nothing: many a file in fp32 holds fewer bits. An update of low rank that is found
and kept as two factors (a merged adapter) is outside this class, and can be below the bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from otium.bench.data import FLOATS, Model, Tensor, Words, partner

Whole = NDArray[np.int64]
_DIRECT = 8
"""Differences of smaller magnitude are symbols of their own."""
_TOP = 2
"""Mantissa bits that are coded together with the exponent."""
_CONTEXTS = 64
_SHORTEST = 128
"""Weights of a row."""


def bound(model: Model, base: Model | None = None) -> float:
    """Return the bits that *model* needs at least, given *base* if there is one."""
    return sum(
        tensor_bound(tensor, partner(tensor, [base]) if base else None) for tensor in model.values()
    )


def tensor_bound(tensor: Tensor, base: Tensor | None = None) -> float:
    """Return the least bits over all classes: a copy, a delta, conditional, standalone."""
    if not tensor.weights or (base and base.data == tensor.data):
        return 0.0
    alone = standalone_bits(tensor)
    if base is None or base.dtype != tensor.dtype:
        return alone
    return min(alone, delta_bits(tensor, base), conditional_bits(tensor, base))


def standalone_bits(tensor: Tensor) -> float:
    """Return the bits of a tensor on its own."""
    layout = FLOATS[tensor.dtype]
    words = tensor.words()
    rest = layout.mantissa - _TOP
    magnitude = words & ((1 << (8 * layout.bytes - 1)) - 1)
    symbols = (magnitude >> rest).astype(np.int64)
    return conditional(symbols, _scale(tensor)) + tensor.weights * (1 + _used(tensor, rest))


def delta_bits(tensor: Tensor, base: Tensor) -> float:
    """Return the bits of the difference of ordered integers, with the better of two contexts."""
    layout = FLOATS[tensor.dtype]
    difference = _ordered(tensor.words()) - _ordered(base.words())
    symbols, raw = _buckets(difference)
    exponent = _exponent(base)
    change = np.nan_to_num(tensor.values() - base.values(), posinf=0, neginf=0)
    scale = _classes(np.abs(change), _row(tensor))
    ulp = 2 * (np.maximum(exponent, 1) - layout.bias - layout.mantissa)
    expected = np.clip(scale - ulp + _CONTEXTS // 4, 0, _CONTEXTS - 1)
    return raw + min(conditional(symbols, expected), conditional(symbols, exponent))


def conditional_bits(tensor: Tensor, base: Tensor) -> float:
    """Return the bits of the high bits given the base's exponent, with the rest in full."""
    layout = FLOATS[tensor.dtype]
    rest = layout.mantissa - _TOP
    sign = (tensor.words() ^ base.words()) >> (8 * layout.bytes - 1) << (8 * layout.bytes - 1)
    magnitude = tensor.words() & ((1 << (8 * layout.bytes - 1)) - 1)
    symbols = ((sign | magnitude) >> rest).astype(np.int64)
    context = _exponent(base) * _CONTEXTS + np.minimum(_scale(tensor), _CONTEXTS - 1)
    return conditional(symbols, context) + tensor.weights * _used(tensor, rest)


def conditional(symbols: Whole, context: Whole) -> float:
    """Return n·H(symbol | context) in bits from their joint counts."""
    width = int(symbols.max()) + 1
    joint = np.unique(context * width + symbols, return_counts=True)
    each = joint[1].astype(np.float64)
    whole = np.bincount(joint[0] // width, weights=each)
    whole = whole[whole > 0]
    return float((whole * np.log2(whole)).sum() - (each * np.log2(each)).sum())


def _ordered(words: Words) -> Whole:
    """Return integers in the order of the floats, next to each other at zero."""
    top = 1 << (8 * words.itemsize - 1)
    wide = words.astype(np.int64)
    return np.where(wide & top, top - 1 - (wide ^ top), wide + top)


def _buckets(difference: Whole) -> tuple[Whole, float]:
    """Return the symbol of each difference, and how many bits follow in full."""
    size = np.abs(difference)
    big = size >= _DIRECT
    log = np.frexp(size[big].astype(np.float64))[1] - 1
    half = (size[big] >> (log - 1)) & 1
    symbols = size.copy()
    symbols[big] = _DIRECT + 2 * (log - 3) + half
    return 2 * symbols + (difference < 0), float((log - 1).sum())


def _exponent(tensor: Tensor) -> Whole:
    layout = FLOATS[tensor.dtype]
    shifted = tensor.words() >> layout.mantissa
    return (shifted & ((1 << layout.exponent) - 1)).astype(np.int64)


def _used(tensor: Tensor, low: int) -> int:
    """Return how many of the *low* lowest bits any weight uses; the others are zero in all."""
    every = int(np.bitwise_or.reduce(tensor.words())) & ((1 << low) - 1)
    return low - ((every & -every).bit_length() - 1) if every else 0


def _scale(tensor: Tensor) -> Whole:
    """Return each weight's row scale, counted from the smallest."""
    scale = _classes(np.abs(np.nan_to_num(tensor.values(), posinf=0, neginf=0)), _row(tensor))
    lowest = int(scale.min())
    return scale - lowest


def _row(tensor: Tensor) -> int:
    together = tensor.row * -(-_SHORTEST // tensor.row)
    return tensor.weights if tensor.weights % together else together


def _classes(size: NDArray[np.float32], row: int) -> Whole:
    """Return for each weight its row's mean as a class, two per octave."""
    means = size.reshape(-1, row).mean(1, dtype=np.float64)
    return np.repeat(np.round(2 * np.log2(np.maximum(means, 1e-30))).astype(np.int64), row)
