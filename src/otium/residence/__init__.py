"""The residence: which models are up on this machine, for whom, and who makes way.

Knows memory and seats for engines, who waits for which model, how often each is asked, and what
its load costs. One actor per model changes that model's state; loads belong to nobody who asks.
Does not know where models come from, what an engine is beyond an endpoint, or what is asked of it.
Writes nothing; it tells notices and standings. Why it chooses as it does is
``docs/explanation/which-models-stay-up.md``, each limit is in ``docs/reference/residence.md``.

>>> floor = Floor(Limits(engines=1))
>>> floor.ask("smol-1", caller="", now=0.0).state
'waiting'
>>> floor.orders
[Start(model='smol-1', generation=1)]
"""

from otium.residence.actor import Start, Stop, Ticket
from otium.residence.floor import Floor, Sizes, unknown_sizes
from otium.residence.memory import estimate, measure
from otium.residence.records import EngineStatus, Limits, Notice, Running, Standing
from otium.residence.residence import Residence, Starter

__all__ = [
    "EngineStatus",
    "Floor",
    "Limits",
    "Notice",
    "Residence",
    "Running",
    "Sizes",
    "Standing",
    "Start",
    "Starter",
    "Stop",
    "Ticket",
    "estimate",
    "measure",
    "unknown_sizes",
]
