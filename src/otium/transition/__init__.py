r"""Transition: guidance for the users of a retiring model.

Knows how two models answer the same everyday prompts, how writing is measured, and which
advice follows from the measurements. Does not know any particular model, nor which is better.
Writes transition guides. The format is `docs/formats/transition-1.md`.

>>> overlap("the sun warms the sea", "the sun warms the land")
0.5
>>> character(["I think so.", "- one\n- two"]).lists
0.5
"""

from otium.transition.advice import advise
from otium.transition.compare import compare_models, load_prompts
from otium.transition.guide import make_guide, write_guide
from otium.transition.measure import character, overlap
from otium.transition.records import Character, Comparison, Prompt, Prompts, TransitionGuide

__all__ = [
    "Character",
    "Comparison",
    "Prompt",
    "Prompts",
    "TransitionGuide",
    "advise",
    "character",
    "compare_models",
    "load_prompts",
    "make_guide",
    "overlap",
    "write_guide",
]
