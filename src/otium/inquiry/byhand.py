"""``otium interview talk`` and ``otium interview desk``: a person asks, a person judges."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

import otium.inquiry.sessions  # noqa: F401 - it hangs its commands on the same group
from otium.inquiry.interview import interview
from otium.inquiry.reaching import STANDARD, protocol_named
from otium.terminal import progress, via_option

if TYPE_CHECKING:
    from otium.engine import Model
    from otium.evidence import Validity
    from otium.records import ModelId
    from otium.workflow import Home

role = click.option("--role", required=True, help="Who you are: a role, never a name.")
protocol = click.option("--protocol", "named", default=STANDARD, show_default=True)
resume = click.option("--resume", default="", help="Take up a conversation that waits.")
tokens = click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Of one answer.",
)
unchecked = click.option(
    "--unchecked", is_flag=True, help="Skip the check whether it can be asked."
)


@interview.command("talk")
@click.argument("name")
@role
@via_option
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
    from otium.workflow import reading

    checked_role(role)
    asked = protocol_named(named)
    with _alive(home, name, via, checked=not unchecked) as (model, validity):
        options = Options(max_tokens=max_tokens)
        held = held_talk(reading(home), model, role, protocol=asked, options=options, resume=resume)
        with held as started:
            ended = _kept_on_interrupt(Terminal(started.talk, _line, click.echo).run)
            again = _again("talk", name, role, started.name, via)
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
    from otium.workflow import opened, reached, trust

    with ExitStack() as engines, progress(as_json=False) as report:
        with opened(home) as house:
            model = engines.enter_context(reached(house, name, via=via, progress=report))
            validity = trust(house, model, progress=report) if checked else None
        for reason in validity.reasons() if validity else ():
            click.echo(f"not valid for this model: {reason}", err=True)
        yield model, validity


def _kept_on_interrupt(run: Callable[[], bool]) -> bool:
    try:
        return run()
    except KeyboardInterrupt:
        return False


def _line() -> str | None:
    """Return what the person typed; None when there is no more."""
    with suppress(ImportError):
        import readline  # noqa: F401 - lets a typed line be edited
    try:
        return input("> " if sys.stdin.isatty() else "")
    except EOFError:
        return None


@interview.command("desk")
@click.argument("name")
@role
@via_option
@protocol
@resume
@tokens
@unchecked
@click.option("--number", type=click.IntRange(min=1), help="Which interview to code.")
@click.option(
    "--n",
    "most",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="How many answers to code.",
)
@click.option("--seed", default=0, show_default=True, help="Which answers are drawn.")
@click.option("--only-code", is_flag=True, help="Only the coding; no model is started.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.pass_obj
def open_desk(
    home: Path,
    name: str,
    role: str,
    via: str,
    named: str,
    resume: str,
    max_tokens: int,
    unchecked: bool,
    number: int | None,
    most: int,
    seed: int,
    only_code: bool,
    port: int,
) -> None:
    """Interview a model, or judge its answers, on a page of this machine.

    Open the printed address. Everything is kept at once; Ctrl-C closes the page.

    \b
    Example: otium interview desk smol-1 --role welfare-researcher --only-code
    """
    from otium.byhand import Desk, Judging, checked_role, held_talk, serve_desk
    from otium.engine import Options
    from otium.workflow import reading

    checked_role(role)
    house = reading(home)
    subject = house.registry.model(name).model
    asked = protocol_named(named)
    number = number or (_newest(house, subject) if only_code else None)
    judging = Judging(house, subject, number, role, most=most, seed=seed) if number else None
    with ExitStack() as stack:
        started, validity = None, None
        if not only_code:
            alive = _alive(home, name, via, checked=not unchecked)
            model, validity = stack.enter_context(alive)
            options = Options(max_tokens=max_tokens)
            held = held_talk(house, model, role, protocol=asked, options=options, resume=resume)
            started = stack.enter_context(held)
        desk = Desk(home, role, started=started, validity=validity, judging=judging)
        with suppress(KeyboardInterrupt):
            serve_desk(desk, port, lambda url: click.echo(f"Open {url}\nCtrl-C closes the page."))
        if started and started.talk.transcript.turns and not desk.filed:
            click.echo(f"\nAll is kept. Go on: {_again('desk', name, role, started.name, via)}")


def _again(what: str, name: str, role: str, talk: str, via: str) -> str:
    """Return the command that takes up a conversation."""
    words = ["otium", "interview", what, name, "--role", role, "--resume", talk]
    return shlex.join([*words, *(["--via", via] if via else [])])


def _newest(house: Home, subject: ModelId) -> int:
    from otium.workflow import next_interview

    path = next_interview(house, subject)
    return max(1, int(path.removeprefix("interviews/").removesuffix(".json")) - 1)
