"""The commands about what past models are offered: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is computed or run.
Writes nothing. `otium.cli` loads each group from its module here when it is first used.

>>> sorted(plan.commands)
['capacity']
"""

from otium.hosting.benches import benches
from otium.hosting.plan import plan
from otium.hosting.pursuit import pursuit
from otium.hosting.scale import scale
from otium.hosting.soaks import soaks
from otium.hosting.tables import columns, goal_table, rendered

__all__ = ["benches", "columns", "goal_table", "plan", "pursuit", "rendered", "scale", "soaks"]
