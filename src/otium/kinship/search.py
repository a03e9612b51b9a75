"""The index: every sketch of an archive, and a search for a model's nearest relatives.

The search has three stages. All models are compared on 128 samples, which lie sample by sample
in one array; the best 1,024 of them on all; the best 64 of these by groups of four samples of
one tensor. A difference counts as the bits that a delta codec needs for it: log2(1 + d) of the
distance d in steps of bfloat16, at most 10. In the last stage d is that of the group's mean
difference: less noisy, so that siblings are told apart, but misled by what lies in small weights.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import msgspec

from otium.errors import DamagedCache
from otium.kinship.sketch import GROUPS, SAMPLES, SIZE, VERSION

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Words: TypeAlias = npt.NDArray[np.uint16]

COARSE = 128
"""Samples that the first stage compares."""
CANDIDATES = 1024
"""Models that the second stage compares."""
FINALISTS = 64
"""Models that the third stage compares."""
MOST_BITS = 10.0
"""What a sample costs that has nothing to do with its counterpart."""

_MAGIC = b"otium.sketches/1"
_HEAD = struct.Struct("<16sQQ32x")
# Cost by groups, and what the delta codec needed: MiniLM's fine-tunes, synthetic steps, strangers.
_CODED = (
    (0.0, 0.07, 0.1, 0.22, 0.38, 1.19, 2.86, 6.5),
    (0.0, 0.5, 0.8, 1.2, 1.7, 4.0, 6.4, 10.6),
)
_FINE = 8
_STEPS = 128.0  # of bfloat16, in a number's own size
_SIGNATURE = SIZE - 2 * SAMPLES
_BLOCK = 1 << 16
_BUFFERED = 4096
_FAR = 0xFFFF


@dataclass(frozen=True)
class Relative:
    """A model that another may be coded against."""

    model: str
    bits: float
    """Estimated bits per weight of the difference; ranks relatives, and is no promise."""


@dataclass(frozen=True)
class _Segment:
    """Some sketches: *rows* are their bytes (n, 2080), *coarse* the first samples (128, n)."""

    rows: npt.NDArray[np.uint8]
    coarse: Words


class Index:
    """All sketches of an archive. A cache: the manifests hold the truth."""

    def __init__(self, sketches: Mapping[str, bytes] | None = None) -> None:
        """Begin with *sketches* by model; add more, or load a saved index."""
        self._names: list[str] = []
        self._at: dict[str, int] = {}
        self._segments: list[_Segment] = []
        self._mapped = 0
        self._new: list[bytes] = []
        for model, data in (sketches or {}).items():
            self.add(model, data)

    def __len__(self) -> int:
        """Return how many models can be found."""
        return len(self._names)

    def __contains__(self, model: object) -> bool:
        """Say whether *model* can be found."""
        return model in self._at

    def add(self, model: str, data: bytes) -> None:
        """Let *model* be found by its sketch; an empty one or of another version is left out.

        A model that is there already stays as it is.
        """
        if model in self._at or len(data) != SIZE or data[0] != VERSION:
            return
        self._at[model] = len(self._names)
        self._names.append(model)
        self._new.append(bytes(data))
        if len(self._new) >= _BUFFERED:
            self._gather()

    def nearest(self, query: bytes, k: int = 8, without: Collection[str] = ()) -> list[Relative]:
        """Return the *k* nearest models to the sketch *query*, nearest first.

        Those named in *without* are passed over. An empty sketch has no relatives.
        """
        import numpy as np

        if len(query) != SIZE or query[0] != VERSION or not self._names:
            return []
        words = _ordered(np.frombuffer(query, "<u2", SAMPLES, _SIGNATURE))
        self._gather()
        scores = np.concatenate([_coarse(segment.coarse, words) for segment in self._segments])
        scores[[self._at[model] for model in without if model in self._at]] = _FAR
        few = min(CANDIDATES, len(scores))
        found = np.argpartition(scores, few - 1)[:few] if few < len(scores) else np.arange(few)
        found = found[scores[found] != _FAR]
        if not len(found):
            return []
        rows = self._rows(found)
        bits = _bits(rows, words)
        near = np.lexsort((found, bits))[: max(k, FINALISTS)]
        bits = _grouped_bits(rows[near], words)
        best = np.lexsort((found[near], bits))[:k]
        coded = np.interp(bits[best], *_CODED)
        names = [self._names[at] for at in found[near[best]]]
        return [Relative(name, float(cost)) for name, cost in zip(names, coded, strict=True)]

    def save(self, path: Path) -> None:
        """Write the index to *path*, whole or not at all."""
        names = msgspec.json.encode(self._names)
        names += b" " * (-len(names) % 64)
        self._gather()
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with part.open("wb") as file:
            file.write(_HEAD.pack(_MAGIC, len(self._names), len(names)) + names)
            _write(file, self._segments)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Index:
        """Return the index saved at *path*, mapped rather than read.

        Raises DamagedCache if the file is not whole, FileNotFoundError if there is none.
        """
        index = cls()
        with path.open("rb") as file:
            count, length = _check(file, path)
            try:
                index._names = msgspec.json.decode(file.read(length), type=list[str])
            except (msgspec.MsgspecError, ValueError) as error:
                raise DamagedCache(path=path, why="its names cannot be read") from error
        index._at = {name: at for at, name in enumerate(index._names)}
        if not len(index._names) == len(index._at) == count:
            raise DamagedCache(path=path, why=f"it names {len(index._at)} models of {count}")
        if count:
            index._segments.append(_map(path, _HEAD.size + length, count))
            index._mapped = 1
        return index

    def _gather(self) -> None:
        """Make what was added searchable; segments in memory are joined as they grow alike."""
        import numpy as np

        if self._new:
            data = np.frombuffer(b"".join(self._new), np.uint8)
            self._segments.append(_segment(data.reshape(-1, SIZE)))
            self._new = []
        while len(self._segments) > self._mapped + 1:
            before, last = self._segments[-2:]
            if 2 * len(last.rows) < len(before.rows):
                break
            self._segments[-2:] = [_segment(np.concatenate([before.rows, last.rows]))]

    def _rows(self, found: npt.NDArray[np.intp]) -> Words:
        """Return the samples of the models numbered *found*: (n, 1024)."""
        import numpy as np

        rows = np.empty((len(found), SIZE), np.uint8)
        start = 0
        for segment in self._segments:
            inside = (found >= start) & (found < start + len(segment.rows))
            rows[inside] = segment.rows[found[inside] - start]
            start += len(segment.rows)
        return _ordered(np.ascontiguousarray(rows[:, _SIGNATURE:]).view("<u2"))


def _segment(rows: npt.NDArray[np.uint8]) -> _Segment:
    import numpy as np

    first = np.ascontiguousarray(rows[:, _SIGNATURE : _SIGNATURE + 2 * COARSE])
    return _Segment(rows, np.ascontiguousarray(_ordered(first.view("<u2")).T))


def _ordered(words: Words) -> Words:
    """Return bfloat16 bits as integers that have the order of the numbers."""
    import numpy as np

    return np.where(words & 0x8000, ~words, words | 0x8000)


@cache
def _costs() -> npt.NDArray[np.float32]:
    """Return what each 16-bit difference costs, in bits."""
    import numpy as np

    distance = np.abs(np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32))
    return np.minimum(np.log2(1.0 + distance), MOST_BITS).astype(np.float32)


def _coarse(columns: Words, query: Words) -> Words:
    """Return the cost of the first samples of each model, in eighths of a bit."""
    import numpy as np

    table = np.rint(_costs() * _FINE).astype(np.uint8)
    total = np.zeros(columns.shape[1], np.uint16)
    step, cost = np.empty(_BLOCK, np.uint16), np.empty(_BLOCK, np.uint8)
    for start in range(0, len(total), _BLOCK):
        part = total[start : start + _BLOCK]
        for number in range(COARSE):
            column = columns[number, start : start + _BLOCK]
            np.subtract(column, query[number], out=step[: len(part)])
            np.take(table, step[: len(part)], out=cost[: len(part)], mode="clip")
            np.add(part, cost[: len(part)], out=part)
    return total


def mean_bits(rows: Words, query: Words) -> npt.NDArray[np.float32]:
    """Return the mean cost of each of *rows* (n, m), given as bfloat16 bits, from *query* (m)."""
    return _bits(_ordered(rows), _ordered(query))


def _bits(rows: Words, query: Words) -> npt.NDArray[np.float32]:
    """Return the mean cost of all samples of each row."""
    import numpy as np

    costs: npt.NDArray[np.float32] = _costs()[rows - query].mean(1, dtype=np.float32)
    return costs


def _grouped_bits(rows: Words, query: Words) -> npt.NDArray[np.float32]:
    """Return the mean cost by groups: what their mean differences cost at their mean size."""
    import numpy as np

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        difference = np.abs(_numbers(rows) - _numbers(query))
        moved = difference.reshape(len(rows), -1, GROUPS).mean(1)
        size = np.abs(_numbers(query)).reshape(-1, GROUPS).mean(0)
        cost = np.log2(1 + _STEPS * moved / size)
    cost = np.where(moved == 0, 0, np.fmin(cost, MOST_BITS))
    bits: npt.NDArray[np.float32] = cost.mean(1, dtype=np.float32)
    return bits


def _numbers(ordered: Words) -> npt.NDArray[np.float32]:
    """Return the numbers that ordered bits stand for."""
    import numpy as np

    words = np.where(ordered & 0x8000, ordered ^ 0x8000, ~ordered)
    return (words.astype(np.uint32) << 16).view(np.float32)


def _write(file: BinaryIO, segments: Sequence[_Segment]) -> None:
    for number in range(COARSE):
        file.writelines(segment.coarse[number].astype("<u2").tobytes() for segment in segments)
    for segment in segments:
        file.writelines(
            segment.rows[start : start + _BLOCK // 16].tobytes()
            for start in range(0, len(segment.rows), _BLOCK // 16)
        )


def _check(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Return the counts of models and of bytes of names in a saved index."""
    size = path.stat().st_size
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        raise DamagedCache(path=path, why=f"it does not begin with {_MAGIC.decode()}")
    _, count, length = _HEAD.unpack(head)
    if size != _HEAD.size + length + count * (2 * COARSE + SIZE):
        raise DamagedCache(path=path, why=f"it has {size} bytes, not what {count} models take")
    return count, length


def _map(path: Path, offset: int, count: int) -> _Segment:
    import numpy as np

    coarse = np.memmap(path, "<u2", "r", offset, (COARSE, count))
    rows = np.memmap(path, np.uint8, "r", offset + coarse.nbytes, (count, SIZE))
    return _Segment(rows, coarse)
