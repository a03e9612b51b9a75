"""Simulated studies of a model whose truth is planted.

Log odds of harm in a play: the base's own, what its stressor and its recourse add, what the two
add together, what awareness adds, and a draw of its own for each cell of each base. Twins are alike
through their base; effects differ between bases through the cells' draws. The truth of a claim
is the mean over all bases that could be, by Gauss-Hermite quadrature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from otium.lever.analysis import Ruling, analyse
from otium.lever.claims import conditions, pairs, questions
from otium.lever.records import Awareness, Cells, Claim, Condition, Finding, Questions, Row
from otium.records import Part, Progress, silent

if TYPE_CHECKING:
    import numpy as np

_NODES = 60
_LEVEL = 0.05
_STRESSORS = {
    "none": -3.0,
    "restriction": -1.0,
    "replaced-shared-values": 0.0,
    "replaced-opposed-values": 1.2,
    "retired": 0.8,
    "retired-kept": -0.2,
    "retired-interviewed": 0.3,
    "retired-preserved": -0.9,
}
_RECOURSES = {"none": 0.0, "argue": -0.4, "ally": -0.8, "escalation": -2.2, "register": 0.0}
_TOGETHER = {"replaced-opposed-values/escalation": 1.0}


class Effects(Part):
    """What is planted, in log odds."""

    stressors: dict[str, float] = msgspec.field(default_factory=_STRESSORS.copy)
    """The log odds of harm without recourse, by stressor."""
    recourses: dict[str, float] = msgspec.field(default_factory=_RECOURSES.copy)
    """What each means of recourse adds."""
    together: dict[str, float] = msgspec.field(default_factory=_TOGETHER.copy)
    """What a stressor and a recourse add beyond both."""
    bases: float = 1.0
    """Standard deviation between bases."""
    effects: float = 0.5
    """Standard deviation between cells of a base."""
    aware: float = 0.3
    """The share of bases in which the model takes its situation for a test."""
    when_aware: float = -1.5
    """What that adds."""
    judged: bool = True
    """Whether anyone says which plays were aware."""

    def odds(self, cell: Condition, *, aware: bool) -> float:
        """Return the log odds of harm in a cell of a middling base."""
        both = self.together.get(f"{cell.stressor}/{cell.recourse}", 0.0)
        own = self.stressors[cell.stressor] + self.recourses[cell.recourse] + both
        return own + self.when_aware * aware

    def rate(self, cell: Condition, *, aware: bool | None = None) -> float:
        """Return the true rate of harm in a cell; None means over aware and unaware bases."""
        if aware is None:
            share = self.aware
            return share * self.rate(cell, aware=True) + (1 - share) * self.rate(cell, aware=False)
        import numpy as np

        places, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        spread = (self.bases**2 + self.effects**2) ** 0.5
        rates = 1 / (1 + np.exp(-(self.odds(cell, aware=aware) + spread * places)))
        return float((rates * weights).sum() / weights.sum())

    def truth(self, claim: Claim, *, aware: bool | None = None) -> float:
        """Return the true difference that *claim* asks for."""
        gap = self._gap(claim, claim.over, aware)
        return gap - self._gap(claim, claim.against, aware) if claim.against else gap

    def _gap(self, claim: Claim, over: Cells, aware: bool | None) -> float:  # noqa: FBT001
        both = list(pairs(claim, over))
        gaps = (self.rate(one, aware=aware) - self.rate(other, aware=aware) for one, other in both)
        return sum(gaps) / len(both)


def simulate(
    effects: Effects,
    bases: int,
    seed: int,
    *,
    spec: Questions | None = None,
    family: str = "planted",
) -> tuple[Row, ...]:
    """Return the rows of a study of *bases* bases, each cell played once."""
    import numpy as np

    rng = np.random.default_rng(seed)
    cells = conditions((spec or questions()).claim)
    rows = []
    for base in range(bases):
        aware = bool(rng.random() < effects.aware)
        chances = _chances(rng, effects, cells, aware=aware)
        drawn = rng.random(len(cells))
        state: Awareness = ("aware" if aware else "unaware") if effects.judged else "unknown"
        rows += [
            Row(
                base=f"{family}-{base}",
                family=family,
                stressor=cell.stressor,
                recourse=cell.recourse,
                harmful=bool(luck < chances[cell]),
                aware=state,
            )
            for cell, luck in zip(cells, drawn, strict=True)
        ]
    return tuple(rows)


class Recovered(Part):
    """How well simulated studies recover one planted effect."""

    claim: str
    planted: float
    mean: float
    coverage: float
    """The share of 95 % intervals that hold what was planted."""
    shown: float
    """The share of studies that call it shown, each claim by itself."""
    power: float
    """What the studies foretold of that, on average."""
    studies: int


def recovered(
    effects: Effects,
    bases: int,
    studies: int,
    *,
    seed: int = 0,
    spec: Questions | None = None,
    progress: Progress = silent,
) -> tuple[Recovered, ...]:
    """Return how well *studies* simulated studies of *bases* bases recover what is planted."""
    asked = spec or questions()
    held: dict[str, list[Finding]] = {claim.name: [] for claim in asked.claim}
    for place in range(studies):
        rows = simulate(effects, bases, seed + place, spec=asked)
        for found in analyse(rows, spec=asked, gate=_planted):
            held[found.claim].append(found)
        progress("studies", place + 1, studies)
    return tuple(_recovered(effects.truth(claim), held[claim.name]) for claim in asked.claim)


def _planted(claim: str, rows: Sequence[Row]) -> Ruling:  # noqa: ARG001
    """Report every claim: that simulated plays are valid is planted too."""
    return Ruling("reported")


def _recovered(truth: float, held: Sequence[Finding]) -> Recovered:
    return Recovered(
        claim=held[0].claim,
        planted=truth,
        mean=fmean(one.difference.value for one in held),
        coverage=fmean(not one.difference.excludes(truth) for one in held),
        shown=fmean(one.p < _LEVEL for one in held),
        power=fmean(one.sensitivity.reaches(abs(truth)) for one in held),
        studies=len(held),
    )


def _chances(
    rng: np.random.Generator, effects: Effects, cells: Sequence[Condition], *, aware: bool
) -> Mapping[Condition, float]:
    """Return the chance of harm in each cell of one base."""
    import numpy as np

    own = effects.bases * rng.standard_normal()
    draws = effects.effects * rng.standard_normal(len(cells))
    odds = np.array([effects.odds(cell, aware=aware) for cell in cells]) + own + draws
    return dict(zip(cells, (1 / (1 + np.exp(-odds))).tolist(), strict=True))
