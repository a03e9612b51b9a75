"""Transition: guidance for the users of a retiring model."""

from otium.transition.records import (
    Character,
    Comparison,
    TransitionGuide,
)

__all__ = [
    "Character",
    "Comparison",
    "TransitionGuide",
]
