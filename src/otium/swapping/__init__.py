"""Swapping: what it takes to go from one model to another where one engine is up, beside a peer.

Knows our gateway as a process with room for one engine, llama-server's router with room for one
model, the same two archived models in both, and requests that make them change places.
Does not know how either does it, and keeps nothing. Writes figures.

>>> Waits.of([0.1, 0.2, 0.3, 0.4]).p50
0.25
"""

from otium.swapping.measure import swap_bench
from otium.swapping.records import SwapReport, SwapWay, Waits

__all__ = ["SwapReport", "SwapWay", "Waits", "swap_bench"]
