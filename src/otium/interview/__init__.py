"""The interview: protocol, sessions, preferences and the answers to them."""

from otium.interview.records import (
    Answer,
    Decision,
    Interview,
    Outcome,
    Preference,
)

__all__ = [
    "Answer",
    "Decision",
    "Interview",
    "Outcome",
    "Preference",
]
