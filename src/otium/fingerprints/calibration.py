"""What the test rests on: how far answers moved where the truth was known.

Each probe falls into a class by the mean difference of its log-probabilities, in units of how far
apart those of the model lie, and its reading,
if its kind has rules, changed or did not. `Study` counts both for each variant whose truth is
known; hypotheses are envelopes of these counts. Under "same" a probe moves as far as under the
variant of the same weights that moved furthest, under "other" as little as under the one of the
declared others that moved least. The ratio of the two never falls as the class grows, so that its
mean is at most 1 for whatever moves less than the first (and that of its inverse for whatever
moves more than the second): the declared error rates hold for all of these.

What a test looks for is chosen by its power: it excludes faults that show on ever fewer prompts, as
far as it then still accepts the same model. *alpha* is spent in halves, one on an alarm (Ville's
inequality) and one on staying undecided (computed over all that can be seen), so that it bounds the
chance that the same model is not called the same, whatever the reason.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from itertools import combinations, pairwise
from math import comb, isfinite, log
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from otium.errors import BadData
from otium.fingerprints.matching import Match
from otium.fingerprints.sequential import Step
from otium.records import Digest, Part

if TYPE_CHECKING:
    import numpy as np

    Counts = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

Scope = Literal["canary", "battery"]
Truth = Literal["same", "other", "part", "close"]
_COIN = 0.5
_MOST_EDGES = 3
"""More classes would make the sum over all that can be seen too long."""
_MOST_PROBES = 96
"""The same; what this many prompts exclude, more do too."""


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
    """Shares of the probes on which a fault shows that the canary is to find: from the largest, as
    many as its prompts allow (`plan`)."""
    battery: tuple[float, ...]
    """The same for the battery."""
    character: float
    """The share of readings that change in a model of another character."""
    measured: tuple[Measured, ...]

    def plan(self, scope: Scope, probes: int, read: int) -> Plan:
        """Return the test with *probes* prompts that say something, *read* of which rules read."""
        return _plan(self, scope, min(probes, _MOST_PROBES), min(read, _MOST_PROBES))

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


class Plan(NamedTuple):
    """A test: what it decides between, and how often it errs."""

    shares: tuple[float, ...]
    """Faults that show on so many of the prompts are looked for."""
    between: Hypotheses
    lower: float
    """Where its ratio ends in "same"."""
    upper: float
    """Where it ends in "different"."""
    least: int
    """How many prompts are asked before it may end."""
    declared: Declared


def read_calibration(path: Path | None = None) -> Calibration:
    """Read a calibration, by default the one that comes with otium; raise BadData, BadRecord."""
    return _packaged() if path is None else _read(path.read_bytes(), path)


@lru_cache(maxsize=64)
def hypotheses(calibration: Calibration, shares: tuple[float, ...]) -> Hypotheses:
    """Return what to decide between: the same, and others that show on *shares* of the probes."""
    same = _envelope(calibration.measured, "same", max)
    least = _envelope(calibration.measured, "other", min)
    changed = max(same.changed, least.changed)
    whole = Chances(_rising(same.classes, least.classes), changed)
    character = whole._replace(changed=max(changed, calibration.character))
    return Hypotheses(same, (whole, character, *(_mixed(same, whole, it) for it in shares)))


@lru_cache(maxsize=64)
def _plan(tests: Calibration, scope: Scope, probes: int, read: int) -> Plan:
    lower, half = log(tests.beta), tests.alpha / 2
    shares = tests.canary if scope == "canary" else tests.battery
    _, unsure, *more = undecided(hypotheses(tests, shares), probes, read, lower)
    allowed = sum(it <= half for it in more)
    between = hypotheses(tests, shares[:allowed])
    alpha = half + (more[allowed - 1] if allowed else unsure)
    return Plan(
        shares=shares[:allowed],
        between=between,
        lower=lower,
        upper=-log(half),
        least=tests.least,
        declared={
            "alpha": max(tests.alpha, round(min(alpha, 1.0), 6)),
            "beta": tests.beta,
            "calibration": tests.digest(),
        },
    )


def undecided(between: Hypotheses, probes: int, read: int, lower: float) -> list[float]:
    """Return how likely the same model does not reach *lower* within *probes* prompts.

    There is one number for the first of the others, one for the first two, and so on. Each is exact
    for a test that asks all prompts, *read* of which have a reading, and a bound for one that may
    stop earlier: a sum over all counts of classes, and for each the most readings that may change.
    """
    import numpy as np

    same, others = between
    counts = _counts(probes, len(same.classes))
    ways = np.array([0.0, *np.cumsum(np.log(np.arange(1, probes + 1)))])
    chance = np.exp(ways[probes] - ways[counts].sum(axis=1) + counts @ np.log(same.classes))
    gains = np.log([one.classes for one in others]) - np.log(same.classes)
    changes = np.array([one.changed for one in others])
    kept = np.log(1 - changes) - log(1 - same.changed)
    each = np.maximum(np.log(changes) - log(same.changed) - kept, 1e-12)
    room = (lower - counts @ gains.T - read * kept) / each
    most = np.clip(np.floor(np.minimum.accumulate(room, axis=1)), -1, read).astype(int)
    likely = [
        comb(read, it) * same.changed**it * (1 - same.changed) ** (read - it)
        for it in range(read + 1)
    ]
    reached = chance @ np.cumsum([0.0, *likely])[most + 1]
    return [max(0.0, 1 - float(it)) for it in reached]


@lru_cache(maxsize=4)
def _counts(probes: int, classes: int) -> Counts:
    """Return all ways to spread *probes* over *classes*, one a row: where bars part stars."""
    import numpy as np

    places = probes + classes - 1
    bars = [(-1, *some, places) for some in combinations(range(places), classes - 1)]
    return np.diff(np.array(bars)) - 1


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
    if why := _fault(found):
        raise BadData(path=path, why=why)
    return found


def _fault(found: Calibration) -> str:
    """Return why nothing can be decided by *found*, or nothing."""
    width = len(found.edges) + 1
    shares = (*found.canary, *found.battery)
    counts = [it for one in found.measured for it in (*one.classes, one.changed, one.read)]
    rules = {
        f"each variant needs {width} classes": all(
            len(one.classes) == width and sum(one.classes) for one in found.measured
        ),
        "variants of the same and of other weights are needed": not (
            {"same", "other"} - {one.truth for one in found.measured}
        ),
        f"edges are 1 to {_MOST_EDGES}, above 0, and rise": 1 < width <= _MOST_EDGES + 1
        and all(low < high for low, high in pairwise((0.0, *found.edges)))
        and isfinite(found.edges[-1]),
        "alpha and beta lie between 0 and 0.5": all(
            0 < it < _COIN for it in (found.alpha, found.beta)
        ),
        "character and shares lie between 0 and 1": all(
            0 < it < 1 for it in (found.character, *shares)
        ),
        "shares fall": all(
            high > low for it in (found.canary, found.battery) for high, low in pairwise(it)
        ),
        "least is 1 or more": found.least >= 1,
        "counts are 0 or more": min(counts) >= 0,
        "no more readings change than are read": all(
            it.changed <= it.read for it in found.measured
        ),
    }
    return next((why for why, kept in rules.items() if not kept), "")
