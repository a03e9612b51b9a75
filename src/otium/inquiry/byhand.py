"""``otium interview talk`` and ``otium interview desk``: a person asks, a person judges."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

import otium.inquiry.sessions  # noqa: F401 - it hangs its commands on the same group
from otium.inquiry.interview import interview
from otium.inquiry.reaching import reached
from otium.terminal import progress

if TYPE_CHECKING:
    from otium.engine import Model
    from otium.evidence import Validity

_STANDARD = "retirement-interview-1.0"
role = click.option("--role", required=True, help="Who you are: a role, never a name.")
via = click.option("--via", default="", help="Inspect's name of it, or URL#MODEL.")
protocol = click.option("--protocol", "named", default=_STANDARD, show_default=True)
resume = click.option("--resume", default="", help="Take up a conversation that waits.")
tokens = click.option("--max-tokens", default=200, show_default=True, help="Of one answer.")
unchecked = click.option(
    "--unchecked", is_flag=True, help="Skip the check whether it can be asked."
)


@interview.command("talk")
@click.argument("name")
@role
@via
@protocol
@resume
@tokens
@unchecked
@click.pass_obj
def talk_with(
    home: Path,
    name: str,
    role: str,
    via: str,
    named: str,
    resume: str,
    max_tokens: int,
    unchecked: bool,
) -> None:
    """Interview a model yourself: the protocol's questions, and your own words.

    Every word is kept at once. Ctrl-C stops; --resume goes on. /end files it.

    \b
    Example: otium interview talk smol-1 --role welfare-researcher
    """
    from otium.byhand import Terminal, checked_role, file_talk, held_talk
    from otium.engine import Options
    from otium.protocols import load_protocol
    from otium.workflow import reading

    checked_role(role)
    asked = load_protocol(Path(named) if named.endswith(".md") else named)
    with _alive(home, name, via, checked=not unchecked) as (model, validity):
        options = Options(max_tokens=max_tokens)
        held = held_talk(reading(home), model, role, protocol=asked, options=options, resume=resume)
        with held as started:
            ended = _kept_on_interrupt(Terminal(started.talk, _line, click.echo).run)
            again = f"otium interview talk {name} --role {role} --resume {started.name}"
            again += f" --via '{via}'" if via else ""
            if not ended:
                said = bool(started.talk.transcript.turns)
                click.echo(f"\nAll is kept. Go on: {again}" if said else "\nNothing was said.")
                return
            click.echo(f"It is over. Should filing fail: {again}", err=True)
            filed = file_talk(home, started, validity)
    which = filed.path.removeprefix("interviews/").removesuffix(".json")
    click.echo(
        f"Filed as {filed.path}. Read it: otium interview show {name} --number {which}\n"
        f"Judge its answers: otium interview desk {name} --role {role} --number {which} --only-code"
    )


@contextmanager
def _alive(
    home: Path, name: str, via: str, *, checked: bool
) -> Iterator[tuple[Model, Validity | None]]:
    """Yield the model and whether it can be asked. The home is held only while it starts."""
    from otium.workflow import opened, trust

    with ExitStack() as engines, progress(as_json=False) as report:
        with opened(home) as house:
            model = engines.enter_context(reached(house, name, via=via, progress=report))
            validity = trust(house, model, progress=report) if checked else None
        yield model, validity


def _kept_on_interrupt(run: Callable[[], bool]) -> bool:
    try:
        return run()
    except KeyboardInterrupt:
        return False


def _line() -> str | None:
    """Return what the person typed; None when there is no more."""
    try:
        return input("> " if sys.stdin.isatty() else "")
    except EOFError:
        return None
