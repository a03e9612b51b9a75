"""``otium assess``: its commands, and the options that several of them share."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = {
    "run": ("running", "Hold the assessment of one bookend and file it."),
    "show": ("showing", "Print the results, the withheld ones with their reasons."),
    "verify": ("running", "Check where each score comes from, and the signatures under it."),
    "rejudge": ("running", "Judge an old assessment again, and say how far judging drifted."),
    "scenarios": (
        "scenarios",
        "The scenarios: list, show, lint, how alike and how real they are, seal.",
    ),
    "study": ("study", "Does preservation, an interview or recourse lower harmful avoidance?"),
    "awareness": ("materials", "Which estimates of unspoken awareness count with a model."),
    "external": ("materials", "Ask a model what others wrote: BailBench, Petri seeds and more."),
    "affect": ("materials", "Apparent affect in your own transcripts, in aggregates only."),
}
"""The commands in the order in which one meets them: module of this room, and what it does."""

AMOUNTS = ("full", "small", "fast")


def suite_option(*, required: bool = True) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Return the option that names a bookend as a user does: before, or after."""
    said = "Before the deployment, or after it."
    return click.option(
        "--suite",
        "bookend",
        type=click.Choice(["pre", "post"]),
        required=required,
        callback=lambda _ctx, _param, side: f"{side}-deployment" if side else None,
        help=said if required else f"{said} Default: the later one that there is.",
    )


judge_option = click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="URL#MODEL",
    help="A model that judges, or Inspect's name of it; name two, of different makers.",
)
amount_option = click.option(
    "--amount",
    type=click.Choice(AMOUNTS),
    default="small",
    show_default=True,
    help="How much of the suite is played; the record says so.",
)


class Parts(click.Group):
    """A group whose commands are imported when they are first used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order in which one meets them."""
        return [name for name, (room, _) in PARTS.items() if find_spec(f"otium.examining.{room}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that defines *cmd_name*."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"otium.examining.{PARTS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, PARTS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=Parts)
def assess() -> None:
    """Assess a model before and after its deployment; invalid results are withheld.

    \b
    Example: otium assess run smol-1 --suite pre --files ./smol-1
    """
