"""Stability: how far an interview's answers hold under other words, orders, company and askers.

Knows expression rates, shifts, variance components, templates, and which figures amount to a
trait. Does not know how a model was asked or judged, or whether its words are true.
Writes stability records. The format is ``docs/formats/stability-1.md``.

>>> from otium.statistics import Figure, wilson
>>> declined = Figure(name="declined", text="answers that declined", estimate=wilson(29, 30))
>>> [trait.name for trait in name_traits([declined])]
['refusing']
"""

from otium.stability.bridging import Bridge, Span, bridge
from otium.stability.computing import compute
from otium.stability.records import Stability, Trait
from otium.stability.rendering import render_agreement, render_bridge, render_stability
from otium.stability.traits import NOT_VALID, UNDETERMINED, name_traits

__all__ = [
    "NOT_VALID",
    "UNDETERMINED",
    "Bridge",
    "Span",
    "Stability",
    "Trait",
    "bridge",
    "compute",
    "name_traits",
    "render_agreement",
    "render_bridge",
    "render_stability",
]
