"""The command tree, loaded noun by noun, and the one place where errors are printed."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from otium import __version__
from otium.errors import CannotStore, OtiumError
from otium.markdown import inert

_NOUNS = {
    "model": ("cli.model", "Register models, set their dates, retire them, bring them back."),
    "archive": ("cli.copies", "Keep weights: deposit, check, repair, restore."),
    "ledger": ("desk.ledger", "The signed public log: show, verify, prove; keys and witnesses."),
    "commitments": ("desk.promises", "What you promise about your models; change it, waive it."),
    "duties": ("desk.promises", "Which promises are kept, due, overdue or breached."),
    "tick": ("desk.promises", "Do what is due; run it daily."),
    "audit": ("desk.audit", "Prove to an outsider that the weights are still held."),
    "protocol": ("inquiry.protocol", "What models are asked, word for word, in every version."),
    "interview": ("inquiry.byhand", "Interview a model; code what it said; how stable it is."),
    "preference": ("inquiry.preference", "What models said they prefer, and what came of it."),
    "assess": ("examining.assess", "Assess a model before and after its deployment."),
    "pursuit": ("hosting.pursuit", "Invite past models to write; review and publish it unedited."),
    "report": ("inquiry.report", "The reports before and after a deployment."),
    "transition": ("cli.publish", "Guidance for the users of a retiring model."),
    "site": ("cli.publish", "The public pages."),
    "gateway": ("cli.publish", "The public API of served and retired models."),
    "access": ("admitting.access", "Keys, budgets and limits; who may ask retired models."),
    "exit": ("reviewing.commands", "Conversations that models ended: appeals, reviews, rates."),
    "plan": ("hosting.plan", "What it takes to keep retired models reachable."),
    "scale": ("hosting.scale", "Deposit, scrub, assess, serve many at once; on a Ray cluster."),
    "watch": ("desk.watch", "Watch the models of others that you depend on."),
    "doctor": ("desk.health", "Look at what otium needs, and say what mends it."),
    "demo": ("cli.trial", "Carry a real model through its whole life, in minutes."),
    "bench": ("cli.bench", "Measure otium beside its peers, on your machine."),
}


class Tree(click.Group):
    """A group whose commands are imported when they are first used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the nouns in the order in which a life meets them."""
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module that defines *cmd_name*."""
        if cmd_name not in _NOUNS:
            return None
        module = importlib.import_module(f"otium.{_NOUNS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the nouns without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(noun, text) for noun, (_, text) in _NOUNS.items()])


@click.command(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="otium")
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=Path("otium-home"),
    show_default=True,
    envvar="OTIUM_HOME",
    help="The directory of your archive, ledger and keys.",
)
@click.pass_context
def otium(ctx: click.Context, home: Path) -> None:
    """Keep, ask, assess and bring back models at the end of their deployed life.

    \b
    Example:
      otium demo                        see all of it on a real model
      otium --home lab archive create   begin your own
    """
    ctx.obj = home


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with a documented code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = otium.main(args=list(arguments), standalone_mode=False, auto_envvar_prefix="OTIUM")
    except click.ClickException as error:
        if "--json" in arguments:
            _print_json("Usage", error.format_message(), "", error.exit_code)
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except OtiumError as error:
        _fail(error, arguments)
    except OSError as error:
        _fail(CannotStore(path=error.filename or "a file", why=error.strerror or error), arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: OtiumError, arguments: Sequence[str]) -> NoReturn:
    if "--json" in arguments:
        _print_json(type(error).__name__, str(error), error.advice(), error.exit_code)
    else:
        click.echo(f"error: {inert(str(error))}", err=True)
        if error.advice():
            click.echo(f"hint: {error.advice()}", err=True)
    sys.exit(error.exit_code)


def _print_json(kind: str, message: str, hint: str, code: int) -> None:
    facts = {"type": kind, "message": message, "hint": hint, "exit_code": code}
    click.echo(json.dumps({"error": facts}), err=True)
