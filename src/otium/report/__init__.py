"""Reports: a deployment in retrospect."""

from otium.report.records import (
    BookendRow,
    Comment,
    Finding,
    Report,
)

__all__ = [
    "BookendRow",
    "Comment",
    "Finding",
    "Report",
]
