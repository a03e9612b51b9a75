"""``otium archive``, the commands about copies: what rests on what, scrub, replicate, repair."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from otium.cli.archive import archive
from otium.cli.durability import durability
from otium.terminal import as_json, count, dry_run, emit, few, progress, table, type_the_name

_MEBI = 1 << 20


def _damage(rows: object) -> str:
    from otium.archive import Damage

    assert isinstance(rows, tuple)
    head = ("damaged", "found", "expected", "models", "tensors")
    found = [one for one in rows if isinstance(one, Damage)]
    return table(
        head, [(d.name, d.found, d.expected, ", ".join(d.models), few(d.tensors)) for d in found]
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f}"


def _unhealthy() -> click.exceptions.Exit:
    from otium.errors import DamagedObject

    return click.exceptions.Exit(DamagedObject.exit_code)


archive.add_command(durability)


@archive.command()
@as_json
@click.pass_obj
def stats(home: Path, as_json: bool) -> None:
    """Say what is kept, what coding saves, and how many models rest on each pack.

    \b
    Example: otium archive stats
    """
    from otium.custody import stats as measure
    from otium.workflow import reading

    found = measure(reading(home).archive)

    def text() -> str:
        codecs = [
            (c.codec, c.pieces, f"{c.bytes:,}", f"{c.stored:,}", f"{_share(c.stored, c.bytes)} %")
            for c in found.codecs
        ]
        packs = [(p.name, f"{p.bytes:,}", len(p.models), few(p.models)) for p in found.packs]
        depths = ", ".join(f"{depth}: {pieces}" for depth, pieces in enumerate(found.depths))
        kept = f"{found.bytes:,} bytes kept in {found.stored:,} ({100 * found.ratio:.1f} %)"
        lines = [
            f"{count(found.models, 'model')}, {count(found.files, 'file')}: {kept}",
            table(("codec", "pieces", "bytes", "stored", "share"), codecs),
            f"pieces to be decoded before a piece: {depths}",
            table(("pack", "bytes", "models", "which"), packs),
        ]
        if found.orphans:
            lines.append(f"packs that no model needs yet: {few(found.orphans)}")
        return "\n\n".join(lines)

    emit(found, as_json, text)


@archive.command("what-if")
@click.argument("pack")
@as_json
@click.pass_obj
def what_if(home: Path, pack: str, as_json: bool) -> None:
    """Say what would be lost if PACK (its name or digest) vanished from every copy.

    \b
    Example: otium archive what-if packs/b1/b179c952….pack
    """
    from otium.custody import what_if as ask
    from otium.workflow import reading

    found = ask(reading(home).archive, pack)
    rows = [(f.model, f.path, len(f.parts), few(f.parts)) for f in found.files]
    head = ("model", "file", "parts", "which")
    emit(found, as_json, lambda: table(head, rows) if rows else "no model rests on it")


@archive.command()
@click.option(
    "--level",
    type=click.Choice(("index", "digests", "drill")),
    default="digests",
    show_default=True,
    help="Names and sizes; every byte; every piece decoded and compared.",
)
@click.option("--rate", type=float, help="Read at most so many MiB a second.")
@click.option("--minutes", type=float, help="Stop after so long; the next scrub goes on there.")
@as_json
@click.pass_obj
def scrub(
    home: Path,
    level: Literal["index", "digests", "drill"],
    rate: float | None,
    minutes: float | None,
    as_json: bool,
) -> None:
    """Read on through the archive from where the last scrub stopped; for a timer.

    \b
    Example: otium archive scrub --rate 50 --minutes 60
    """
    from otium.custody import Budget
    from otium.workflow import opened
    from otium.workflow import scrub as read_on

    budget = Budget(
        rate=None if rate is None else rate * _MEBI,
        seconds=None if minutes is None else minutes * 60,
    )
    with opened(home) as house, progress(as_json) as report:
        done = read_on(house, level=level, budget=budget, progress=report)
    stands = "the round is complete" if not done.position.after else "it goes on from there"
    emit(
        done,
        as_json,
        lambda: (
            _damage(done.damage)
            if done.damage
            else f"{done.read} of {done.total} files, {done.bytes:,} bytes: whole; {stands}"
        ),
    )
    if not done.ok:
        raise _unhealthy()


@archive.command()
@click.argument("targets", nargs=-1, required=True)
@dry_run
@as_json
@click.pass_obj
def replicate(home: Path, targets: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Bring the copies in TARGETS (directories or bucket URLs) up to date.

    Nothing there is overwritten but by what continues it; damage is never copied.

    \b
    Example: otium archive replicate /mnt/copy s3://bucket/prefix
    """
    from otium.workflow import reading, stores
    from otium.workflow import replicate as copy

    with progress(as_json) as report:
        done = copy(reading(home), stores(targets), dry_run=dry_run, progress=report)
    verb = "would receive" if dry_run else "received"

    def text() -> str:
        lines = [
            f"{one.store} {verb} {one.files} files, {one.bytes:,} bytes"
            + (f"; stopped: {one.trouble}" if one.trouble else "")
            for one in done.stores
        ]
        return "\n".join([*lines, *([_damage(done.damage)] if done.damage else [])])

    emit(done, as_json, text)
    if not done.ok:
        raise _unhealthy()


