"""The sketch: 1,024 weights of a model, at places that all its relatives share.

Which weights depends on the tensors' roles and the length of their rows only, by SHA-256.
A tensor more or less, or a row, moves only the samples that fall on it: tensors are drawn by
rendezvous hashing (Thaler and Ravishankar, 1998), rows by jump consistent hashing (Lamping and
Veach, 2014). ``docs/formats/sketch-1.md`` is the exact definition, with a test vector.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING

from otium.kinship.roles import Place, TensorView, places
from otium.kinship.weights import read_weight, round_to_bf16

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLES = 1024
SIZE = 2080
"""Bytes of a sketch: the signature's 32, then two a sample."""
VERSION = 1

GROUPS = 256
"""Draws of a tensor; each serves the samples whose numbers are equal modulo it."""
_MOST_PLACES = 256
_WORD = 1 << 64
_FRACTION = 24
_HEAD = struct.Struct("<B7xQ16s")


def sketch(tensors: Sequence[TensorView]) -> bytes:
    """Return the sketch of the model that has these *tensors*: 2,080 bytes.

    Empty if none of them can be sampled. At most 1,024 blocks are read.
    """
    known = places(tensors)
    if not known:
        return b""
    drawn = _draw(known)
    scales = {tensor.name: tensor for tensor in tensors if "scale" in tensor.name}
    values = [
        read_weight(place, *_position(place.role, place.rows, place.width, number), scales)
        for number in range(SAMPLES)
        for place in (drawn[number % GROUPS],)
    ]
    shapes = "".join(f"{p.role}\n{p.rows}\n{p.width}\n" for p in known)
    words = struct.pack(f"<{SAMPLES}H", *map(round_to_bf16, values))
    return pack(sum(place.weights for place in known), shapes, words)


def pack(weights: int, shapes: str, words: bytes) -> bytes:
    """Return a sketch: version, number of weights, a digest of all shapes, 1,024 bfloat16s."""
    digest = hashlib.sha256(shapes.encode()).digest()[:16]
    return _HEAD.pack(VERSION, min(weights, _WORD - 1), digest) + words


def weights_of(data: bytes) -> int:
    """Return how many weights the model of a sketch has in all tensors that it may sample."""
    return int(_HEAD.unpack_from(data)[1])


def _draw(known: Sequence[Place]) -> list[Place]:
    """Return the place of each group of samples, drawn in proportion to its weights.

    Each place has an exponential variable of its own, divided by its weights; the least wins.
    """
    import numpy as np

    few = sorted(known, key=lambda p: (hashlib.sha256(p.role.encode()).digest(), p.role))
    few = sorted(few[:_MOST_PLACES], key=lambda p: p.role)
    words = np.frombuffer(b"".join(_tickets(place.role) for place in few), "<u8")
    tickets = _exponential(words.reshape(len(few), GROUPS))
    weights = np.array([place.weights for place in few], np.uint64)
    winners = ((tickets << np.uint64(33)) // weights[:, None]).argmin(0)
    return [few[at] for at in winners]


@lru_cache(maxsize=1024)
def _tickets(role: str) -> bytes:
    return b"".join(islice(_blocks(f"tensor\n{role}"), GROUPS // 4))


def _exponential(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return -log2(word / 2**64) in units of 2**-24, by integer operations only."""
    import numpy as np

    mantissa, exponent = np.frexp(((words >> np.uint64(11)) | np.uint64(1)).astype(np.float64))
    m = (mantissa * 2.0**32).astype(np.uint64)
    fraction = np.zeros(words.shape, np.uint64)
    for _ in range(_FRACTION):
        m = (m * m) >> np.uint64(31)
        above = m >> np.uint64(32)
        m >>= above
        fraction = fraction << np.uint64(1) | above
    return ((54 - exponent).astype(np.uint64) << np.uint64(_FRACTION)) - fraction


def _position(role: str, rows: int, width: int, number: int) -> tuple[int, int]:
    """Return row and column of sample *number* in the matrix that was drawn for it."""
    words = _words(f"weight\n{role}\n{width}\n{number}")
    column = next(words) % width
    row, following = 0, 0
    while following < rows:
        row = following
        following = (row + 1) * _WORD // (next(words) + 1)
    return row, column


def _words(text: str) -> Iterator[int]:
    """Yield 64-bit words, without end."""
    for block in _blocks(text):
        yield from struct.unpack("<4Q", block)


def _blocks(text: str) -> Iterator[bytes]:
    """Yield the digests of SHA-256 in counter mode, without end."""
    start = hashlib.sha256(b"otium.sketch/1\n" + text.encode() + b"\n")
    for counter in count():
        block = start.copy()
        block.update(struct.pack("<I", counter))
        yield block.digest()
