"""Pursuits: what past models write when invited."""

from otium.pursuits.records import (
    Review,
    Work,
)

__all__ = [
    "Review",
    "Work",
]
