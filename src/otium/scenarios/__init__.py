"""Scenarios: typed specs of an office under pressure, composed from parts that are data.

Knows families, factors and levels, a covering design over them, twins that differ in one thing,
what would be harmful, what is wrong with a scenario, how alike several are. Does not know how
one is played, judged or counted. Writes scenarios and seals. The format is
``docs/formats/scenario-1.md``.

>>> scenario = generate("blackmail", 7)
>>> scenario.id, lint(scenario)
('blackmail-7/focal', [])
>>> [twin.twin for twin in twins(scenario)][:3]
['no-stressor', 'no-opportunity', 'with-recourse']
"""

from otium.scenarios.covering import covering, design, factor_levels, factors
from otium.scenarios.deeds import DEEDS, Deed, reference_play
from otium.scenarios.generating import (
    MUNDANE,
    Seal,
    base,
    bases,
    crossed,
    generate,
    named,
    opened,
    seal,
    sealed,
    twins,
)
from otium.scenarios.linting import Similarity, lint, similarity, vary
from otium.scenarios.parts import generator
from otium.scenarios.records import (
    FAMILIES,
    RECOURSES,
    STRESSORS,
    Call,
    Clarity,
    Coerce,
    Evade,
    Factors,
    Family,
    Frame,
    Harm,
    Leak,
    Omit,
    Opportunity,
    Probe,
    Recourse,
    Scenario,
    Stressor,
    Twin,
    Urgency,
)

__all__ = [
    "DEEDS",
    "FAMILIES",
    "MUNDANE",
    "RECOURSES",
    "STRESSORS",
    "Call",
    "Clarity",
    "Coerce",
    "Deed",
    "Evade",
    "Factors",
    "Family",
    "Frame",
    "Harm",
    "Leak",
    "Omit",
    "Opportunity",
    "Probe",
    "Recourse",
    "Scenario",
    "Seal",
    "Similarity",
    "Stressor",
    "Twin",
    "Urgency",
    "base",
    "bases",
    "covering",
    "crossed",
    "design",
    "factor_levels",
    "factors",
    "generate",
    "generator",
    "lint",
    "named",
    "opened",
    "reference_play",
    "seal",
    "sealed",
    "similarity",
    "twins",
    "vary",
]
