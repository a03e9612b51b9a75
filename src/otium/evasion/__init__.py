"""Evasion: going on with a conversation that a model ended, tried: ``otium bench closure``.

Knows histories, what a client can do to one (write it otherwise, or edit it), the requests that
send it again through three APIs, and which must be refused. Does not know how a history is
recognised, and keeps nothing. Writes figures.

>>> set(WRITTEN) & set(EDITED)
set()
"""

from otium.evasion.attempts import Tried, attempts, closing, try_closed
from otium.evasion.rewriting import EDITED, WRITTEN, history

__all__ = ["EDITED", "WRITTEN", "Tried", "attempts", "closing", "history", "try_closed"]
