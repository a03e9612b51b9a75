"""``otium bench soak`` and ``swap``: minutes of kills; one model in another's place."""

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
    from otium.swapping import SwapReport, Waits


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


@click.command("swap")
@click.option("--rounds", default=5, show_default=True, help="How often the two take turns.")
@click.option("--swaps", default=10, show_default=True, help="Changes of model in each round.")
@click.option("--requests", default=20, show_default=True, help="Mixed requests in each round.")
@click.option("--clients", default=3, show_default=True, help="How many ask mixed requests.")
@click.option(
    "--peer",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A llama-server program; by default the one on the PATH.",
)
@as_json
def bench_swap(
    rounds: int, swaps: int, requests: int, clients: int, peer: Path | None, as_json: bool
) -> None:
    """Time changing from one archived model to another, with room for one, beside a router.

    Our gateway and llama-server's router (--models-max 1) have the same two models and settings.
    First each request is for the model that is not up, then several clients ask for either.

    \b
    Example: otium bench swap --rounds 3 --peer ./llama-server
    """
    from otium.swapping import swap_bench

    with progress(as_json) as report:
        found = swap_bench(
            rounds=rounds,
            swaps=swaps,
            requests=requests,
            clients=clients,
            peer=peer,
            progress=report,
        )
    emit(found, as_json, lambda: _swaps(found))


def _swaps(found: SwapReport) -> str:
    rows = [
        (way.name, what, *_waits(waits), str(way.failed))
        for way in found.ways
        for what, waits in (("swap, one token", way.swaps), ("mixed", way.mixed))
    ]
    head = ["way", "what", "requests", "p50 s", "p95 s", "p99 s", "most s", "failed"]
    ratios = [
        (what, f"{one.median:.2f}", f"{one.least:.2f}..{one.most:.2f}")
        for what, one in found.ratios.items()
    ]
    title = f"{found.rounds} rounds, {found.clients} clients; load {found.load}"
    parts: list[RenderableType] = [title, columns(head, rows, left=2)]
    if ratios:
        parts += ["", columns(["the peer's over ours", "median", "spread"], ratios, left=1)]
    return rendered([*parts, *found.notes])


def _waits(found: Waits) -> tuple[str, ...]:
    seconds = (found.p50, found.p95, found.p99, found.most)
    return (str(found.count), *(f"{one:.2f}" for one in seconds))


soaks = (bench_soak, bench_swap)
"""The commands of this module."""
