"""The commands about keeping models reachable: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is computed or run.
Writes nothing. `otium.cli` loads each group from its module here when it is first used.
"""

from otium.hosting.plan import plan

__all__ = ["plan"]
