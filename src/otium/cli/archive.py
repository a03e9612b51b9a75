"""``otium archive``: keep weights, look at them, get them out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from otium.terminal import as_json, count, dry_run, emit, few, progress, table

Layout = Literal["plain", "huggingface", "oci", "bagit"]
LAYOUTS = get_args(Layout)


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
@click.option("--store", help="A bucket to keep it in: s3://bucket/prefix, gs://… or az://….")
@click.option(
    "--commitments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your own promises (TOML); the default file is adopted otherwise.",
)
@as_json
@click.pass_obj
def create(
    home: Path, archive_id: str, store: str | None, commitments: Path | None, as_json: bool
) -> None:
    """Found a home: an archive, a ledger with its key, and the commitments.

    Credentials for a bucket come from the usual environment variables.

    \b
    Example: otium --home lab archive create --id example-lab
    """
    from otium.commitments import load_policy, policy_in_force
    from otium.errors import Exists
    from otium.workflow import founded

    policy = load_policy(commitments)
    with founded(home, archive_id=archive_id, policy=policy, store=store) as house:
        info = house.archive.info
        if commitments and policy_in_force(house.registry.entries()) != policy:
            raise Exists(name=f"{home}, with other commitments,")
        signed = house.registry.journal.judge().has_roles
    emit(info, as_json, lambda: _founded(home, signed=signed))


def _founded(home: Path, *, signed: bool) -> str:
    """Return what whoever founded a home has to do next."""
    keys = (
        f"Three role keys lie in {home}/keys/roles. Take root-1.pem off this machine, and\n"
        "give second-1.pem to another person: retiring, withdrawing and waiving need both.\n"
    )
    return (
        f"Founded {home}. Copy {home}/keys to a safe place: without it nothing new can be logged.\n"
        f"{keys if signed else ''}"
        f"Next: otium --home {home} model register NAME --title TITLE --released DATE"
    )


@archive.command()
@click.argument("name")
@click.argument("files", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--parent",
    "parents",
    multiple=True,
    help="Code it against this kept model (repeat); else the nearest are found.",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="What FILES is, if it cannot be told: plain, huggingface, oci, bagit.",
)
@click.option("--sampling", "defaults", multiple=True, help="A sampling default: temperature=0.7.")
@dry_run
@as_json
@click.pass_obj
def add(
    home: Path,
    name: str,
    files: Path,
    parents: tuple[str, ...],
    layout: Layout | None,
    defaults: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deposit a registered model's files.

    FILES is a file, a directory, a Hugging Face snapshot, an OCI layout or a bag. Repeating it
    is harmless; cut short, it goes on where it was.

    \b
    Example: otium archive add smol-1 ./smol-1
    """
    from otium.records import model_id
    from otium.workflow import deposit, opened, reading, survey

    try:
        sampling = {key: float(value) for key, _, value in (d.partition("=") for d in defaults)}
    except ValueError as error:
        raise click.BadParameter("write name=number", param_hint="--sampling") from error
    if dry_run:
        with progress(as_json) as report:
            plan = survey(reading(home), files, layout=layout, progress=report)
        against = f", coded against {', '.join(plan.relatives)}" if plan.relatives else ""
        emit(plan, as_json, lambda: f"{plan.new_bytes:,} new bytes of {plan.bytes:,}{against}")
        return
    with opened(home) as house, progress(as_json) as report:
        kept = deposit(
            house, model_id(name), files,
            layout=layout, parents=[model_id(one) for one in parents], sampling=sampling,
            progress=report,
        )  # fmt: skip
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
    head = ("damaged", "found", "expected", "models", "tensors")
    rows = [
        (d.name, d.found, d.expected, ", ".join(d.models), few(d.tensors)) for d in result.damage
    ]
    emit(
        result,
        as_json,
        lambda: (
            table(head, rows)
            if rows
            else f"{count(result.objects, 'object')}, {result.bytes:,} bytes: all as deposited"
        ),
    )
    if not result.ok:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@archive.command()
@click.argument("name")
@click.option("--into", required=True, type=click.Path(path_type=Path), help="A fresh directory.")
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="plain",
    show_default=True,
    help="How the files are laid out.",
)
@as_json
@click.pass_obj
def restore(home: Path, name: str, into: Path, layout: Layout, as_json: bool) -> None:
    """Write a model's files out byte for byte, each piece verified.

    As they were, as a Hugging Face cache, an OCI layout (ModelPack) or a bag (BagIt).

    \b
    Example: otium archive restore smol-1 --into ./smol-1-again
    """
    from otium.records import model_id
    from otium.workflow import export, reading

    with progress(as_json) as report:
        kept = export(reading(home), model_id(name), into, layout=layout, progress=report)
    files = count(len(kept.files), "file")
    emit(kept, as_json, lambda: f"{files} restored to {into}, {kept.weights}")


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
