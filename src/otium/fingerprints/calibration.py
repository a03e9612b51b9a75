"""What the test rests on: how far answers moved where the truth was known.

Each probe falls into a class by the mean difference of its log-probabilities, in units of how far
apart those of the model lie, and its reading,
if its kind has rules, changed or did not. `Study` counts both for each variant whose truth is
known; hypotheses are envelopes of these counts. Under "same" a probe moves as far as under the
variant of the same weights that moved furthest, under "other" as little as under the one of the
declared others that moved least. The ratio of the two never falls as the class grows, so that its
mean is at most 1 for whatever moves less than the first (and that of its inverse for whatever
moves more than the second): the declared error rates hold for all of these.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

from otium.errors import BadData
from otium.fingerprints.matching import Match
from otium.fingerprints.sequential import Step
from otium.records import Digest, Part

Scope = Literal["canary", "battery"]
Truth = Literal["same", "other", "part", "close"]


class Declared(TypedDict):
    """The error rates of a test, and the digest of what it was measured on."""

    alpha: float
    beta: float
    calibration: Digest


class Measured(Part):
    """How the probes of one variant compared with the original's."""

    model: str
    variant: str
    truth: Truth
    """``same``: what moves no further is the same. ``other``, which shows on every probe, and
    ``part``, which shows on some, have to be told apart. ``close``: either verdict is right."""
    classes: tuple[int, ...]
    """How many probes fell into each class."""
    changed: int
    """How many readings changed."""
    read: int
    """Of how many."""


class Calibration(Part):
    """The measurements, and the error rates that are declared with them."""

    id: str
    version: str
    edges: tuple[float, ...]
    """Upper edges of all classes but the last, in spreads of the model (`matching.spread`)."""
    alpha: float
    beta: float
    least: int
    """How many probes are asked before the canary may end."""
    canary: tuple[float, ...]
    """Shares of the probes on which a fault shows that the canary has to find."""
    battery: tuple[float, ...]
    """The same for the battery, if it has enough prompts to exclude them."""
    character: float
    """The share of readings that change in a model of another character."""
    measured: tuple[Measured, ...]

    def declared(self) -> Declared:
        """Return what a certificate says of the test that it rests on."""
        return {"alpha": self.alpha, "beta": self.beta, "calibration": self.digest()}

    def shares(self, scope: Scope, probes: int) -> tuple[float, ...]:
        """Return the shares that *probes* can exclude with a quarter of the evidence to spare."""
        if scope == "canary":
            return self.canary
        needed = -1.25 * log(self.beta)
        return tuple(it for it in self.battery if -probes * log(1 - it) >= needed)

    def place(self, match: Match, unit: float) -> int:
        """Return the class of a probe of a model whose spread is *unit*, in nats.

        It is the last if one answer ends where the other goes on, or goes on with a token that the
        other did not name: how far that is cannot be measured.
        """
        near = match.same_end or match.tie
        return bisect_left(self.edges, match.mean / unit) if near else len(self.edges)


class Chances(NamedTuple):
    """The chance of each class, and of a changed reading, under one hypothesis."""

    classes: tuple[float, ...]
    changed: float

    def log_likelihood(self, place: int, changed: bool | None) -> float:  # noqa: FBT001 - of three
        """Return that of a probe in the class *place*, whose reading *changed*, or has none."""
        reading = 1.0 if changed is None else self.changed if changed else 1 - self.changed
        return log(self.classes[place]) + log(reading)


class Hypotheses(NamedTuple):
    """What the test decides between."""

    same: Chances
    other: tuple[Chances, ...]

    def step(self, place: int, *, changed: bool | None) -> Step:
        """Return the log-likelihoods of a probe; *changed* is None if it has no reading."""
        one = [chances.log_likelihood(place, changed) for chances in (self.same, *self.other)]
        return Step(tuple(one[:1]), tuple(one[1:]))


def read_calibration(path: Path | None = None) -> Calibration:
    """Read a calibration, by default the one that comes with otium; raise BadData, BadRecord."""
    return _packaged() if path is None else _read(path.read_bytes(), path)


@lru_cache(maxsize=64)
def hypotheses(calibration: Calibration, shares: tuple[float, ...]) -> Hypotheses:
    """Return what to decide between: the same, and others that show on *shares* of the probes."""
    same = _envelope(calibration.measured, "same", max)
    least = _envelope(calibration.measured, "other", min)
    whole = least._replace(classes=_rising(same.classes, least.classes))
    character = whole._replace(changed=calibration.character)
    return Hypotheses(same, (whole, character, *(_mixed(same, whole, it) for it in shares)))


def _envelope(
    measured: Iterable[Measured], truth: Truth, choose: Callable[[Iterable[float]], float]
) -> Chances:
    """Return the chances that bound those of all variants of one *truth* from above or below."""
    chosen = [one for one in measured if one.truth == truth]
    beyond = [
        choose(_beyond(one.classes, at) for one in chosen)
        for at in range(1, len(chosen[0].classes))
    ]
    steps = [1.0, *beyond, 0.0]
    classes = tuple(high - low for high, low in pairwise(steps))
    changed = ((one.read - one.changed, one.changed) for one in chosen)
    return Chances(classes, choose(_beyond(counts, 1) for counts in changed))


def _rising(same: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    """Return *other* so that its ratio to *same* never falls: neighbours that would are pooled.

    (Pool adjacent violators: Ayer et al., 1955.) The chances still add up to 1.
    """
    blocks: list[tuple[float, float, int]] = []
    for one, two in zip(same, other, strict=True):
        block = (one, two, 1)
        while blocks and blocks[-1][1] * block[0] > block[1] * blocks[-1][0]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    pooled = [two / one for one, two, size in blocks for _ in range(size)]
    return tuple(one * ratio for one, ratio in zip(same, pooled, strict=True))


def _beyond(counts: Sequence[int], at: int) -> float:
    """Return the share of counts from *at* on, with half a count added to each.

    So no chance is 0 (Krichevsky and Trofimov, 1981).
    """
    return (sum(counts[at:]) + (len(counts) - at) / 2) / (sum(counts) + len(counts) / 2)


def _mixed(same: Chances, other: Chances, share: float) -> Chances:
    def mix(one: float, two: float) -> float:
        return (1 - share) * one + share * two

    classes = tuple(mix(*pair) for pair in zip(same.classes, other.classes, strict=True))
    return Chances(classes, mix(same.changed, other.changed))


@cache
def _packaged() -> Calibration:
    source = files("otium") / "data" / "fingerprint-calibration.toml"
    return _read(source.read_bytes(), Path(str(source)))


def _read(data: bytes, path: Path) -> Calibration:
    try:
        found = Calibration.convert(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(path=path, why=str(error)) from error
    width = len(found.edges) + 1
    if any(len(one.classes) != width for one in found.measured):
        raise BadData(path=path, why=f"each variant needs {width} classes")
    if {"same", "other"} - {one.truth for one in found.measured}:
        raise BadData(path=path, why="variants of the same and of other weights are needed")
    return found
