from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest

from otium.effects import differences, mean_test, sensitivity
from otium.errors import BadInput
from twins import Planted


@pytest.mark.parametrize(("bases", "plays"), [(40, 1), (40, 3), (120, 1)])
def test_what_is_foretold_is_what_studies_show(bases: int, plays: int) -> None:
    study, rng = Planted(0.0, -1.0, 1.0, 0.5), np.random.default_rng(1)
    size = abs(study.truth())
    made = [differences(*study.play(rng, bases, plays)) for _ in range(800)]
    foretold = fmean(sensitivity(units, size).power for units in made)
    assert foretold == pytest.approx(fmean(mean_test(units) < 0.05 for units in made), abs=0.05)


def test_so_many_bases_as_needed_reach_the_margin() -> None:
    rng, study = np.random.default_rng(2), Planted(0.0, 0.0, 1.0, 0.0)
    few = [sensitivity(differences(*study.play(rng, 50, 1)), 0.15) for _ in range(40)]
    assert fmean(one.power for one in few) < 0.5
    n = round(fmean(one.needed for one in few))
    enough = [sensitivity(differences(*study.play(rng, n, 1)), 0.15) for _ in range(40)]
    assert fmean(one.power for one in enough) == pytest.approx(0.8, abs=0.03)
    assert fmean(one.detectable for one in enough) == pytest.approx(0.15, abs=0.01)
    assert enough[0].reaches(enough[0].detectable) == pytest.approx(0.8, abs=0.01)


def test_it_rests_on_the_scatter_alone() -> None:
    scatter = [0.0, 1.0, -1.0, 0.0, 1.0, -1.0, 0.0, 0.0]
    one, other = sensitivity(scatter, 0.1), sensitivity([-unit for unit in scatter], 0.1)
    assert one == other


def test_one_base_could_have_shown_nothing() -> None:
    found = sensitivity([1.0], 0.1)
    assert (found.power, found.needed, found.reaches(1.0)) == (0.0, 0, 0.0)
    with pytest.raises(BadInput):
        sensitivity([1.0], 0.0)
