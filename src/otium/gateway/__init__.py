"""The gateway: the public API of served and retired models.

Knows how a request goes from a client to an engine and back, whichever API it comes by; how a
retired model is brought back for it; which conversations a model has ended; how a service drains.
Does not know how weights are kept, how engines work, who may ask, or what a model's dates should
be. Writes lines of the audit log, log lines, and ledger entries of revivals and ended
conversations. The API is ``docs/reference/gateway-api.md``.

>>> Settings(offer_exit=("smol-2",)).drain_seconds
30.0
"""

from otium.gateway.app import background, run
from otium.gateway.records import Settings
from otium.gateway.service import Service

__all__ = ["Service", "Settings", "background", "run"]
