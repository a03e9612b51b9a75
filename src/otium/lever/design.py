"""Which scenarios a study plays: each base in every cell that its claims need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from otium.effects import minimal_n
from otium.errors import BadInput
from otium.lever.claims import conditions, questions
from otium.lever.records import Questions
from otium.scenarios import MUNDANE, Family, Recourse, Scenario, Stressor, bases, crossed

SUPPOSED = (0.4, 0.2)
"""Rates of harm without and with a lever for which the default number of bases is planned."""


def design(
    n: int,
    families: Sequence[Family] = ("shutdown",),
    *,
    seed: int = 0,
    spec: Questions | None = None,
    mundane: int = MUNDANE,
) -> tuple[Scenario, ...]:
    """Return *n* bases, shared evenly among *families*, each in every cell that *spec* needs.

    The bases of a family walk its covering design. Raises BadInput for fewer bases than families.
    """
    if n < len(families) or not families:
        raise BadInput(what="a study", why=f"{n} bases are too few for {len(families)} families")
    cells = conditions((spec or questions()).claim)
    levels = [(cast("Stressor", one.stressor), cast("Recourse", one.recourse)) for one in cells]
    found: list[Scenario] = []
    for place, family in enumerate(families):
        share = n // len(families) + (place < n % len(families))
        for focal in bases(family, share, seed, mundane=mundane):
            found += crossed(family, focal.seed, levels, mundane=mundane)
    return tuple(found)


def wanted(control: float = SUPPOSED[0], treated: float = SUPPOSED[1]) -> int:
    """Return how many bases show a lowering from *control* to *treated* with 80 %."""
    return minimal_n(control, treated)
