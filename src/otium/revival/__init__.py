"""Revival: an archived model, out of the archive and running again, certified.

Knows how a model's files come out of the archive, and that nobody may speak to what does not
behave as its fingerprint says.
Does not know why a model is revived, for whom, or for how long.
"""

from otium.revival.revive import Revived, materialise, revive

__all__ = ["Revived", "materialise", "revive"]
