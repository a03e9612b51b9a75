"""``otium archive durability``: how likely a loss is, and what that hangs on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, emit, table

if TYPE_CHECKING:
    from otium.durability import Cause, Durability, Setup

_RATE = "per copy and year"


@click.command()
@click.option("--copies", default=3, show_default=True, help="Copies, or fragments of a code.")
@click.option("--needed", default=1, show_default=True, help="How many of them suffice.")
@click.option("--visible", default=0.01, show_default=True, help=f"Faults seen at once, {_RATE}.")
@click.option("--latent", default=0.01, show_default=True, help=f"Unseen until a scrub, {_RATE}.")
@click.option("--scrub-days", default=90.0, show_default=True, help="Between two scrubs.")
@click.option("--repair-days", default=30.0, show_default=True, help="From finding to mended.")
@click.option("--years", default=50.0, show_default=True, help="The horizon.")
@click.option(
    "--cause",
    "causes",
    multiple=True,
    help="What all copies share, and its chance in a year: administrator=1e-5 (repeat; 0: not).",
)
@click.option("--packs", default=1.0, show_default=True, help="Packs that a model rests on.")
@click.option("--fan-in", default=1.0, show_default=True, help="Models that rest on a pack.")
@click.option("--measured", is_flag=True, help="Take packs, fan-in and the last read from home.")
@click.option("--trials", type=click.IntRange(100, 10**7), default=100_000, help="To simulate.")
@click.option("--seed", default=1, show_default=True, help="Of the simulation.")
@as_json
@click.pass_obj
def durability(
    home: Path,
    /,
    causes: tuple[str, ...],
    measured: bool,
    trials: int,
    seed: int,
    as_json: bool,
    **facts: float,
) -> None:
    """Compute how likely it is to lose a model, in three ways, and what it hangs on.

    Six common causes count with 1e-3 a year each until you say otherwise.

    \b
    Example: otium archive durability --copies 4 --scrub-days 30 --cause administrator=1e-5
    """
    from otium.durability import durability as compute
    from otium.durability import setup

    asked = setup(**facts, causes=_causes(causes))
    found = compute(_measured(home, asked) if measured else asked, count=trials, seed=seed)
    emit(found, as_json, lambda: _text(found))


def _causes(options: tuple[str, ...]) -> list[Cause]:
    from otium.durability import CAUSES, Cause

    rates = {cause.name: cause.rate for cause in CAUSES}
    for option in options:
        name, _, rate = option.rpartition("=")
        try:
            rates[name] = float(rate)
        except ValueError as error:
            raise click.BadParameter("write name=number", param_hint="--cause") from error
    return [Cause(name=name, rate=rate) for name, rate in rates.items() if rate]


def _measured(home: Path, assumed: Setup) -> Setup:
    from otium.custody import stats
    from otium.durability import measured
    from otium.records import Instant, days_between
    from otium.workflow import reading

    registry = reading(home).registry
    kept = stats(registry.archive)
    last: dict[str, Instant] = {}
    for entry in [*registry.find("model.deposited"), *registry.find("model.checked")]:
        if entry.type == "model.deposited" or entry.body.get("ok"):
            last[entry.subject] = max(entry.time, last.get(entry.subject, entry.time))
    unread = days_between(min(last.values()), registry.clock.now()) if last else None
    return measured(assumed, unread_days=unread, fan_in=kept.fan_in, models=kept.models)


def _text(found: Durability) -> str:
    from otium.durability import described

    parts = []
    for text, head, rows in described(found):
        parts.append(f"{text}\n{table(head, rows)}" if rows else text)
    return "\n\n".join(parts)
