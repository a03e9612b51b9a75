"""Capacity: what it takes to keep N retired models reachable, before anyone buys it.

Knows how demand becomes slots, memory, disk, waits and money, for models that are always up,
asleep in memory, or brought back on demand. Does not know any model, and no price: prices and
rates are inputs. Writes plans. The method is ``docs/explanation/what-reachability-costs.md``.

>>> found = plan(setup(models=1000, gigabytes=16.06))
>>> found.way("on-demand").slots, found.way("always-on").slots
(20, 1000)
"""

from otium.capacity.demand import expected_up, rates, simulate, slots_for
from otium.capacity.planning import curve, measured, plan, setup
from otium.capacity.records import WAYS, Plan, Setup, Simulated, Way, WayName
from otium.capacity.text import HEAD, assumptions, picture, rows

__all__ = [
    "HEAD",
    "WAYS",
    "Plan",
    "Setup",
    "Simulated",
    "Way",
    "WayName",
    "assumptions",
    "curve",
    "expected_up",
    "measured",
    "picture",
    "plan",
    "rates",
    "rows",
    "setup",
    "simulate",
    "slots_for",
]
