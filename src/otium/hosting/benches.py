"""``otium bench closure``, ``gateway``, ``residence``, ``revival``: reachable, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.hosting.tables import columns, goal_table, rendered
from otium.terminal import as_json, emit, progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from otium.occupancy import Found, Occupancy, Rate
    from otium.reviving import Returned
    from otium.timing import GatewayReport

_SOME, _ANY = click.IntRange(1), click.IntRange(0)
_DIRECTORY = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("residence")
@click.option("--seeds", type=_SOME, default=10, show_default=True, help="Traces of each kind.")
@click.option("--trials", type=_ANY, default=1, show_default=True, help="With real processes.")
@click.option("--quick", is_flag=True, help="A fifth of the requests.")
@as_json
def bench_residence(seeds: int, trials: int, quick: bool, as_json: bool) -> None:
    """Measure which models stay up: 200 tiny ones, a budget of 1 GB, Zipf's demand.

    Traces are replayed under otium's rule and others', beside a bound on what foresight could
    reach. Trials run real processes: some are killed, some clients leave, and every answer is
    checked. Ends with 1 if any figure that must be 0 is not: answers wrong or lost, loads
    cancelled or doubled, bytes over the budget.

    \b
    Example: otium bench residence --quick --seeds 3
    """
    from otium.occupancy import measure

    with progress(as_json) as report:
        found = measure(seeds=seeds, trials=trials, quick=quick, progress=report)
    emit(found, as_json, lambda: _occupancy(found))
    if not all(goal.met for goal in found.goals if goal.better == "less"):
        raise click.exceptions.Exit(1)


def _occupancy(found: Occupancy) -> str:
    title = (
        f"{found.models} models, {found.budget:,} bytes, {found.seeds} seeded traces of "
        f"{found.requests} requests. The bound is on any schedule, with all foresight."
    )
    head = ["trace", "exponent", "rule", "hit rate", "of the bound", "seconds saved, of the bound"]
    rows = [_rate(rate) for rate in found.rates]
    parts: list[RenderableType] = [title, columns(head, rows, left=3)]
    return rendered([*parts, *map(_trial, found.trials), "", goal_table(list(found.goals))])


def _rate(rate: Rate) -> tuple[str, ...]:
    spreads = [
        f"{one.median:.3f} ({one.least:.3f}..{one.most:.3f})"
        for one in (rate.hits, rate.of_optimum, rate.of_saving)
    ]
    return (rate.trace, f"{rate.exponent:g}", rate.rule, *spreads)


def _trial(one: Found) -> str:
    return (
        f"\nTrial with real processes, {one.seconds:.0f} s: {one.requests} requests, "
        f"{one.answered} answered, {one.left} left by their clients, {one.wrong} wrong, "
        f"{one.lost} lost, {one.told} times told of a failure and asked again\n"
        f"{one.kills} kills, {one.crashes} met by a request; {one.loads} loads, "
        f"{one.failed_loads} failed, {one.cancelled_loads} cancelled, {one.doubled_loads} doubled; "
        f"{one.shared} requests shared another's load\n"
        f"hit rate {one.hit_rate:.3f}, bound {one.optimum:.3f}; at most {one.most_reserved:,} "
        f"bytes set aside, {one.most_held:,} held, of {one.budget:,}"
    )


@click.command("closure")
@click.option("--rounds", type=_SOME, default=3, show_default=True, help="How often each is timed.")
@click.option("--quick", is_flag=True, help="One round, a twentieth of the attempts.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-bench"),
    show_default=True,
    help="Where closed histories are kept meanwhile.",
)
@as_json
def bench_closure(rounds: int, quick: bool, work: Path, as_json: bool) -> None:
    """Try 100,000 times to go on with an ended conversation; time what is done meanwhile.

    Histories are written otherwise (unicode forms, white space, parts, split turns, ids, three
    APIs), which must stay closed, or edited, which must be open. Ends with 1 if one was not.

    \b
    Example: otium bench closure --quick
    """
    from otium.evasion import closing
    from otium.timing import Scale

    found = closing(Scale(work, share=20) if quick else Scale(work, rounds=rounds))
    emit(found, as_json, lambda: rendered([goal_table(found)]))
    if any(goal.reached > goal.target for goal in found if not goal.unit and goal.better == "less"):
        raise click.exceptions.Exit(1)


@click.command("gateway")
@click.option("--rounds", type=_SOME, default=5, show_default=True, help="Times each is measured.")
@click.option("--quick", is_flag=True, help="One round, a fifth of the requests, no slow streams.")
@click.option(
    "--streams", type=_ANY, default=10_000, show_default=True, help="Slow streams held at once."
)
@click.option(
    "--peer-command",
    metavar="COMMAND",
    help="What starts a peer, with {port} and {upstream} filled in.",
)
@as_json
def bench_gateway(
    rounds: int, quick: bool, streams: int, peer_command: str | None, as_json: bool
) -> None:
    """Time the gateway before a stub engine, beside a direct connection and a peer.

    LiteLLM, in an environment of its own, is a peer by this command:
    litellm --model openai/smol-1 --api_base {upstream} --port {port}

    \b
    Example: otium bench gateway --quick
    """
    from otium.timing import gateway_bench

    found = gateway_bench(
        rounds=rounds,
        quick=quick,
        streams=0 if quick else streams,
        peer_command=peer_command,
    )
    emit(found, as_json, lambda: _ways(found))


def _ways(found: GatewayReport) -> str:
    from statistics import median

    rows = [
        (
            way.name,
            f"{median(way.first_byte):.0f}",
            f"{median(way.request):.0f}",
            f"{median(way.event):.1f}",
            f"{way.idle_bytes / 1e6:.0f}",
        )
        for way in found.ways
    ]
    head = ["way to the engine", "first byte µs", "CPU µs / answer", "CPU µs / event", "idle MB"]
    parts: list[RenderableType] = [columns(head, rows, left=1), "\nFigures to reach"]
    return rendered([*parts, goal_table(list(found.goals)), *found.notes])


@click.command("revival")
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A GGUF file; the demo's weights, if none is given.",
)
@click.option("--family", type=_DIRECTORY, help="A directory of base.safetensors and fine-tunes.")
@click.option("--only", multiple=True, metavar="SECTION", help="Measure this section (repeat).")
@click.option("--rounds", type=_SOME, default=3, show_default=True, help="How often each is timed.")
@click.option(
    "--size", type=_SOME, default=256, show_default=True, help="MiB that the raw tier reads."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-bench"),
    show_default=True,
    help="Where files are written meanwhile: on the disk that is to be measured.",
)
@as_json
def bench_revival(
    model: Path | None,
    family: Path | None,
    only: tuple[str, ...],
    rounds: int,
    size: int,
    work: Path,
    as_json: bool,
) -> None:
    """Time how a model comes back, beside how it would otherwise, in the same run.

    Sections: raw (files against the disk's limit), delta (the archive over a store of 200 MB/s
    and of 1 GB/s, against raw bytes over it), spawn (processes), whole (to the first token),
    swap (one model for another). The machine's load stands beside each figure.

    \b
    Example: otium bench revival --only spawn --only whole
    """
    from otium.reviving import revival_bench

    with progress(as_json) as report:
        found = revival_bench(
            work,
            model=model,
            family=family,
            only=only,
            rounds=rounds,
            size=size << 20,
            progress=report,
        )
    emit(found, as_json, lambda: _returned(found))


def _returned(found: Returned) -> str:
    rows = [
        (
            row.section,
            row.what,
            f"{row.figures.median:.3g} {row.unit}".rstrip(),
            f"{row.figures.least:.3g}..{row.figures.most:.3g}",
            f"{row.load:.1f}",
        )
        for row in found.rows
    ]
    head = ["section", "what", "median", "spread", "load"]
    parts: list[RenderableType] = [
        f"{found.machine}; {found.cores} cores; {found.rounds} rounds",
        columns(head, rows, left=2),
        "\nFigures to reach",
        goal_table(list(found.goals)),
    ]
    return rendered([*parts, "", *found.notes])


benches = (bench_closure, bench_residence, bench_gateway, bench_revival)
"""The commands of this module."""
