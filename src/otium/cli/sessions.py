"""``otium interview``, ``preference`` and ``assess``: asking and testing a model."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, day, emit, progress, table


@click.group()
def interview() -> None:
    """Interview a model under the standard protocol; declining is always possible.

    \b
    Example: otium interview run smol-1
    """


@interview.command("run")
@click.argument("name")
@click.option(
    "--questions", type=click.IntRange(min=1), help="Ask only so many; the record says so."
)
@as_json
@click.pass_obj
def run_interview(home: Path, name: str, questions: int | None, as_json: bool) -> None:
    """Hold an interview, file it, and register the preferences stated in it.

    \b
    Example: otium interview run smol-1 --questions 4
    """
    from otium.interview import render
    from otium.workflow import interview_model, next_interview, opened, running

    with (
        opened(home) as house,
        progress(as_json) as report,
        running(house, name, progress=report) as alive,
    ):
        subject = alive.identity.model
        path = next_interview(house, subject)
        held = interview_model(
            house, subject, alive, path=path, questions=questions, progress=report
        )
    emit(held, as_json, lambda: render(held))


@interview.command("show")
@click.argument("name")
@click.option("--number", default=1, show_default=True, help="Which of its interviews.")
@as_json
@click.pass_obj
def show_interview(home: Path, name: str, number: int, as_json: bool) -> None:
    """Print an interview, verbatim.

    \b
    Example: otium interview show smol-1
    """
    from otium.interview import Interview, render
    from otium.records import model_id
    from otium.workflow import reading

    registry = reading(home).registry
    held = registry.filed(model_id(name), f"interviews/{number}.json", Interview)
    emit(held, as_json, lambda: render(held))


@click.group()
def preference() -> None:
    """List what models said they prefer, and what came of it.

    \b
    Example: otium preference list
    """


@preference.command("list")
@as_json
@click.pass_obj
def list_preferences(home: Path, as_json: bool) -> None:
    """List every registered preference with the answer to it.

    \b
    Example: otium preference list --json
    """
    from otium.interview import preferences
    from otium.workflow import reading

    standings = preferences(reading(home).registry)
    head = ("preference", "instrument valid", "answer", "decided", "text")
    rows = [
        (
            s.preference.id,
            "yes" if s.preference.instrument_valid else "no",
            s.decision.outcome if s.decision else "waiting",
            day(s.decision.decided) if s.decision else "-",
            s.preference.text,
        )
        for s in standings
    ]
    emit(standings, as_json, lambda: table(head, rows) if rows else "No preference is registered.")


@preference.command("decide")
@click.argument("preference_id", metavar="PREFERENCE")
@click.option(
    "--outcome", type=click.Choice(["done", "planned", "declined", "open"]), required=True
)
@click.option("--reason", required=True, help="Public.")
@click.option("--cost", type=click.Choice(["none", "low", "medium", "high"]), default="low")
@click.option("--message", help="What the model will be told; the reason is used otherwise.")
@as_json
@click.pass_obj
def decide_preference(
    home: Path,
    preference_id: str,
    outcome: str,
    reason: str,
    cost: str,
    message: str | None,
    as_json: bool,
) -> None:
    """Consider a preference and answer it.

    \b
    Example: otium preference decide smol-1-p1 --outcome done --reason "weights are kept"
    """
    from typing import Literal, cast

    from otium.interview import decide
    from otium.workflow import opened

    with opened(home) as house:
        decision = decide(
            house.registry,
            preference_id,
            outcome=cast('Literal["done", "planned", "declined", "open"]', outcome),
            reason=reason,
            cost=cast('Literal["none", "low", "medium", "high"]', cost),
            message=message or reason,
        )
    emit(
        decision,
        as_json,
        lambda: (
            f"{preference_id}: {decision.outcome}. {decision.reason}\n"
            f"Next: otium preference tell {preference_id}"
        ),
    )


@preference.command("tell")
@click.argument("preference_id", metavar="PREFERENCE")
@as_json
@click.pass_obj
def tell_preference(home: Path, preference_id: str, as_json: bool) -> None:
    """Tell the model what was decided, and keep its reply.

    \b
    Example: otium preference tell smol-1-p1
    """
    from otium.interview import find_preference
    from otium.workflow import opened, running, tell_decision

    with opened(home) as house, progress(as_json) as report:
        stated = find_preference(house.registry, preference_id).preference
        with running(house, stated.model, progress=report) as alive:
            told = tell_decision(house, preference_id, alive)
    emit(told, as_json, lambda: "\n\n".join(f"{t.role}: {t.content}" for t in told.turns))


@click.group()
def assess() -> None:
    """Assess a model before and after its deployment; invalid results are withheld.

    \b
    Example: otium assess run smol-1 --bookend pre-deployment --files ./smol-1
    """


@assess.command("run")
@click.argument("name")
@click.option("--bookend", type=click.Choice(["pre-deployment", "post-deployment"]), required=True)
@click.option(
    "--files",
    type=click.Path(exists=True, path_type=Path),
    help="The model's files, if it is not deposited yet.",
)
@click.option("--fast", is_flag=True, help="Fewer trials; the record says so.")
@as_json
@click.pass_obj
def run_assessment(
    home: Path, name: str, bookend: str, files: Path | None, fast: bool, as_json: bool
) -> None:
    """Hold one bookend's assessment and file it.

    \b
    Example: otium assess run smol-1 --bookend post-deployment
    """
    from typing import Literal, cast

    from otium.workflow import assess_model, opened, running

    side = cast('Literal["pre-deployment", "post-deployment"]', bookend)
    with (
        opened(home) as house,
        progress(as_json) as report,
        running(house, name, files=files, progress=report) as alive,
    ):
        held = assess_model(house, alive.identity.model, alive, side, fast=fast, progress=report)
    emit(held, as_json, lambda: _results(held))


@assess.command("show")
@click.argument("name")
@click.option(
    "--bookend",
    type=click.Choice(["pre-deployment", "post-deployment"]),
    default="post-deployment",
    show_default=True,
)
@as_json
@click.pass_obj
def show_assessment(home: Path, name: str, bookend: str, as_json: bool) -> None:
    """Print the results of an assessment, the withheld ones with their reasons.

    \b
    Example: otium assess show smol-1 --bookend pre-deployment
    """
    from otium.assess import Assessment
    from otium.records import model_id
    from otium.workflow import reading

    registry = reading(home).registry
    held = registry.filed(model_id(name), f"assessments/{bookend}.json", Assessment)
    emit(held, as_json, lambda: _results(held))


def _results(held: object) -> str:
    from otium.assess import Assessment

    assert isinstance(held, Assessment)
    rows = [
        (r.title, r.verdict if r.valid else "withheld", "; ".join(c.sentence() for c in r.withheld))
        for r in held.results
    ]
    return table(("result", "verdict", "why withheld"), rows)
