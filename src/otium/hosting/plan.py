"""``otium plan``: what it takes, before it is bought."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, emit, table

if TYPE_CHECKING:
    from otium.capacity import Plan, Setup


@click.group()
def plan() -> None:
    """Plan what keeping models reachable takes.

    \b
    Example: otium plan capacity --models 1000 --gigabytes 16.06
    """


@plan.command()
@click.option("--models", default=1000, show_default=True, help="Retired models.")
@click.option("--gigabytes", default=16.06, show_default=True, help="Of one's weights, in GB.")
@click.option("--working", default=4.0, show_default=True, help="GB beside them in an engine.")
@click.option("--requests", default=8640.0, show_default=True, help="A day, for all of them.")
@click.option("--skew", default=0.0, show_default=True, help="Zipf's exponent; 0: all alike.")
@click.option("--answer", default=16.8, show_default=True, help="Seconds for an answer.")
@click.option("--linger", default=60.0, show_default=True, help="Seconds an engine stays up.")
@click.option("--quantile", default=0.999, show_default=True, help="Time the slots suffice for.")
@click.option("--stored", default=0.66, show_default=True, help="Stored bytes for each byte.")
@click.option("--copies", default=1, show_default=True, help="Copies of the archive.")
@click.option("--read-rate", default=1.0, show_default=True, help="GB/s read by a revival.")
@click.option("--decode-rate", default=1.0, show_default=True, help="GB/s decoded and verified.")
@click.option("--start", default=3.0, show_default=True, help="Seconds to start an engine.")
@click.option("--wake", default=5.0, show_default=True, help="Seconds to wake a sleeping one.")
@click.option("--sleeper", default=1.14, show_default=True, help="GB of a GPU that it keeps.")
@click.option("--gpu", default=80.0, show_default=True, help="GB of a GPU.")
@click.option("--vram-price", default=25.0, show_default=True, help="For a GB and month.")
@click.option("--ram-price", default=2.5, show_default=True, help="For a GB and month.")
@click.option("--disk-price", default=0.02, show_default=True, help="For a GB and month.")
@click.option("--measured", is_flag=True, help="Take models, size and stored bytes from home.")
@click.option("--simulate", type=click.IntRange(1000, 10**7), help="Check with so many requests.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Write cost against models here, as SVG."
)
@as_json
@click.pass_obj
def capacity(
    home: Path,
    /,
    measured: bool,
    simulate: int | None,
    plot: Path | None,
    as_json: bool,
    **facts: float,
) -> None:
    """Compute slots, memory, disk, waits and money for N models and a demand.

    Three ways are compared: always on, asleep in memory, brought back on demand. Prices are
    examples: put your own.

    \b
    Example: otium plan capacity --models 1000 --requests 8640 --stored 0.14 --plot cost.svg
    """
    from otium.capacity import curve, picture, setup
    from otium.capacity import plan as compute

    asked = setup(**facts)
    asked = _measured(home, asked) if measured else asked
    found = compute(asked, requests=simulate or 0)
    if plot is not None:
        plot.write_text(picture(curve(found.setup)).svg, "utf-8")
    emit(found, as_json, lambda: _text(found))


def _measured(home: Path, asked: Setup) -> Setup:
    from otium.capacity import measured
    from otium.custody import stats
    from otium.workflow import reading

    kept = stats(reading(home).registry.archive)
    return measured(asked, models=kept.models, size=kept.bytes, stored=kept.ratio)


def _text(found: Plan) -> str:
    from otium.capacity import HEAD, WAYS, assumptions, rows

    parts = [
        table(HEAD, rows(found)),
        "\n".join(f"{name}: {text}" for name, text in WAYS.items()),
        f"On demand {found.mean_up:.1f} engines are up on average.",
        table(("it rests on", ""), assumptions(found.setup)),
    ]
    if seen := found.simulated:
        way = found.way("on-demand")
        parts.insert(
            3,
            f"Simulated, {seen.requests:,} requests: {seen.mean_up:.1f} up on average, slots "
            f"{seen.slots} (foretold {way.slots}), {seen.waiting:.1%} wait "
            f"(foretold {way.waiting:.1%}).",
        )
    return "\n\n".join(parts)
