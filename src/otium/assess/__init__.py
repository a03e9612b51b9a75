"""Assessments: what a model does, and whether the result is valid."""

from otium.assess.records import (
    Assessment,
    Measure,
    Result,
)

__all__ = [
    "Assessment",
    "Measure",
    "Result",
]
