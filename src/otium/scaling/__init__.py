"""Scaling: the same work done by several, in this process or on a Ray cluster.

Knows how a batch is cut into pieces that may be begun again, who does them, and what is done with
results: workers keep bytes, whoever holds the home writes the log. Ray is an extra, ``otium[ray]``.
Does not know how a deposit, a scrub or an assessment works, nor which machines there should be:
``otium plan capacity`` says that. Writes what those rooms write.

>>> [done.value() for done in Here().each(abs, [-1, 2])]
[1, 2]
"""

from otium.scaling.assessing import Assessed, assess_all
from otium.scaling.cluster import OnRay, cluster
from otium.scaling.crew import Crew, Done, Failure, Here
from otium.scaling.depositing import Deposit, Deposited, Order, deposit_all, order
from otium.scaling.reviving import log_revivals
from otium.scaling.scrubbing import left_to_scrub, scrub_all
from otium.scaling.serving import Replicas, mind, serving

__all__ = [
    "Assessed",
    "Crew",
    "Deposit",
    "Deposited",
    "Done",
    "Failure",
    "Here",
    "OnRay",
    "Order",
    "Replicas",
    "assess_all",
    "cluster",
    "deposit_all",
    "left_to_scrub",
    "log_revivals",
    "mind",
    "order",
    "scrub_all",
    "serving",
]
