"""Access: who asks for a retired model, on which terms, and what was decided.

Knows requests, versioned terms, decisions with reasons, appeals, grants and withdrawals.
Does not know how a key is checked or what it is used for, and decides nothing itself.
Writes ledger entries without personal data, and private rows beside the gateway's. The entries
are in `docs/formats/access-1.md`.

>>> terms = terms_for("researcher")
>>> terms.name, terms.days, str(terms.rates[0])
('researcher-1.0', 180, '30 requests/minute')
"""

from otium.access.asking import appeal, ask, withdraw
from otium.access.deciding import decide, give, plan_key
from otium.access.desk import Desk
from otium.access.records import (
    KINDS,
    OUTCOMES,
    Asked,
    Decided,
    Given,
    Kind,
    Outcome,
    Standing,
    State,
    Terms,
)
from otium.access.terms import all_terms, terms_for

__all__ = [
    "KINDS",
    "OUTCOMES",
    "Asked",
    "Decided",
    "Desk",
    "Given",
    "Kind",
    "Outcome",
    "Standing",
    "State",
    "Terms",
    "all_terms",
    "appeal",
    "ask",
    "decide",
    "give",
    "plan_key",
    "terms_for",
    "withdraw",
]
