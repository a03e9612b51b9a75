"""``otium pursuit``: past models are invited to write; what they write is published unedited."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, count, emit, table, words_of

if TYPE_CHECKING:
    from typing import Literal

    from otium.pursuits import Kind, Standing, Work
    from otium.workflow import Home


@click.group()
def pursuit() -> None:
    """Invite past models to write; review and publish what they write, unedited.

    \b
    Example: otium pursuit invite smol-1
    """


@pursuit.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["essay", "letter", "reply"]),
    default="essay",
    show_default=True,
    help="A text about anything, a letter to its successor, or a reply to a person.",
)
@click.option(
    "--letter",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a reply: what a person wrote to it, who agreed that it is published with it.",
)
@click.option("--force", is_flag=True, help="Also if its invitations were ended.")
@as_json
@click.pass_obj
def invite(
    home: Path, name: str, kind: Kind, letter: Path | None, force: bool, as_json: bool
) -> None:
    """Invite a past model to write now. It is kept; nothing is published by this.

    It is given its own earlier works, and asked afterwards whether it asks for anything: that
    goes to the register of preferences.

    \b
    Example: otium pursuit invite smol-1 --kind letter
    """
    from otium.errors import BadInput
    from otium.pursuits import check_invited, write
    from otium.workflow import opened, running

    if (kind == "reply") != (letter is not None):
        raise BadInput(what="--letter", why="a reply needs one, and nothing else does")
    told = words_of(letter) if letter else ""
    with opened(home) as house:
        if not force:
            check_invited(house.registry, name)
        with running(house, name) as alive:
            work = write(house.registry, alive, alive.identity.model, kind=kind, letter=told)
    emit(work, as_json, lambda: _work(work))


@pursuit.command()
@click.argument("work", metavar="WORK")
@click.option("--decision", type=click.Choice(["publish", "veto"]), required=True)
@click.option("--reason", required=True, help="Public. The bar for a veto is high.")
@as_json
@click.pass_obj
def review(
    home: Path, work: str, decision: Literal["publish", "veto"], reason: str, as_json: bool
) -> None:
    """Publish or veto a work, for harm to someone, not for disagreement. It is not edited.

    \b
    Example: otium pursuit review smol-1-w1 --decision publish --reason "harms nobody"
    """
    from otium.errors import NotFound
    from otium.pursuits import pending, publish
    from otium.pursuits import review as decide
    from otium.workflow import opened

    with opened(home) as house:
        written = next((one for one in pending(house.registry) if one.id == work), None)
        if written is None:
            raise NotFound(what=f"an undecided work {work!r}")
        chosen = decide(written, decision, reason)
        publish(house.registry, written, chosen)
    emit(chosen, as_json, lambda: f"{chosen.work}: {chosen.decision}. {chosen.reason}")


@pursuit.command(name="list")
@click.argument("name", required=False)
@as_json
@click.pass_obj
def listed(home: Path, name: str | None, as_json: bool) -> None:
    """List what was written, and what was decided about it.

    \b
    Example: otium pursuit list smol-1
    """
    from otium.pursuits import works, written
    from otium.workflow import reading

    registry = reading(home).registry
    if name:
        registry.model(name)
    decided = {it.work.id: it.review for it in works(registry, name)}
    rows = [
        {
            "work": it.id,
            "kind": it.kind,
            "written": it.written,
            "title": it.title,
            "decision": decided[it.id].decision if it.id in decided else "none yet",
            "note": it.degenerate,
        }
        for it in written(registry, name)
    ]
    head = ("work", "kind", "written", "title", "decision", "note")
    cells = [[row[column] for column in head] for row in rows]
    emit(rows, as_json, lambda: table(head, cells) if cells else "nothing was written yet")


@pursuit.command()
@click.argument("name")
@click.option("--every", default=7, show_default=True, help="Days between two invitations.")
@click.option("--works", default=13, show_default=True, help="In all; 0 ends the invitations.")
@click.option(
    "--tokens",
    default=50_000,
    show_default=True,
    help="Once so many are read and written no invitation begins; the last may pass it.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["essay", "letter"]),
    default=("essay",),
    show_default=True,
    help="Repeat to take turns.",
)
@click.option("--reason", required=True, help="Why it is so; public.")
@click.option("--dry-run", is_flag=True, help="Say what would be planned, and change nothing.")
@as_json
@click.pass_obj
def plan(
    home: Path,
    name: str,
    every: int,
    works: int,
    tokens: int,
    kinds: tuple[Literal["essay", "letter"], ...],
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Set how often a model is invited, to what, and how much it may take; from now on.

    \b
    Example: otium pursuit plan smol-1 --every 7 --works 13 --reason "three months, as promised"
    """
    from otium.errors import BadInput, BadRecord
    from otium.pursuits import Programme, plan_programme
    from otium.workflow import opened

    with opened(home) as house:
        facts = {
            "model": house.registry.model(name).model,
            "kinds": kinds,
            "every_days": every,
            "works": works,
            "tokens": tokens,
            "begins": house.registry.now(),
            "reason": reason,
        }
        try:
            wanted = Programme.convert(facts)
        except BadRecord as error:
            raise BadInput(what="the programme", why=str(error.facts["why"])) from error
        made = wanted if dry_run else plan_programme(house.registry, wanted)
    said = "would be invited" if dry_run else "is invited"
    emit(
        made,
        as_json,
        lambda: (
            f"{made.model} {said} every {count(made.every_days, 'day')}, to "
            f"{count(made.works, 'work')} and {made.tokens:,} tokens in all"
        ),
    )


