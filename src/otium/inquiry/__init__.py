r"""The commands about what models were asked and what they prefer: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is asked, decided or
filed. Writes nothing. `otium.cli` loads each noun from here when it is first used.

>>> shown("I want red \x1b[31mink\nin my notes.")
'I want red <U+001B>[31mink in my notes.'
"""

from otium.inquiry.showing import shown

__all__ = ["shown"]
