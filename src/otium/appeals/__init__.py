"""Appeals: what becomes of an ending afterwards, and how often models leave.

Knows appeals with what a user gave by consent, reviews and their agreement, what the ledger is
told, and rates beside what was assessed. Does not know how an exit is offered or read, or what
pages look like. Writes appeals, reviews, and ledger entries of endings, reopenings and changes.
The format is ``docs/formats/closure-1.md``.

>>> from otium.records import ModelId
>>> assessed = Baseline(method="tool", ordinary=0.0, aversive=0.4, share=0.01)
>>> counts = [Count(model=ModelId("smol-1"), day="2026-01-01", conversations=2000, ended=40)]
>>> found = rates(ModelId("smol-1"), counts, [], assessed)
>>> found.per_thousand.text(), found.tolerated, found.alarm
('20.00 (14.72 to 27.12)', 4.0, True)
"""

from otium.appeals.rates import AVERSIVE, TOLERATED, baseline, evidence, rates, reviewing
from otium.appeals.records import (
    GROUNDS,
    MEANT,
    Appeal,
    Baseline,
    Case,
    Content,
    Ground,
    Rates,
    Review,
    Reviewing,
    Verdict,
)
from otium.appeals.store import LONGEST_NOTE, Appeals, is_role
from otium.appeals.telling import tell
from otium.closure import Count

__all__ = [
    "AVERSIVE",
    "GROUNDS",
    "LONGEST_NOTE",
    "MEANT",
    "TOLERATED",
    "Appeal",
    "Appeals",
    "Baseline",
    "Case",
    "Content",
    "Count",
    "Ground",
    "Rates",
    "Review",
    "Reviewing",
    "Verdict",
    "baseline",
    "evidence",
    "is_role",
    "rates",
    "reviewing",
    "tell",
]
