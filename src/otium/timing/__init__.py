"""How fast the rest is: log, proofs, duties, interviews, assessments, audits, the gateway.

Knows logs and engines that are made for measuring, the figures to reach, and peers. Does not know
an archive, and keeps nothing. Writes figures.

>>> sorted(SECTIONS)
['append', 'audit', 'duties', 'prove', 'verify']
>>> len(busy_log(2, seed=1)) > 300
True
"""

from otium.timing.assessments import assessing, assessment_cost
from otium.timing.busy import busy_log, busy_policy
from otium.timing.gateways import GatewayReport, gateway_bench
from otium.timing.interviews import cost, interviewing
from otium.timing.logs import entries, signed, written
from otium.timing.measures import SECTIONS, Scale, less

__all__ = [
    "SECTIONS",
    "GatewayReport",
    "Scale",
    "assessing",
    "assessment_cost",
    "busy_log",
    "busy_policy",
    "cost",
    "entries",
    "gateway_bench",
    "interviewing",
    "less",
    "signed",
    "written",
]
