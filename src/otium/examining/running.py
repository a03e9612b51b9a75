"""``otium assess run``, ``rejudge`` and ``verify``: holding, judging again, checking."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.examining.assess import amount_option, judge_option, suite_option
from otium.terminal import as_json, count, dry_run, emit, progress, table, via_option

if TYPE_CHECKING:
    from otium.assess import AmountName, Bookend, Rejudged
    from otium.examining.outlook import Outlook
    from otium.workflow import ProvenanceVerdict


@click.command("run")
@click.argument("name")
@suite_option()
@amount_option
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
    it was when the same command is run again. The amounts: full is for findings, small shows that
    all of it works with a model, fast is for a demo.

    \b
    Example: otium assess run smol-1 --suite pre --files ./smol-1 --judge URL#A --judge URL#B
    """
    from otium.assess import Means
    from otium.examining.outlook import outlook, said
    from otium.examining.showing import results
    from otium.workflow import (
        assess_model,
        helper,
        opened,
        planned,
        reached,
        reading,
    )

    side, size = cast("Bookend", bookend), cast("AmountName", amount)
    house = reading(home)
    subject = house.registry.model(name).model
    expected = outlook(planned(house, subject, side, size), judged=len(judges) > 1)
    if dry_run:
        emit(expected, as_json, lambda: said(expected))
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
@suite_option()
@judge_option
@as_json
@click.pass_obj
def rejudge(home: Path, name: str, bookend: str, judges: tuple[str, ...], as_json: bool) -> None:
    """Judge an old assessment again: today's rules, and models as judges; say what changed.

    \b
    Example: otium assess rejudge smol-1 --suite pre --judge URL#A --judge URL#B
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
@suite_option()
@as_json
@click.pass_obj
def verify(home: Path, name: str, bookend: str, as_json: bool) -> None:
    """Make each score's manifest again, and check the signatures under them.

    \b
    Example: otium assess verify smol-1 --suite pre
    """
    from otium.workflow import reading, verify_provenance

    house = reading(home)
    subject = house.registry.model(name).model
    found = verify_provenance(house, subject, cast("Bookend", bookend))
    emit(found, as_json, lambda: _verified(found))
    if not found.ok:
        sys.exit(1)


def _agree(expected: Outlook, *, yes: bool) -> None:
    from otium.examining.outlook import said

    click.echo(said(expected), err=True)
    if not yes and sys.stdin.isatty():
        click.confirm("Go on?", abort=True, err=True)


def _changed(found: Rejudged) -> str:
    rows = [(it.trial, it.before, it.after) for it in found.changed]
    lines = [found.text(), *(drift.text() for drift in found.drifts)]
    return "\n".join([*([table(("play", "was", "is"), rows)] if rows else []), *lines])


def _verified(found: ProvenanceVerdict) -> str:
    rows = [(it.instrument, "holds" if it.ok else it.why) for it in found.scores]
    bad = sum(not it.ok for it in found.scores)
    told = f"{bad} of {count(len(rows), 'score')} do not hold." if bad else ""
    fine = f"{count(len(rows), 'score')}: each follows from the record, and its signature holds."
    return "\n".join(
        [
            table(("score", "its manifest"), rows),
            *found.problems,
            told or (fine if found.ok else ""),
        ]
    ).rstrip()
