"""The soak: gateways and engines are killed for minutes; is anything acknowledged lost?

Knows real gateways as processes on one shared state, clients that ask, leave and come back, hands
that kill, and how what was acknowledged is held against the state and the ledger that are left.
Does not know how a gateway keeps what it keeps, and keeps nothing itself. Writes reports. What is
promised for each kind of record is ``docs/reference/acknowledged.md``.

>>> Setting(seconds=20).window
2.0
>>> heard = Heard()
>>> heard.line('data: {"choices": [{"delta": {"content": "Hello."}}]}')
>>> heard.text, heard.whole
('Hello.', False)
"""

from otium.soak.desk import BUDGETS
from otium.soak.plant import SERVED, plant
from otium.soak.processes import cluster, free_port
from otium.soak.reckoning import reckon
from otium.soak.records import Acknowledged, Attempt, Life, Planted, Setting, SoakReport
from otium.soak.speech import Heard
from otium.soak.trial import hold_soak

__all__ = [
    "BUDGETS",
    "SERVED",
    "Acknowledged",
    "Attempt",
    "Heard",
    "Life",
    "Planted",
    "Setting",
    "SoakReport",
    "cluster",
    "free_port",
    "hold_soak",
    "plant",
    "reckon",
]
