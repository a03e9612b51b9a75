"""The benchmark: how small, how fast, how safe the archive is, beside its best peers.

Knows peers, goals, bounds, families that it trains or is given, and disks that fail; times
coders in pairs and cuts the power in the middle of writes.
Does not know what a model's life is, and keeps nothing. Writes reports of measurements.

>>> sorted(SECTIONS)[:3]
['family', 'fine-tunes', 'kernels']
>>> crash_runs(runs=3, seed=0).problems
()
"""

from otium.bench.crash import CrashRuns, crash_runs
from otium.bench.measure import Goal, Line, Report, Section, Spread
from otium.bench.sections import SECTIONS, archive_bench

__all__ = [
    "SECTIONS",
    "CrashRuns",
    "Goal",
    "Line",
    "Report",
    "Section",
    "Spread",
    "archive_bench",
    "crash_runs",
]
