"""``otium archive`` and ``otium ledger``: what is kept, and what was promised about it."""

from __future__ import annotations

from pathlib import Path

import click

from otium.cli.render import as_json, dry_run, emit, progress, table


@click.group()
def archive() -> None:
    """Keep weights: deposit, check, restore.

    \b
    Example:
      otium --home lab archive create
      otium --home lab archive add smol-1 ./smol-1
    """


@archive.command()
@click.option("--id", "archive_id", default="otium", show_default=True, help="The archive's name.")
@click.option(
    "--commitments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own promises (TOML); the default file is adopted otherwise.",
)
@as_json
@click.pass_obj
def create(home: Path, archive_id: str, commitments: Path | None, as_json: bool) -> None:
    """Found a home: an archive, a ledger with its key, and the commitments.

    \b
    Example: otium --home lab archive create --id example-lab
    """
    from otium.errors import Exists
    from otium.lifecycle import load_policy, policy_in_force
    from otium.workflow import founded

    policy = load_policy(commitments)
    with founded(home, archive_id=archive_id, policy=policy) as house:
        info = house.archive.info
        if commitments and policy_in_force(house.registry.entries()) != policy:
            raise Exists(name=f"{home}, with other commitments,")
    emit(
        info,
        as_json,
        lambda: (
            f"Founded {home}. Copy {home}/keys to a safe place: without it nothing new "
            "can be logged.\nNext: otium --home {home} model register NAME --title TITLE "
            "--released DATE"
        ),
    )


@archive.command()
@click.argument("name")
@click.argument("files", type=click.Path(exists=True, path_type=Path))
@click.option("--sampling", "defaults", multiple=True, help="A sampling default: temperature=0.7.")
@dry_run
@as_json
@click.pass_obj
def add(
    home: Path, name: str, files: Path, defaults: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Deposit a registered model's files: a directory or one file. Repeating it is harmless.

    \b
    Example: otium archive add smol-1 ./smol-1
    """
    from otium.engine import runtime
    from otium.records import model_id
    from otium.workflow import opened, reading

    try:
        sampling = {key: float(value) for key, _, value in (d.partition("=") for d in defaults)}
    except ValueError as error:
        raise click.BadParameter("write name=number", param_hint="--sampling") from error
    if dry_run:
        plan = reading(home).archive.plan(files)
        emit(plan, as_json, lambda: f"{plan.new_bytes:,} new bytes of {plan.bytes:,}")
        return
    with opened(home) as house, progress(as_json) as report:
        kept = house.registry.deposit(
            model_id(name), files, runtime=runtime(), sampling=sampling, progress=report
        )
    size = sum(file.size for file in kept.files)
    emit(kept, as_json, lambda: f"{name} is kept: {size:,} bytes, {kept.weights}")


@archive.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def check(home: Path, name: str | None, as_json: bool) -> None:
    """Read everything that is kept, or one model's part of it, and log the result.

    \b
    Example: otium archive check smol-1
    """
    from otium.errors import DamagedObject
    from otium.records import model_id
    from otium.workflow import opened

    with opened(home) as house, progress(as_json) as report:
        result = house.registry.check(model_id(name) if name else None, progress=report)
    head = ("damaged", "found", "expected", "models")
    rows = [(d.name, d.found, d.expected, ", ".join(d.models)) for d in result.damage]
    emit(
        result,
        as_json,
        lambda: (
            table(head, rows)
            if rows
            else f"{result.objects} objects, {result.bytes:,} bytes: all as deposited"
        ),
    )
    if not result.ok:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@archive.command()
@click.argument("name")
@click.option("--into", required=True, type=click.Path(path_type=Path), help="A fresh directory.")
@as_json
@click.pass_obj
def restore(home: Path, name: str, into: Path, as_json: bool) -> None:
    """Write a model's files out byte for byte, each digest verified.

    \b
    Example: otium archive restore smol-1 --into ./smol-1-again
    """
    from otium.records import model_id
    from otium.workflow import reading

    with progress(as_json) as report:
        kept = reading(home).archive.restore(model_id(name), into, progress=report)
    emit(kept, as_json, lambda: f"{len(kept.files)} files restored to {into}, {kept.weights}")


@archive.command()
@click.argument("name")
@click.argument("path", required=False)
@as_json
@click.pass_obj
def cat(home: Path, name: str, path: str | None, as_json: bool) -> None:
    """Print one record of a model, or list them.

    \b
    Example: otium archive cat smol-1 chat_template.jinja
    """
    from otium.records import model_id
    from otium.workflow import reading

    kept = reading(home).archive
    if path is None:
        records = kept.records(model_id(name))
        emit(records, as_json, lambda: table(("record", "digest"), sorted(records.items())))
        return
    click.echo(kept.record(model_id(name), path))


@click.group()
def ledger() -> None:
    """Show, verify and prove what was logged.

    \b
    Example:
      otium ledger show --last 10
      otium ledger verify otium-demo
    """


@ledger.command()
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many entries."
)
@click.option("--model", help="Only entries about this model.")
@as_json
@click.pass_obj
def show(home: Path, last: int, model: str | None, as_json: bool) -> None:
    """Show the newest entries.

    \b
    Example: otium ledger show --model smol-1
    """
    from otium.workflow import reading

    registry = reading(home).registry
    if model:
        registry.model(model)
    entries = list(enumerate(registry.entries()))
    chosen = [(n, e) for n, e in entries if model is None or e.subject == model][-last:]
    rows = [(n, e.time, e.type, e.subject, e.actor) for n, e in chosen]
    head = ("entry", "time", "type", "subject", "actor")
    emit([{"index": n, **e.plain()} for n, e in chosen], as_json, lambda: table(head, rows))


@ledger.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@as_json
@click.pass_obj
def verify(home: Path, path: Path | None, as_json: bool) -> None:
    """Recompute the whole log and everything it refers to; any change is refused.

    \b
    Example: otium ledger verify otium-demo
    """
    from otium.errors import DamagedObject
    from otium.workflow import verify as check

    found = check(path or home)
    head = ("damaged", "found", "expected", "models")
    rows = [(d.name, d.found, d.expected, ", ".join(d.models)) for d in found.damage]
    whole = (
        f"{found.entries} entries, {found.objects} objects, {found.bytes:,} bytes: all verified\n"
        f"root {found.root}"
    )
    emit(found, as_json, lambda: table(head, rows) if rows else whole)
    if rows:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@ledger.command()
@click.argument("index", type=int)
@click.option("--out", type=click.Path(path_type=Path), help="Write the proof to this file.")
@click.pass_obj
def prove(home: Path, index: int, out: Path | None) -> None:
    """Write a C2SP tlog-proof that entry INDEX is in the log.

    \b
    Example: otium ledger prove 12 --out entry-12.tlog-proof
    """
    from otium.workflow import reading

    proof = reading(home).registry.ledger.prove(index)
    if out:
        out.write_text(proof)
        click.echo(f"{out}: verify it with any C2SP tlog-proof reader and the log's key")
    else:
        click.echo(proof, nl=False)
