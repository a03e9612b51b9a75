"""Revival: an archived model, out of the archive and running again, certified.

Knows how a model's files come out of the archive, decoded and verified in one pass, where they
lie meanwhile, and that nobody may speak to what does not behave as its fingerprint says.
Does not know why a model is revived, for whom, or for how long. Writes files in a cache.

>>> stages = Stages()
>>> stages("restore", 30, 120)
>>> stages.now().text().partition(" eta")[0]
'stage=restore 25%'
"""

from otium.revival.materialise import Cache, materialise, materialised
from otium.revival.progress import Stage, Stages
from otium.revival.reading import copy_verified, read_direct, verify_file
from otium.revival.revive import Revived, revive

__all__ = [
    "Cache",
    "Revived",
    "Stage",
    "Stages",
    "copy_verified",
    "materialise",
    "materialised",
    "read_direct",
    "revive",
    "verify_file",
]
