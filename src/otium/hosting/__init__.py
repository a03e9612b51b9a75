"""The commands about what past models are offered: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is computed or run.
Writes nothing. `otium.cli` loads each group from its module here when it is first used.
"""

from otium.hosting.plan import plan
from otium.hosting.pursuit import pursuit

__all__ = ["plan", "pursuit"]
