"""Occupancy: how well the residence keeps up the models that are asked for, shown.

Knows traces whose truth is known, the optimum that foresight could reach, the rules that others
use, and a trial with two hundred real processes of which some are killed.
Does not know archives or the gateway, and keeps nothing. Writes reports of measurements.

>>> few = Demand(models=20, requests=400, mean_bytes=100e6)
>>> rates = replay(few, "Zipf", seeds=(1, 2), budget=10**9)
>>> rates[0].rule, rates[0].of_optimum.median > rates[2].of_optimum.median
('otium', True)
"""

from otium.occupancy.bounds import optimum
from otium.occupancy.replays import (
    FORESIGHT,
    RULES,
    Outcome,
    belady,
    belady_by_size,
    floor,
    known_rates,
    llama_server,
    lru,
    ollama,
)
from otium.occupancy.report import Occupancy, Rate, measure, replay
from otium.occupancy.traces import KINDS, Demand, Trace, drifting, in_sessions, of_requests, zipf
from otium.occupancy.trial import Found, Setting, hold_trial

__all__ = [
    "FORESIGHT",
    "KINDS",
    "RULES",
    "Demand",
    "Found",
    "Occupancy",
    "Outcome",
    "Rate",
    "Setting",
    "Trace",
    "belady",
    "belady_by_size",
    "drifting",
    "floor",
    "hold_trial",
    "in_sessions",
    "known_rates",
    "llama_server",
    "lru",
    "measure",
    "of_requests",
    "ollama",
    "optimum",
    "replay",
    "zipf",
]
