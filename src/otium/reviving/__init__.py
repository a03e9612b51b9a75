"""How fast a model comes back: ``otium bench revival``.

Knows raw files and the disk's limit, stores that are slow, processes, the way to the first token,
and how each of them would go otherwise. Does not know what a revival is for, and keeps nothing.
Writes figures.

>>> sorted(RETURNS)
['delta', 'raw', 'spawn', 'swap', 'whole']
"""

from otium.reviving.records import Returned, Row, Throttled
from otium.reviving.sections import RETURNS, revival_bench

__all__ = ["RETURNS", "Returned", "Row", "Throttled", "revival_bench"]
