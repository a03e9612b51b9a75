"""``otium bench soak``: minutes of kills, and what was acknowledged before each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.hosting.tables import columns, goal_table, rendered
from otium.terminal import as_json, emit, progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from otium.soak import SoakReport


@click.command("soak")
@click.option("--minutes", default=10.0, show_default=True, help="How long it goes on.")
@click.option("--clients", default=6, show_default=True, help="How many ask at once.")
@click.option("--seed", default=0, show_default=True, help="Of what clients and killers draw.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new directory that keeps home, state and the gateways' output.",
)
@as_json
def bench_soak(minutes: float, clients: int, seed: int, work: Path | None, as_json: bool) -> None:
    """Kill gateways and engines under load; look whether anything acknowledged is lost.

    Two gateways share one state, in PostgreSQL where it is installed, and serve real archived
    models to clients of three APIs. Then what was acknowledged is held against state and ledger.
    Ends with 1 if a figure that must be 0 is not.

    \b
    Example: otium bench soak --minutes 1
    """
    from otium.soak import Setting, hold_soak

    setting = Setting(seconds=60 * minutes, clients=clients, seed=seed)
    with progress(as_json) as report:
        found = hold_soak(setting, work=work, progress=report)
    emit(found, as_json, lambda: _soak(found))
    if not found.sound:
        raise click.exceptions.Exit(1)


def _soak(found: SoakReport) -> str:
    title = (
        f"{found.seconds:.0f} s on {found.database}: {found.gateways_killed} gateways and "
        f"{found.engines_killed} engines killed, {found.gateways_started} gateways started."
    )
    parts: list[RenderableType] = [
        title,
        "",
        _counts("acknowledged", found.acknowledged),
        "",
        _counts("what became of requests", found.results),
        "",
        _counts(f"{found.attempts} attempts, by how they ended", found.outcomes),
        "",
        _counts("beside them", found.seen),
        "\nFigures that must be 0",
        goal_table(list(found.goals)),
    ]
    return rendered([*parts, *found.problems])


def _counts(title: str, found: Mapping[str, float]) -> RenderableType:
    return columns([title, ""], [(name, f"{count:g}") for name, count in found.items()], left=1)


soaks = (bench_soak,)
"""The commands of this module."""