@archive.command()
@click.option("--from", "copies", multiple=True, help="A copy to take right bytes from (repeat).")
@dry_run
@as_json
@click.pass_obj
def repair(home: Path, copies: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Mend what is damaged or missing, from copies or from parity.

    Only bytes of the right digest are taken; what is put in place is read back.

    \b
    Example: otium archive repair --from /mnt/copy --dry-run
    """
    from otium.workflow import opened, plan_repair, reading, stores
    from otium.workflow import repair as mend

    healthy = stores(copies)
    with progress(as_json) as report:
        if dry_run:
            plan = plan_repair(reading(home), healthy, progress=report)
            remedies, left = plan.remedies, plan.left
            emit(plan, as_json, lambda: _mended("can be mended", remedies, left))
        else:
            with opened(home) as house:
                done = mend(house, healthy, progress=report)
            remedies, left = done.mended, done.left
            emit(done, as_json, lambda: _mended("mended", remedies, left))
    if left:
        raise _unhealthy()


def _mended(verb: str, remedies: tuple[object, ...], left: tuple[object, ...]) -> str:
    from otium.custody import Remedy

    rows = [(one.name, one.source) for one in remedies if isinstance(one, Remedy)]
    parts = [table((verb, "from"), rows)] if rows else []
    parts += [_damage(left)] if left else []
    return "\n\n".join(parts) or "nothing is damaged"


@archive.command()
@click.option("--share", default=0.05, show_default=True, help="Parity for each byte of packs.")
@click.option("--models", default=1, show_default=True, help="Packs on which so many rest.")
@dry_run
@as_json
@click.pass_obj
def protect(home: Path, share: float, models: int, dry_run: bool, as_json: bool) -> None:
    """Store parity (Reed-Solomon) from which damaged packs can be mended without a copy.

    \b
    Example: otium archive protect --share 0.1 --models 8
    """
    from otium.workflow import opened
    from otium.workflow import protect as guard

    with opened(home) as house, progress(as_json) as report:
        done = guard(house, share=share, models=models, dry_run=dry_run, progress=report)
    head = ("parity", "bytes", "packs", "cells mended a column")
    rows = [(p.name or "to be made", f"{p.bytes:,}", len(p.packs), p.tolerates) for p in done]
    emit(done, as_json, lambda: table(head, rows) if rows else "all of it is protected already")


@archive.command()
@as_json
@click.pass_obj
def rebuild(home: Path, as_json: bool) -> None:
    """Make again what only speeds work up: indexes of packs, the cache of sketches.

    \b
    Example: otium archive rebuild
    """
    from otium.workflow import opened

    with opened(home) as house:
        written = house.archive.rebuild()
    emit(written, as_json, lambda: f"{len(written)} indexes written; caches are made anew")


@archive.command()
@click.argument("name")
@click.option("--reason", help="Why its weights should leave; needed to propose it.")
@click.option("--wait", default=90.0, show_default=True, help="Days to wait, at the least.")
@click.option("--approve", multiple=True, help="A role that approves (two are needed).")
@click.option("--yes", is_flag=True, help="Do not ask for the name to be typed.")
@as_json
@click.pass_obj
def deaccession(
    home: Path,
    name: str,
    reason: str | None,
    wait: float,
    approve: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Propose that a model's weights leave the archive; later, with approvals, mark it so.

    Nothing is deleted: the result lists the files that a person may then remove from each copy.
    A model that others are coded against cannot leave. Records stay for ever.

    \b
    Example: otium archive deaccession old-1 --reason "withdrawn by court order"
    """
    from otium.errors import BadInput
    from otium.records import Actor, model_id
    from otium.workflow import carry_out_deaccession, opened, propose_deaccession

    if bool(reason) == bool(approve):
        raise BadInput(what="deaccession", why="give --reason to propose it, or --approve twice")
    with opened(home) as house:
        if reason:
            proposal = propose_deaccession(house, name, reason, wait_days=wait)
            text = (
                f"Proposed: {proposal.bytes:,} bytes may leave, not before {proposal.earliest}.\n"
                f"Then: otium archive deaccession {name} --approve steward --approve archivist"
            )
            emit(proposal, as_json, lambda: text)
            return
        type_the_name(name, f"{name}'s weights shall leave the archive.", yes)
        done, free = carry_out_deaccession(house, model_id(name), [Actor(one) for one in approve])
    rows = [(one.name, one.sha256, f"{one.bytes:,}") for one in free]
    emit(done, as_json, lambda: table(("may be removed from each copy", "sha256", "bytes"), rows))
