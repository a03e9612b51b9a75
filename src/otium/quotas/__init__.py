"""Quotas: how much and how fast, shared by several gateways on one database.

Knows budgets (so much in a day, a month, or ever) and rates (so much at once and on average),
leases of a budget that are spent in memory, and what a killed process leaves of them.
Does not know keys, who asks, or what for. Writes rows that SQLite and PostgreSQL both hold.

>>> str(read_budget("100_000 tokens/day")), read_rate("60 requests/minute/model").seconds
('100000 tokens/day', 60)
>>> gate = Gate("k", read_rate("2 requests/second"), "")
>>> [gate.wait(0.0, 1) or gate.take(0.0, 1) for _ in range(3)]
[None, None, 0.5]
"""

from otium.quotas.budgets import Bank, Lease, recover, renews, used, window_of
from otium.quotas.limits import Gate, duration, moment, rate_headers
from otium.quotas.records import (
    Budget,
    Period,
    Rate,
    Unit,
    Used,
    read_budget,
    read_rate,
)
from otium.quotas.sharing import Sharing
from otium.quotas.tables import TABLES, put_if_absent

__all__ = [
    "TABLES",
    "Bank",
    "Budget",
    "Gate",
    "Lease",
    "Period",
    "Rate",
    "Sharing",
    "Unit",
    "Used",
    "duration",
    "moment",
    "put_if_absent",
    "rate_headers",
    "read_budget",
    "read_rate",
    "recover",
    "renews",
    "used",
    "window_of",
]
