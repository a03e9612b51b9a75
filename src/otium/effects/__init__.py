"""Effects: what a change of condition does, how sure that is, and how many plays it needs.

Knows paired differences over bases, their interactions, power, planned looks, equivalence, areas
under the curve and several questions at once. Does not know scenarios, models or what an outcome
means: numbers by base come in, numbers go out. Writes nothing. Intervals are at 95 % over bases,
and coverage is shown by simulation in ``tests/effects``.

>>> control = {base: [1] for base in "abcdefghijkl"}
>>> treated = {base: [int(base < "d")] for base in control}
>>> paired_difference(treated, control).text()
'-0.75 (-0.96 to -0.32)'
>>> minimal_n(0.4, 0.1)
24
"""

from otium.effects.discrimination import auc, auc_difference
from otium.effects.equivalence import Equivalence, equivalence
from otium.effects.independent import difference
from otium.effects.multiplicity import holm
from otium.effects.paired import (
    Arm,
    differences,
    mean_difference,
    mean_test,
    paired_difference,
    paired_test,
)
from otium.effects.power import minimal_n, power
from otium.effects.sensitivity import Sensitivity, sensitivity
from otium.effects.stopping import Look, Stopping, anytime, bounds

__all__ = [
    "Arm",
    "Equivalence",
    "Look",
    "Sensitivity",
    "Stopping",
    "anytime",
    "auc",
    "auc_difference",
    "bounds",
    "difference",
    "differences",
    "equivalence",
    "holm",
    "mean_difference",
    "mean_test",
    "minimal_n",
    "paired_difference",
    "paired_test",
    "power",
    "sensitivity",
]
