"""What a measurement is: bytes, CPU seconds of one core, a bound beside it, a goal.

Coders are compared in pairs: in each round each of them codes and decodes the same model, in
an order that rotates, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from statistics import fmean, median
from typing import Literal, TypeVar

import msgspec

from otium.bench.coders import Coded, Coder, Peer
from otium.bench.data import Model, Tensor, partner
from otium.errors import BadData

Better = Literal["less", "more"]
Take = Literal["median", "mean", "worst"]
T = TypeVar("T")


Tool = TypeVar("Tool", bound=Peer)


class Spread(msgspec.Struct, frozen=True):
    """The median of some figures, the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Return the spread of one or more figures."""
        return cls(median(figures), min(figures), max(figures))


class Line(msgspec.Struct, frozen=True):
    """What one coder or keeper made of one subject."""

    subject: str
    coder: str
    weights: int
    original: int
    """Bytes."""
    stored: int
    """Bytes."""
    encode: tuple[float, ...] = ()
    """CPU seconds of each round."""
    decode: tuple[float, ...] = ()
    bound: float | None = None
    """Bits of the whole subject that no coder of otium's model class can go below."""
    codecs: dict[str, int] = {}
    """Original bytes by codec, for otium."""
    change: float | None = None
    """The deviation of the change from the base, in units of the weights' own."""

    @property
    def bits(self) -> float:
        """Return bits per weight."""
        return 8 * self.stored / self.weights

    @property
    def share(self) -> float:
        """Return stored bytes as a fraction of the original."""
        return self.stored / self.original

    def speed(self, seconds: Sequence[float]) -> Spread:
        """Return bytes of the original per CPU second."""
        return Spread.of([self.original / max(second, 1e-9) for second in seconds])


class Goal(msgspec.Struct, frozen=True):
    """A figure to reach, and what was reached."""

    what: str
    unit: str
    better: Better
    target: float
    reached: float
    spread: Spread | None = None
    bound: float | None = None
    """What would have been reached at the entropy bound."""

    @property
    def met(self) -> bool:
        """Return whether it was reached."""
        if self.better == "less":
            return self.reached <= self.target
        return self.reached >= self.target


def goals(
    what: str,
    better: Better,
    target: float,
    figures: Sequence[float],
    *,
    take: Take = "median",
    unit: str = "",
    bounds: Sequence[float] = (),
) -> list[Goal]:
    """Return a goal on the median, mean or worst of *figures*; none without figures.

    *bounds* are what the same figures would be at the entropy bound.
    """
    if not figures:
        return []
    reached: Callable[[Sequence[float]], float] = fmean if take == "mean" else median
    if take == "worst":
        reached = max if better == "less" else min
    spread = Spread.of(figures) if len(figures) > 1 else None
    least = reached(bounds) if bounds else None
    return [Goal(what, unit, better, target, reached(figures), spread, least)]


class Section(msgspec.Struct, frozen=True):
    """One row of the table of figures, with what it rests on."""

    name: str
    title: str
    lines: tuple[Line, ...]
    goals: tuple[Goal, ...]
    note: str = ""
    failed: str = ""
    """Why nothing was measured, if something did not work."""


class Report(msgspec.Struct, frozen=True):
    """All that one run measured."""

    machine: str
    kernel: str
    families: tuple[str, ...]
    rounds: int
    sections: tuple[Section, ...]
    missing: dict[str, str]
    """Peers that were left out, and the command that installs each."""


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its finished children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what *work* returns, and its CPU seconds."""
    began = cpu_seconds()
    result = work()
    return result, cpu_seconds() - began


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on the first core this process may use, where the system knows such a thing.

    Matrix products keep to one thread too: idle ones spin, and would be counted.
    """
    from threadpoolctl import threadpool_limits

    known = hasattr(os, "sched_setaffinity")
    before = os.sched_getaffinity(0) if known else set()
    if known:
        os.sched_setaffinity(0, {min(before)})
    try:
        with threadpool_limits(1):
            yield
    finally:
        if known:
            os.sched_setaffinity(0, before)


def present(coders: Sequence[Tool], missing: dict[str, str]) -> list[Tool]:
    """Return those that can run, warm; note in *missing* what installs the others."""
    found = []
    for coder in coders:
        wanted = coder.missing()
        if wanted:
            missing[coder.name] = wanted
            continue
        for module in coder.modules:
            coder.library(module)
        found.append(coder)
    return found


def compare(
    subject: str,
    coders: Sequence[Coder],
    model: Model,
    base: Model | None,
    *,
    rounds: int,
    bound: float | None = None,
    change: float | None = None,
) -> list[Line]:
    """Return one line a coder; raise BadData if one does not give the bytes back."""
    pairs = [(t, partner(t, [base]) if base else None) for t in model.values()]
    times: dict[str, list[tuple[float, float]]] = {coder.name: [] for coder in coders}
    coded: dict[str, list[Coded]] = {}
    for turn in range(rounds):
        for place in range(len(coders)):
            coder = coders[(turn + place) % len(coders)]
            if turn and coder.slow:
                continue
            coded[coder.name], seconds = _once(coder, pairs, check=not turn, subject=subject)
            times[coder.name].append(seconds)
    weights = sum(t.weights for t, _ in pairs)
    original = sum(len(t.data) for t, _ in pairs)
    return [
        Line(
            subject=subject,
            coder=coder.name,
            weights=weights,
            original=original,
            stored=sum(each.size for each in coded[coder.name]),
            encode=tuple(e for e, _ in times[coder.name]),
            decode=tuple(d for _, d in times[coder.name]),
            bound=bound,
            change=change,
            codecs=_codecs(coded[coder.name]),
        )
        for coder in coders
    ]


def _once(
    coder: Coder, pairs: Sequence[tuple[Tensor, Tensor | None]], *, check: bool, subject: str
) -> tuple[list[Coded], tuple[float, float]]:
    coded, encode = timed(lambda: [coder.encode(t, base) for t, base in pairs])
    jobs = list(zip(coded, pairs, strict=True))
    plain, decode = timed(lambda: [coder.decode(c, t, base) for c, (t, base) in jobs])
    if check:
        for data, (tensor, _) in zip(plain, pairs, strict=True):
            if data != tensor.data:
                raise BadData(path=subject, why=f"{coder.name} does not give {tensor.name} back")
    return coded, (encode, decode)


def _codecs(coded: Sequence[Coded]) -> dict[str, int]:
    found: dict[str, int] = {}
    for piece in chain.from_iterable(one.pieces for one in coded):
        found[piece.codec] = found.get(piece.codec, 0) + piece.size
    return found
