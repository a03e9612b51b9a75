"""``otium assess run``: holding an assessment."""

from __future__ import annotations

from pathlib import Path

import click

from otium.examining.showing import results
from otium.terminal import as_json, emit, progress


@click.command("run")
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
def run(home: Path, name: str, bookend: str, files: Path | None, fast: bool, as_json: bool) -> None:
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
    emit(held, as_json, lambda: results(held))
