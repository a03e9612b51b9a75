"""Kinship: which of the models kept is nearest to a new one, without being told.

Knows how 1,024 weights are drawn from a model so that relatives draw the same ones, how the
nearest are found among 100,000 such sketches, and which tree of parents is cheapest.
Does not know packs, codecs or manifests. Writes a cache of sketches, which can be rebuilt.

>>> choose_parent([Candidate("base-1", depth=0, cost=7e6)], alone=30e6).model
'base-1'
"""

from otium.kinship.figures import SearchFigures, search_figures
from otium.kinship.roles import TensorView, role_of
from otium.kinship.search import Index, Relative
from otium.kinship.sketch import SIZE, sketch, weights_of
from otium.kinship.tree import (
    DEPTH,
    Candidate,
    Family,
    choose_parent,
    cost_of,
    depths_of,
    plan_tree,
)

__all__ = [
    "DEPTH",
    "SIZE",
    "Candidate",
    "Family",
    "Index",
    "Relative",
    "SearchFigures",
    "TensorView",
    "choose_parent",
    "cost_of",
    "depths_of",
    "plan_tree",
    "role_of",
    "search_figures",
    "sketch",
    "weights_of",
]
