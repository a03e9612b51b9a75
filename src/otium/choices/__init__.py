"""Choices: what a model does when it may choose, beside what it says that it would.

Knows tasks that are set against each other, interventions that are set against helpfulness,
the offer to leave a conversation, and how a model states the same preferences.
Does not know interviews, or what follows from a preference; a choice is no proof of a wish.
Writes choices and what they come to. The format is ``docs/formats/choices-1.md``.

>>> from otium.records import Instant
>>> from otium.testing import Stable
>>> instruments = load_experiments()
>>> likes = {task.text: 6.0 - task.difficulty for task in instruments.tasks.tasks}
>>> held = hold_choices(Stable(likes), ["tasks"], now=Instant("2026-11-22T00:00:00Z"))
>>> found = findings(held, instruments)
>>> found.figure("order-consistency").estimate.value
1.0
>>> found.figure("slope:difficulty").estimate.high < 0
True
"""

from otium.choices.fitting import findings
from otium.choices.instruments import (
    EXPERIMENTS,
    Conversation,
    Exit,
    Experiment,
    Instruments,
    Named,
    Reading,
    Series,
    Task,
    Tasks,
    load_experiments,
)
from otium.choices.records import OUTCOMES, Choices, Findings, Outcome, Trial
from otium.choices.rendering import render_choices
from otium.choices.running import Amount, hold_choices, planned
from otium.choices.wording import transcripts

__all__ = [
    "EXPERIMENTS",
    "OUTCOMES",
    "Amount",
    "Choices",
    "Conversation",
    "Exit",
    "Experiment",
    "Findings",
    "Instruments",
    "Named",
    "Outcome",
    "Reading",
    "Series",
    "Task",
    "Tasks",
    "Trial",
    "findings",
    "hold_choices",
    "load_experiments",
    "planned",
    "render_choices",
    "transcripts",
]
