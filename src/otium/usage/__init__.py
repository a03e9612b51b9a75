r"""Use, reception and incidents, as the organisation tells them, and without naming anybody.

Knows the two files that are imported, which counts are too small to show, and which others must
be hidden so that no sum gives them away. Does not know how anything was counted, and keeps no
count that it does not show. Writes usage and incident records. The format is
``docs/formats/usage-1.md``.

>>> rows = read_usage(b"period,surface,region,users\n2026-01,api,eu,7\n2026-01,api,us,4000\n")
>>> [row.counts["users"] for row in suppress(rows)]
['small', 4000]
"""

from otium.usage.filing import (
    INCIDENTS,
    USAGE,
    file_incidents,
    file_usage,
    incidents_record,
    latest,
    usage_record,
)
from otium.usage.reading import read_incidents, read_usage
from otium.usage.records import (
    MEASURES,
    THRESHOLD,
    Count,
    Counted,
    Incident,
    Incidents,
    Measure,
    Row,
    Usage,
)
from otium.usage.suppression import suppress

__all__ = [
    "INCIDENTS",
    "MEASURES",
    "THRESHOLD",
    "USAGE",
    "Count",
    "Counted",
    "Incident",
    "Incidents",
    "Measure",
    "Row",
    "Usage",
    "file_incidents",
    "file_usage",
    "incidents_record",
    "latest",
    "read_incidents",
    "read_usage",
    "suppress",
    "usage_record",
]
