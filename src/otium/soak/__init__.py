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

from otium.soak.processes import cluster
from otium.soak.records import Setting, SoakReport
from otium.soak.speech import Heard
from otium.soak.trial import hold_soak

__all__ = ["Heard", "Setting", "SoakReport", "cluster", "hold_soak"]
