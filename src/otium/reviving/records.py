"""What the bench of revival measures with, and what it writes down."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from otium.bench import Goal, Spread
from otium.records import Progress, silent
from otium.store import Buffer, Span, Store


class Row(msgspec.Struct, frozen=True):
    """One thing that was timed."""

    section: str
    what: str
    unit: str
    figures: Spread
    load: float
    """Processes that wanted to run, the mean of the last minute."""


class Returned(msgspec.Struct, frozen=True):
    """All that one run of the bench measured."""

    machine: str
    cores: int
    rounds: int
    rows: tuple[Row, ...]
    goals: tuple[Goal, ...]
    notes: tuple[str, ...]


@dataclass
class Way:
    """What is measured, and what was found so far."""

    work: Path
    model: Path
    """A GGUF file."""
    family: Path | None
    """A directory of ``base.safetensors`` and fine-tunes."""
    rounds: int = 3
    size: int = 256 << 20
    progress: Progress = silent
    rows: list[Row] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, section: str, what: str, unit: str, figures: Sequence[float]) -> None:
        """Keep a row."""
        row = Row(section, what, unit, Spread.of(figures), round(os.getloadavg()[0], 1))
        self.rows.append(row)

    def reach(
        self,
        what: str,
        better: Literal["less", "more"],
        target: float,
        figures: Sequence[float],
        *,
        unit: str = "",
    ) -> None:
        """Keep a figure to reach, by the median."""
        spread = Spread.of(figures)
        self.goals.append(Goal(what, unit, better, target, spread.median, spread))

    def turns(
        self,
        section: str,
        acts: dict[str, Callable[[], object]],
        before: Mapping[str, Callable[[], object]] | None = None,
    ) -> dict[str, list[float]]:
        """Time each act once a round, in an order that rotates; return seconds by name.

        What stands under its name in *before* is done first, and not timed.
        """
        found: dict[str, list[float]] = {name: [] for name in acts}
        names = [*acts]
        for turn in range(self.rounds):
            self.progress(section, turn, self.rounds)
            for place in range(len(names)):
                name = names[(turn + place) % len(names)]
                if before and name in before:
                    before[name]()
                began = time.perf_counter()
                acts[name]()
                found[name].append(time.perf_counter() - began)
        return found


class Throttled:
    """A store that gives so many bytes a second, however many ask at once."""

    def __init__(self, inner: Store, rate: float) -> None:
        """Read *inner* at *rate* bytes a second."""
        self.inner, self.rate, self.read = inner, rate, 0
        self._free, self._lock = 0.0, threading.Lock()

    def get(self, name: str, span: Span | None = None) -> bytes:
        """Return the bytes when they would be there."""
        asked = time.monotonic()
        data = self.inner.get(name, span)
        with self._lock:
            self.read += len(data)
            self._free = due = max(asked, self._free) + len(data) / self.rate
        time.sleep(max(due - time.monotonic(), 0))
        return data

    def put(self, name: str, data: Buffer) -> None:
        """Store bytes at once."""
        self.inner.put(name, data)

    def add(self, folder: str, chunks: Iterable[Buffer], suffix: str) -> str:
        """Store chunks at once."""
        return self.inner.add(folder, chunks, suffix)

    def replace(self, name: str, data: Buffer) -> None:
        """Point a name at bytes at once."""
        self.inner.replace(name, data)

    def size(self, name: str) -> int:
        """Return a size at once."""
        return self.inner.size(name)

    def list(self, prefix: str = "") -> Iterator[str]:
        """List at once."""
        return self.inner.list(prefix)
