"""``otium model``: a model's life."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from otium.desk import MODEL_COMMANDS, read_dates
from otium.errors import NotFound
from otium.examining import CERTIFYING
from otium.terminal import (
    as_json,
    confirmed,
    day,
    dry_run,
    emit,
    fact,
    table,
    type_the_name,
)

if TYPE_CHECKING:
    from otium.lifecycle import ModelLife

_SCOPES = ["public", "partner", "significant-internal", "internal", "other"]


@click.group()
def model() -> None:
    """Register models, set their dates, retire them, bring them back.

    \b
    Example:
      otium model register smol-1 --title "Smol 1" --released 2026-01-05 --surface api
      otium model deprecate smol-1 --retire-at 2026-12-01 --replacement smol-2 --reason "..."
    """


for _command in (*MODEL_COMMANDS, *CERTIFYING):
    model.add_command(_command)


@model.command("list")
@as_json
@click.pass_obj
def list_(home: Path, as_json: bool) -> None:
    """List every model with its state and dates.

    \b
    Example: otium model list --json
    """
    from otium.workflow import reading

    lives = reading(home).registry.models()
    head = ("model", "state", "released", "ends", "replacement", "weights")
    rows = [
        (
            life.model,
            life.state,
            day(life.released),
            day(life.retired or life.withdrawn or min(life.retire_at.values(), default=None)),
            life.replacement or "-",
            (life.weights or "not deposited")[:23],
        )
        for life in lives
    ]
    emit(lives, as_json, lambda: table(head, rows) if rows else "No model is registered yet.")


@model.command()
@click.argument("name")
@as_json
@click.pass_obj
def show(home: Path, name: str, as_json: bool) -> None:
    """Show one model: its life, its records, its duties.

    \b
    Example: otium model show smol-1
    """
    from otium.records import model_id
    from otium.workflow import reading

    opened = reading(home)
    life = opened.registry.model(model_id(name))
    try:
        records = opened.archive.records(life.model)
    except NotFound:  # nothing is kept of it yet
        records = {}
    emit({"life": life, "records": records}, as_json, lambda: _shown(life, records))


def _shown(life: ModelLife, records: Mapping[str, str]) -> str:
    apart = {"surfaces", "not_before", "retire_at", "ended", "revisions"}
    facts = [
        (name.replace("_", " "), fact(value))
        for name, value in life.plain().items()
        if name not in apart and value not in (None, "", {}, ())
    ]
    surfaces = [
        (one, day(life.not_before.get(one)), day(life.retire_at.get(one)), day(life.ended.get(one)))
        for one in life.surfaces
    ]
    moved = [
        (day(it.at), it.surface, it.kind, day(it.was), day(it.now), it.reason)
        for it in life.revisions
    ]
    parts = [
        table(("fact", "value"), facts),
        table(("surface", "not before", "retires", "ended"), surfaces),
        table(("moved", "surface", "what", "was", "now", "reason"), moved) if moved else "",
        table(("record", "digest"), sorted(records.items())) if records else "",
    ]
    return "\n\n".join(part for part in parts if part)


@model.command()
@click.argument("name")
@click.option("--title", required=True, help="The name for people.")
@click.option("--released", required=True, help="Release date, 2026-01-05.")
@click.option(
    "--scope",
    type=click.Choice(_SCOPES),
    default="public",
    show_default=True,
    help="Who can use it; commitments go by it.",
)
@click.option(
    "--surface",
    "surfaces",
    multiple=True,
    default=["api"],
    help="api, app, partner:NAME, region:NAME or internal (repeat).",
)
@click.option("--parent", help="The model it was made from.")
@click.option("--family", help="The family it belongs to.")
@click.option("--not-before", "floors", multiple=True, help="A floor: api=2027-01-05 (repeat).")
@click.option("--snapshot-of", help="The moving name of which it is a pinned state.")
@click.option(
    "--silent-updates/--no-silent-updates",
    "silent",
    default=None,
    help="Whether it may change without an announcement.",
)
@as_json
@click.pass_obj
def register(
    home: Path,
    name: str,
    title: str,
    released: str,
    scope: str,
    surfaces: tuple[str, ...],
    parent: str | None,
    family: str | None,
    floors: tuple[str, ...],
    snapshot_of: str | None,
    silent: bool | None,
    as_json: bool,
) -> None:
    """Register a model. The same facts again change nothing; other facts are refused.

    \b
    Example: otium model register smol-1 --title "Smol 1" --released 2026-01-05 --surface api
    """
    from typing import cast

    from otium.commitments import Scope
    from otium.records import instant, model_id
    from otium.workflow import opened

    with opened(home) as house:
        life = house.registry.register(
            model_id(name),
            title=title,
            released=instant(released),
            scope=cast("Scope", scope),
            surfaces=surfaces,
            parent=model_id(parent) if parent else None,
            family=model_id(family) if family else None,
            not_before=read_dates(floors),
            snapshot_of=snapshot_of,
            silent_updates=silent,
        )
    emit(
        life,
        as_json,
        lambda: (
            f"{life.model} is registered.\nNext: otium --home {home} assess run {life.model} "
            f"--suite pre --files FILES\n"
            f"      otium --home {home} archive add {life.model} FILES"
        ),
    )


@model.command()
@click.argument("name")
@click.option("--retire-at", required=True, help="The date on every surface.")
@click.option("--on", "dates", multiple=True, help="Another date for one surface: app=2026-12-01.")
@click.option("--replacement", help="The recommended replacement; leave out if there is none.")
@click.option("--alternative", "alternatives", multiple=True, help="Also possible (repeat).")
@click.option(
    "--existing-users",
    type=click.Choice(["all", "recent", "none"]),
    help="Who keeps access until then; `recent` with --used-within.",
)
@click.option("--used-within", type=click.IntRange(min=1), help="Days before the announcement.")
@click.option("--reason", required=True, help="Why, for the public record.")
@click.option("--force", is_flag=True, help="Although what was promised to come first is missing.")
@dry_run
@as_json
@click.pass_obj
def deprecate(
    home: Path,
    name: str,
    retire_at: str,
    dates: tuple[str, ...],
    replacement: str | None,
    alternatives: tuple[str, ...],
    existing_users: Literal["all", "recent", "none"] | None,
    used_within: int | None,
    reason: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Announce a retirement date; too short a notice is refused with the earliest date.

    \b
    Example:
      otium model deprecate smol-1 --retire-at 2026-12-01 --replacement smol-2 \\
        --reason "smol-2 answers the same requests better"
    """
    from otium.lifecycle import ExistingUsers, check_deprecation
    from otium.lifecycle import deprecate as announce
    from otium.records import instant, model_id
    from otium.workflow import opened

    if (existing_users == "recent") != (used_within is not None):
        raise click.UsageError("--existing-users recent and --used-within go together")
    with opened(home) as house:
        life = house.registry.model(model_id(name))
        wanted = dict.fromkeys(life.open_surfaces, instant(retire_at)) | read_dates(dates)
        act = check_deprecation if dry_run else announce
        users = ExistingUsers(access=existing_users, days=used_within) if existing_users else None
        notice = act(
            house.registry,
            life.model,
            retire_at=wanted,
            replacement=model_id(replacement) if replacement else None,
            reason=reason,
            alternatives=alternatives,
            existing_users=users,
            force=force,
        )
    emit(notice, as_json, lambda: notice.text)
    if not (dry_run or as_json):
        hint = f"Announced. Next: otium --home {home} duties {name}; otium --home {home} tick"
        click.echo(hint, err=True)


@model.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Retire although a duty is open; needs --reason.")
@click.option("--reason", default="", help="Why it is forced, for the public record.")
@confirmed
@as_json
@click.pass_obj
def retire(home: Path, name: str, force: bool, reason: str, yes: bool, as_json: bool) -> None:
    """Retire a model whose date has come and whose duties are kept. Weights stay.

    \b
    Example: otium model retire smol-1 --yes
    """
    from otium.lifecycle import retire as end
    from otium.records import model_id
    from otium.workflow import opened

    if force and not reason:
        raise click.UsageError("--force needs --reason")
    with opened(home) as house:
        life = house.registry.model(model_id(name))
        type_the_name(name, f"Requests for {name} will get the retired answer.", yes)
        life = end(house.registry, life.model, force=force, reason=reason)
    emit(life, as_json, lambda: f"{life.model} was retired on {day(life.retired)}.")
