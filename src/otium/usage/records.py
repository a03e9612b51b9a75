"""What was counted, and what went wrong."""

from __future__ import annotations

from typing import Literal, get_args

from otium.lifecycle import Surface
from otium.records import Instant, ModelId, Part, Record

Measure = Literal["requests", "users", "tokens", "thumbs_up", "thumbs_down", "complaints"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Hidden = Literal["small", "covered"]
Count = int | Hidden
"""A number; ``small``, below the threshold; or ``covered``, of any size, hidden since it would
give another away."""
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
LEAST = 2
"""The lowest threshold that hides anybody."""
THRESHOLD = 10
"""Counts below this are not shown. A choice, not a standard: the cell size suppression policy of
the United States' Centers for Medicare & Medicaid Services hides 1 to 10. More can be hidden."""


class Counted(Part):
    """A row as it was counted. It is never kept."""

    period: str
    """A year, a month or a day: ``2026``, ``2026-01``, ``2026-01-31``."""
    surface: Surface
    region: str = ""
    """Empty for all regions together."""
    counts: dict[Measure, int] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        """What the row is about."""
        return self.period, self.surface, self.region


class Row(Part):
    """A row as it is kept and shown. A measure that was not given is absent."""

    period: str
    surface: Surface
    region: str = ""
    counts: dict[Measure, Count] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        """What the row is about."""
        return self.period, self.surface, self.region


class Usage(Record, tag="otium.usage/1"):
    """Use and reception, with small counts hidden for good."""

    model: ModelId
    filed: Instant
    threshold: int
    rows: tuple[Row, ...]


class Incident(Part):
    """Something that went wrong, and what was done."""

    date: str
    """``2026-01-31``."""
    surface: Surface
    summary: str
    severity: Severity
    done: str


class Incidents(Record, tag="otium.incidents/1"):
    """The incidents of a deployment, as the organisation tells them."""

    model: ModelId
    filed: Instant
    incidents: tuple[Incident, ...]
    """By date; none is a statement, too."""
