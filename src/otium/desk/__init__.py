"""The commands about what was promised and what was proved: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is decided or done.
Writes nothing. `otium.cli` loads each noun from here when it is first used.

>>> from otium.desk.promises import commitments
>>> sorted(commitments.commands)
['adopt', 'changes', 'show', 'waive']
"""

__all__ = ()
