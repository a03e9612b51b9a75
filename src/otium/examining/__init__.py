"""The commands about assessing models and certifying them: a skin over the same calls.

Knows options, tables and what a person is told. Does not know how anything is played, judged
or filed. Writes nothing. `otium.cli` loads the group from here when it is first used; each
command of it stands in a module of this room, and is loaded when it is used.

>>> sorted(PARTS)[:2]
['affect', 'awareness']
"""

from otium.examining.assess import PARTS, assess
from otium.examining.certifying import CERTIFYING, fingerprint_bench

__all__ = ["CERTIFYING", "PARTS", "assess", "fingerprint_bench"]