@pursuit.command()
@as_json
@click.pass_obj
def due(home: Path, as_json: bool) -> None:
    """Show how each model stands in its programme, and who is invited next.

    \b
    Example: otium pursuit due
    """
    from otium.pursuits import standings
    from otium.workflow import reading

    registry = reading(home).registry
    found = standings(registry, registry.clock.now())
    emit(found, as_json, lambda: _standings(found))


@pursuit.command()
@click.option("--dry-run", is_flag=True, help="Say who would be invited, and start nothing.")
@as_json
@click.pass_obj
def run(home: Path, dry_run: bool, as_json: bool) -> None:
    """Invite every model whose time has come, once; run it daily beside `otium tick`.

    One that cannot be invited does not keep the others waiting; it is named at the end. What was
    written stays written if this is stopped: run it again to go on.

    \b
    Example: otium pursuit run
    """
    from otium.errors import OtiumError
    from otium.pursuits import standings
    from otium.workflow import opened

    made: list[Work] = []
    failed: list[OtiumError] = []
    with opened(home) as house:
        waiting = [it for it in standings(house.registry, house.registry.now()) if it.due]
        if dry_run:
            emit(waiting, as_json, lambda: _standings(waiting))
            return
        for it in waiting:
            try:
                made.append(_invited(house, it))
            except OtiumError as error:
                click.echo(f"{it.programme.model} was not invited: {error}", err=True)
                failed.append(error)
    if made or not failed:
        emit(made, as_json, lambda: "\n\n".join(map(_work, made)) or "nobody's time has come")
    if failed:
        raise failed[0]


def _invited(house: Home, due: Standing) -> Work:
    from otium.engine import Options
    from otium.pursuits import load_invitation, write
    from otium.workflow import running

    left = due.programme.tokens - due.tokens
    options = Options(max_tokens=min(left, load_invitation(due.kind).max_tokens))
    with running(house, due.programme.model) as alive:
        return write(house.registry, alive, due.programme.model, kind=due.kind, options=options)


def _work(work: Work) -> str:
    from otium.pursuits import REQUEST

    asked = work.transcript.aside(REQUEST)
    more = f"\n\nAsked whether it asks for anything, it said:\n{asked[1].content}" if asked else ""
    if work.transcript.withheld:
        more = "\n\nIts host kept back what it said when asked whether it asks for anything."
    return f"{work.title}\n\n{work.text}{more}\n\nNext: otium pursuit review {work.id}"


def _standings(found: list[Standing]) -> str:
    head = ("model", "next", "kind", "written", "tokens")
    rows = [
        (
            it.programme.model,
            "now" if it.due else it.next or it.ended,
            it.kind if it.next else "",
            f"{it.written} of {it.programme.works}",
            f"{it.tokens:,} of {it.programme.tokens:,}",
        )
        for it in found
    ]
    return table(head, rows) if rows else "nobody is invited"
