"""The commands about what was promised and what was proved: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is decided or done.
Writes nothing. `otium.cli` loads each noun from here when it is first used.

>>> [command.name for command in MODEL_COMMANDS][:3]
['floor', 'legacy', 'reschedule']
>>> read_dates(["api=2027-01-05"])
{'api': '2027-01-05T00:00:00Z'}
"""

from otium.desk.dates import MODEL_COMMANDS, read_dates

__all__ = ["MODEL_COMMANDS", "read_dates"]
