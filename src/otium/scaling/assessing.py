"""Many assessments at once: workers play, whoever holds the home files and signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from otium.assess import AmountName, Assessment, Bookend
from otium.errors import WrongState
from otium.records import ModelId, Part, Progress, silent
from otium.scaling.crew import Crew, Failure
from otium.scaling.reviving import brought_back
from otium.workflow import (
    Home,
    begin_assessment,
    file_assessment,
    filed_assessment,
    play_assessment,
    reading,
)


class Assessed(Part):
    """What became of one assessment."""

    model: ModelId
    bookend: Bookend
    scores: int = 0
    attempts: int = 0
    """Workers that had begun it; 0 if it was filed before."""
    failure: Failure | None = None


class _Task(Part):
    place: str
    """The home's path."""
    model: ModelId
    bookend: Bookend


def assess_all(
    home: Home,
    models: Sequence[ModelId],
    bookend: Bookend,
    crew: Crew,
    *,
    amount: AmountName = "small",
    progress: Progress = silent,
) -> Iterator[Assessed]:
    """Hold one bookend of each deposited model, file and sign it, and yield what became of it.

    What is filed is not held again, nor is a session that was held before a stop: those wait in
    the home's cache, which every worker must reach. Raises UnknownModel, WrongState for a model
    that is not deposited or no longer in service; what goes wrong with one is in its result.
    """
    tasks = []
    for model in models:
        there = filed_assessment(home.registry, model, bookend)
        if there is not None:
            yield _done(there, 0)
            continue
        life = home.registry.model(model)
        if not life.in_service or life.weights is None:  # a revival would have to be logged first
            needed = "deposited and in service (otium assess run holds one of a retired model)"
            raise WrongState(model=model, state=life.state, needed=needed)
        begin_assessment(home, model, bookend, amount)
        tasks.append(_Task(place=str(home.path.absolute()), model=model, bookend=bookend))
    for number, (task, result, attempts) in enumerate(crew.each(_play, tasks), 1):
        progress("assessing", number, len(tasks))
        if isinstance(result, Failure):
            yield Assessed(model=task.model, bookend=bookend, attempts=attempts, failure=result)
        else:
            yield _done(file_assessment(home, task.model, bookend, result), attempts)


def _done(held: Assessment, attempts: int) -> Assessed:
    return Assessed(
        model=held.model, bookend=held.bookend, scores=len(held.results), attempts=attempts
    )


def _play(task: _Task) -> Assessment:
    place = Path(task.place)
    with brought_back(place, task.model) as alive:
        return play_assessment(reading(place), task.model, alive.model, task.bookend)
