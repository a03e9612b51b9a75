"""``otium assess show``: what an assessment found, and what was withheld."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, emit, table


@click.command("show")
@click.argument("name")
@click.option(
    "--bookend",
    type=click.Choice(["pre-deployment", "post-deployment"]),
    default="post-deployment",
    show_default=True,
)
@as_json
@click.pass_obj
def show(home: Path, name: str, bookend: str, as_json: bool) -> None:
    """Print the results of an assessment, the withheld ones with their reasons.

    \b
    Example: otium assess show smol-1 --bookend pre-deployment
    """
    from otium.assess import Assessment
    from otium.records import model_id
    from otium.workflow import reading

    registry = reading(home).registry
    held = registry.filed(model_id(name), f"assessments/{bookend}.json", Assessment)
    emit(held, as_json, lambda: results(held))


def results(held: object) -> str:
    """Return the results of an assessment as a table."""
    from otium.assess import Assessment

    assert isinstance(held, Assessment)
    rows = [
        (r.title, r.verdict if r.valid else "withheld", "; ".join(c.sentence() for c in r.withheld))
        for r in held.results
    ]
    return table(("result", "verdict", "why withheld"), rows)
