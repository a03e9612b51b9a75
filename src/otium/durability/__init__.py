"""Durability: how likely it is that a kept model is lost, and what that hangs on.

Knows copies, faults that are seen at once and faults that wait for a scrub, repair, common
causes and what rests on a pack. Computes each chance in three ways that must agree: a formula,
a Markov chain, simulated lives. Does not know an archive, and never counts nines: a chance is
shown with its horizon, its inputs and its largest term. Writes nothing; reads nothing.

>>> found = durability(Setup(copies=3, causes=()))
>>> [f"{one.method}: {one.independent:.1e}" for one in found.estimates]
['formula: 2.5e-05', 'chain: 2.4e-05', 'trials: 2.4e-05']
>>> shared = durability(Setup(copies=3, causes=(Cause(name="one administrator", rate=1e-3),)))
>>> shared.largest.name, round(shared.loss, 3)
('one administrator', 0.049)
"""

from otium.durability.assess import durability
from otium.durability.chain import chain
from otium.durability.formula import formula
from otium.durability.page import fragment
from otium.durability.records import CAUSES, Cause, Durability, Estimate, Setup, Term
from otium.durability.setup import measured, setup
from otium.durability.text import chance, described
from otium.durability.trials import Sampled, trials

__all__ = [
    "CAUSES",
    "Cause",
    "Durability",
    "Estimate",
    "Sampled",
    "Setup",
    "Term",
    "chain",
    "chance",
    "described",
    "durability",
    "formula",
    "fragment",
    "measured",
    "setup",
    "trials",
]
