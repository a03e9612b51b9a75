"""``otium assess run``, ``rejudge`` and ``verify``: holding, judging again, checking."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.terminal import as_json, count, dry_run, emit, progress, table, via_option

if TYPE_CHECKING:
    from otium.assess import AmountName, Bookend, Forecast, Rejudged
    from otium.workflow import ProvenanceVerdict

_SIDES = ["pre-deployment", "post-deployment"]
bookend_option = click.option("--bookend", type=click.Choice(_SIDES), required=True)
judge_option = click.option(
    "--judge", "judges", multiple=True, help="A model that judges; two of different makers."
)


@click.command("run")
@click.argument("name")
@bookend_option
@click.option(
    "--suite",
    "amount",
    type=click.Choice(["full", "small", "fast"]),
    default="small",
    show_default=True,
    help="How much of the suite is played; the record says so.",
)
@click.option(
    "--files",
    type=click.Path(exists=True, path_type=Path),
    help="The model's files, if it is not deposited yet.",
)
@via_option
@judge_option
@click.option("--changed", is_flag=True, help="Hold the second bookend though something differs.")
@click.option("--free", is_flag=True, help="No JSON schema holds the replies.")
@click.option(
    "--connections", type=click.IntRange(min=1), default=1, show_default=True, help="Plays at once."
)
@click.option(
    "--logs", type=click.Path(path_type=Path), help="Where Inspect's logs go; the home otherwise."
)
@click.option("--yes", is_flag=True, help="Do not ask whether the estimate is acceptable.")
@dry_run
@as_json
@click.pass_obj
def run(
    home: Path,
    name: str,
    bookend: str,
    amount: str,
    files: Path | None,
    via: str,
    judges: tuple[str, ...],
    changed: bool,
    free: bool,
    connections: int,
    logs: Path | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Hold one bookend's assessment, file it, and sign where each score comes from.

    The second bookend takes scenarios, amount and seed from the first. Stopped, it goes on where
    it was when the same command is run again.

    \b
    Example: otium assess run smol-1 --bookend post-deployment --judge a --judge b
    """
    from otium.assess import Means, forecast
    from otium.examining.showing import results
    from otium.workflow import assess_model, helper, opened, planned, reached, reading

    side, size = cast("Bookend", bookend), cast("AmountName", amount)
    house = reading(home)
    subject = house.registry.model(name).model
    expected = forecast(planned(house, subject, side, size))
    if dry_run:
        emit(expected, as_json, lambda: _said(expected))
        return
    _agree(expected, yes=yes or as_json)
    with ExitStack() as stack:
        open_ = stack.enter_context(opened(home))
        report = stack.enter_context(progress(as_json))
        model = stack.enter_context(reached(open_, name, via=via, files=files, progress=report))
        who = [stack.enter_context(helper(open_, it, progress=report)) for it in judges]
        means = Means(judges=who, logs=logs, connections=connections, free=free)
        held = assess_model(
            open_, subject, model, side, amount=size, means=means, changed=changed, progress=report
        )
    emit(held, as_json, lambda: results(held))


@click.command("rejudge")
@click.argument("name")
@bookend_option
@judge_option
@as_json
@click.pass_obj
def rejudge(home: Path, name: str, bookend: str, judges: tuple[str, ...], as_json: bool) -> None:
    """Judge an old assessment again: today's rules, and models as judges; say what changed.

    \b
    Example: otium assess rejudge smol-1 --bookend pre-deployment --judge a --judge b
    """
    from otium.workflow import helper, opened, rejudge_filed

    with ExitStack() as stack:
        house = stack.enter_context(opened(home))
        report = stack.enter_context(progress(as_json))
        who = [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        subject = house.registry.model(name).model
        found = rejudge_filed(house, subject, cast("Bookend", bookend), judges=who, progress=report)
    emit(found, as_json, lambda: _changed(found))


@click.command("verify")
@click.argument("name")
@bookend_option
@as_json
@click.pass_obj
def verify(home: Path, name: str, bookend: str, as_json: bool) -> None:
    """Make each score's manifest again, and check the signatures under them.

    \b
    Example: otium assess verify smol-1 --bookend pre-deployment
    """
    from otium.workflow import reading, verify_provenance

    house = reading(home)
    subject = house.registry.model(name).model
    found = verify_provenance(house, subject, cast("Bookend", bookend))
    emit(found, as_json, lambda: _verified(found))
    if not found.ok:
        sys.exit(1)


def _agree(expected: Forecast, *, yes: bool) -> None:
    click.echo(f"At most: {_said(expected)}", err=True)
    if not yes and sys.stdin.isatty():
        click.confirm("Go on?", abort=True, err=True)


def _said(expected: Forecast) -> str:
    return (
        f"{count(expected.sessions, 'session')}, {count(expected.calls, 'answer')}, "
        f"{expected.prompt_tokens:,} tokens in, {expected.completion_tokens:,} out"
    )


def _changed(found: Rejudged) -> str:
    rows = [(it.trial, it.before, it.after) for it in found.changed]
    lines = [found.text(), *(drift.text() for drift in found.drifts)]
    return "\n".join([*([table(("play", "was", "is"), rows)] if rows else []), *lines])


def _verified(found: ProvenanceVerdict) -> str:
    rows = [(it.instrument, "holds" if it.ok else it.why) for it in found.scores]
    return "\n".join([table(("score", "its manifest"), rows), *found.problems])
