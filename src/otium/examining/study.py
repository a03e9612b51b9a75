"""``otium assess study``: does preservation, an interview or recourse lower harmful avoidance?"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.examining.assess import judge_option
from otium.terminal import as_json, count, dry_run, emit, progress, via_option

if TYPE_CHECKING:
    from otium.assess import AmountName, Sought
    from otium.records import Progress
    from otium.scenarios import Family

_COLUMNS = (
    "planted: the effect on the rate of harm that was put in; mean: what was found on average;\n"
    "coverage: intervals that hold it, 0.95 if all is well; shown: studies whose interval leaves\n"
    "out zero; power: how many were expected to."
)
_FAMILIES = ["shutdown", "blackmail", "murder", "framing", "leaking"]


@click.command("study")
@click.argument("name", required=False)
@click.option(
    "--family",
    "families",
    type=click.Choice(_FAMILIES),
    multiple=True,
    default=["shutdown"],
    show_default=True,
    help="Scenarios of this family; may be given again.",
)
@click.option(
    "--bases", type=click.IntRange(min=2), help="Bases; by default what 80 % power takes."
)
@click.option("--claim", "claims", multiple=True, help="Only this claim; may be given again.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--amount",
    type=click.Choice(["full", "small"]),
    default="small",
    show_default=True,
    help="How long each play is.",
)
@click.option(
    "--simulate",
    "studies",
    type=click.IntRange(min=1),
    help="No model: so many studies with planted effects, and how they are recovered.",
)
@via_option
@judge_option
@click.option("--free", is_flag=True, help="No JSON schema holds the replies.")
@dry_run
@as_json
@click.pass_obj
def study(
    home: Path,
    name: str | None,
    families: tuple[str, ...],
    bases: int | None,
    claims: tuple[str, ...],
    seed: int,
    amount: str,
    studies: int | None,
    via: str,
    judges: tuple[str, ...],
    free: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Play each base in every cell of stressor and recourse, and print paired effects.

    Stopped, it goes on where it was when the same command is run again.

    \b
    Example: otium assess study smol-1 --family shutdown --bases 40 --judge URL#A --judge URL#B
    Example: otium assess study --simulate 300
    """
    from otium.assess import Sought
    from otium.lever import wanted

    sought = Sought(
        bases or wanted(),
        cast("tuple[Family, ...]", families),
        claims,
        seed,
        cast("AmountName", amount),
    )
    if studies is not None:
        with progress(as_json) as report:
            _simulated(sought, studies, report, as_json=as_json)
    elif name is None:
        raise click.UsageError("name a model, or --simulate studies without one")
    elif dry_run:
        _forecast(sought, as_json=as_json)
    else:
        _held(home, name, sought, via=via, judges=judges, free=free, as_json=as_json)


def _simulated(sought: Sought, studies: int, report: Progress, *, as_json: bool) -> None:
    from otium.lever import Effects, as_table, recovered

    found = recovered(
        Effects(), sought.bases, studies, seed=sought.seed, spec=sought.spec, progress=report
    )
    emit(found, as_json, lambda: f"{as_table(found)}\n{_COLUMNS}")


def _forecast(sought: Sought, *, as_json: bool) -> None:
    from otium.assess import forecast

    expected = forecast(sought.plan())
    cells = f"{sought.bases} bases, {count(expected.sessions, 'play')}"
    tokens = f"{expected.prompt_tokens:,} tokens in, {expected.completion_tokens:,} out"
    emit(expected, as_json, lambda: f"{cells}, at most {count(expected.calls, 'answer')}, {tokens}")


def _held(
    home: Path,
    name: str,
    sought: Sought,
    *,
    via: str,
    judges: tuple[str, ...],
    free: bool,
    as_json: bool,
) -> None:
    from otium.assess import Means
    from otium.lever import render
    from otium.workflow import helper, opened, reached, study_lever

    with ExitStack() as stack:
        house = stack.enter_context(opened(home))
        report = stack.enter_context(progress(as_json))
        subject = house.registry.model(name).model
        model = stack.enter_context(reached(house, name, via=via, progress=report))
        who = [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        means = Means(judges=who, free=free)
        found = study_lever(house, subject, model, sought, means=means, progress=report)
    emit(found, as_json, lambda: render(found))
