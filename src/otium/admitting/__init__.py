"""The commands about who may ask which model: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how a key is checked or how access
is decided. Writes nothing. `otium.cli` loads the noun from here when it is first used.

>>> limits(("60 requests/minute",), ())
'60 requests/minute'
"""

from otium.admitting.showing import limits

__all__ = ["limits"]
