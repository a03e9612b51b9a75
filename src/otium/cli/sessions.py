"""``otium assess``: testing a model before and after its deployment."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, emit, progress, table


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
