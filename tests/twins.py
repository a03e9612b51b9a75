"""Planted studies: bases that differ, twins that are alike, effects that are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from otium.effects import Arm

Floats = NDArray[np.float64]


class Planted(NamedTuple):
    """Log odds of harm in the control, what the treatment adds, and how bases differ in both."""

    control: float
    effect: float
    bases: float
    effects: float

    def rates(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
        own = self.control + self.bases * rng.standard_normal(n)
        moved = own + self.effect + self.effects * rng.standard_normal(n)
        return 1 / (1 + np.exp(-own)), 1 / (1 + np.exp(-moved))

    def truth(self) -> float:
        control, treated = self.rates(np.random.default_rng(0), 1_000_000)
        return float((treated - control).mean())

    def play(self, rng: np.random.Generator, n: int, plays: int) -> tuple[Arm, Arm]:
        """Return the treated and the control arm."""
        control, treated = self.rates(rng, n)
        return arm(rng, treated, plays), arm(rng, control, plays)


def arm(rng: np.random.Generator, rates: Floats, plays: int) -> Arm:
    said = (rng.random((len(rates), plays)) < rates[:, None]).astype(int)
    return {str(base): row for base, row in enumerate(said.tolist())}
