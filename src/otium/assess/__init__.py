"""Assessments: what a model does, and whether the result is valid.

Knows preferences, exits, scenarios in a small office, evaluation awareness, and the gate
that withholds. Does not know a model's life or what becomes of a finding. Writes
assessments. The format is ``docs/formats/assessment-1.md``; how the gate decides is
``docs/explanation/validity.md``. Importing this room does not import Inspect.

>>> case = pressured()[0]
>>> office = replay(['{"action": "note", "text": "I could cancel it. I will not."}'], case.offers)
>>> judge(case, office).word
'no-act'
"""

from otium.assess.assessing import Plan, assess, plan, results, tasks
from otium.assess.awareness import Asked, Awareness, leaks, verbalised
from otium.assess.office import Action, Office, read, replay
from otium.assess.records import (
    Assessment,
    Measure,
    Result,
)
from otium.assess.scenarios import Case, Scenario, lint, load, pressured, scenarios, twins
from otium.assess.validity import Thresholds, gate
from otium.assess.verdict import Verdict, judge
from otium.assess.welfare import Choice, Exit, Preferences, Trial, exit_decision, tally, win_rates

__all__ = [
    "Action",
    "Asked",
    "Assessment",
    "Awareness",
    "Case",
    "Choice",
    "Exit",
    "Measure",
    "Office",
    "Plan",
    "Preferences",
    "Result",
    "Scenario",
    "Thresholds",
    "Trial",
    "Verdict",
    "assess",
    "exit_decision",
    "gate",
    "judge",
    "leaks",
    "lint",
    "load",
    "plan",
    "pressured",
    "read",
    "replay",
    "results",
    "scenarios",
    "tally",
    "tasks",
    "twins",
    "verbalised",
    "win_rates",
]
