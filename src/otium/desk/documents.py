"""``otium ledger document``: what stays private, and can still be proved."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, confirmed, day, emit, table, type_the_name

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def document() -> None:
    """Commit to private documents: they can be confirmed later, or erased without a trace.

    \b
    Example: otium ledger document commit incident.pdf --what "an incident report"
    """


@document.command()
@click.argument("file", type=_FILE)
@click.option("--what", required=True, help="What kind of document it is. Public.")
@click.option("--model", help="The model that it is about.")
@as_json
@click.pass_obj
def commit(home: Path, file: Path, what: str, model: str | None, as_json: bool) -> None:
    """Keep a copy of FILE in the home, unpublished, and log a salted commitment to it.

    \b
    Example: otium ledger document commit incident.pdf --what "an incident report" --model smol-1
    """
    from otium.upkeep import commit_document
    from otium.workflow import opened

    with opened(home) as house:
        made = commit_document(house, file, what=what, subject=model)
    emit(made, as_json, lambda: f"{made.commitment} is logged; document and salt stay in {home}.")


@document.command("list")
@as_json
@click.pass_obj
def list_(home: Path, as_json: bool) -> None:
    """List the documents that the log commits to.

    \b
    Example: otium ledger document list
    """
    from otium.upkeep import documents
    from otium.workflow import reading

    found = documents(reading(home))
    head = ("commitment", "about", "what", "logged", "erased", "here")
    rows = [
        (
            it.commitment,
            it.subject,
            it.what,
            day(it.logged),
            day(it.erased),
            "yes" if it.here else "no",
        )
        for it in found
    ]
    emit(found, as_json, lambda: table(head, rows) if rows else "No document was committed to.")


@document.command()
@click.argument("commitment")
@click.option("--into", type=click.Path(path_type=Path), required=True, help="A fresh directory.")
@as_json
@click.pass_obj
def reveal(home: Path, commitment: str, into: Path, as_json: bool) -> None:
    """Write a document and its salt, for somebody who is to confirm it.

    \b
    Example: otium ledger document reveal sha256:5f... --into for-the-auditor
    """
    from otium.upkeep import reveal_document
    from otium.workflow import reading

    found = reveal_document(reading(home), commitment, into)
    text = f"{into}: they confirm it by `otium ledger document confirm document --salt salt`"
    emit(found, as_json, lambda: text)


@document.command()
@click.argument("file", type=_FILE)
@click.option("--salt", type=_FILE, required=True, help="The salt that came with it.")
@as_json
@click.pass_obj
def confirm(home: Path, file: Path, salt: Path, as_json: bool) -> None:
    """Say which entry commits to a document that was revealed. A copy of the archive will do.

    \b
    Example: otium --home copy ledger document confirm document --salt salt
    """
    from otium.upkeep import confirm_document
    from otium.workflow import reading

    found = confirm_document(reading(home), file, salt)
    text = f"The log has committed to it since {found.logged}, as: {found.what} ({found.subject})."
    emit(found, as_json, lambda: text)


@document.command()
@click.argument("commitment")
@click.option("--reason", required=True, help="Why, for the public record.")
@confirmed
@as_json
@click.pass_obj
def erase(home: Path, commitment: str, reason: str, yes: bool, as_json: bool) -> None:
    """Remove a document and its salt. What stays in the log cannot be guessed back.

    \b
    Example: otium ledger document erase sha256:5f... --reason "asked for by a person named in it"
    """
    from otium.upkeep import erase_document
    from otium.workflow import opened

    type_the_name(commitment, "The document is lost for good.", yes)
    with opened(home) as house:
        done = erase_document(house, commitment, reason=reason)
    emit(done, as_json, lambda: f"{done.commitment} was erased on {day(done.erased)}.")
