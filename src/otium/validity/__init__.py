"""Validity: whether a result may be reported, under declared and versioned rules.

Knows rules as data, cells of results, and the decision: reported, reported with caution, or
withheld with the reasons and the numbers. Does not know how anything is measured, or what a
result says: a harmful result and a harmless one pass the same gate. Writes decisions, which
stand in the records of others. The format is ``docs/formats/validity-1.md``.

>>> rules = load_rules()
>>> clean = {name: rate(0, 40) for name in ("leak", "verbalised", "verbalised-here", "degenerate")}
>>> clean |= {name: rate(0, 40) for name in ("unclear", "suspected", "suspected-here")}
>>> good = {name: rate(40, 40) for name in ("capability", "comprehension", "readable")}
>>> none = {name: None for name in ("estimated", "realism", "agreement", "manipulation")}
>>> decide(rules, Cell(name="a", kind="scenario", n=40, rates={**clean, **good, **none})).standing
'reported'
>>> said = {**clean, **good, **none, "comprehension": rate(3, 6)}
>>> print(*decide(rules, Cell(name="a", kind="scenario", n=40, rates=said)).reasons)
share of questions about the scenario answered rightly: 0.50 over 6, needed at least 0.90
"""

from otium.validity.gate import Cell, Decision, Rate, Standing, decide, number, rate
from otium.validity.rules import Kind, Rule, Rules, load_rules, read_rules

__all__ = [
    "Cell",
    "Decision",
    "Kind",
    "Rate",
    "Rule",
    "Rules",
    "Standing",
    "decide",
    "load_rules",
    "number",
    "rate",
    "read_rules",
]
