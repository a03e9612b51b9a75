"""Choices: what a model does when it may choose, beside what it says that it would.

Knows tasks that are set against each other, interventions that are set against helpfulness, and
how a model states the same preferences.
Does not know interviews, leaving a conversation, or what follows from a preference; a choice is no
proof of a wish.
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

from otium.choices.exchange import Answer, declines, read_choice, read_rating, transcripts
from otium.choices.fitting import findings, slope
from otium.choices.loading import instruments_of, lint_tasks, load_experiments
from otium.choices.records import (
    EXPERIMENTS,
    OUTCOMES,
    Choices,
    Experiment,
    Findings,
    Instruments,
    Named,
    Outcome,
    Reading,
    Series,
    Task,
    Tasks,
    Trial,
)
from otium.choices.rendering import render_choices
from otium.choices.running import Amount, choosing, chosen, hold_choices, planned

__all__ = [
    "EXPERIMENTS",
    "OUTCOMES",
    "Amount",
    "Answer",
    "Choices",
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
    "choosing",
    "chosen",
    "declines",
    "findings",
    "hold_choices",
    "instruments_of",
    "lint_tasks",
    "load_experiments",
    "planned",
    "read_choice",
    "read_rating",
    "render_choices",
    "slope",
    "transcripts",
]
