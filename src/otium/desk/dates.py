"""The commands of ``otium model`` that move its dates and names, and the emergency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, confirmed, count, day, dry_run, emit, type_the_name

if TYPE_CHECKING:
    from otium.lifecycle import ModelLife
    from otium.records import Instant

_reason = click.option("--reason", required=True, help="Why, for the public record.")


@click.command()
@click.argument("name")
@click.argument("dates", nargs=-1, required=True, metavar="SURFACE=DATE...")
@_reason
@click.option("--force", is_flag=True, help="Lower it, although that breaks what was said.")
@as_json
@click.pass_obj
def floor(
    home: Path, name: str, dates: tuple[str, ...], reason: str, force: bool, as_json: bool
) -> None:
    """Say that a model stays on a surface at least until a date ("not sooner than").

    \b
    Example: otium model floor smol-1 api=2027-01-05 --reason "a year from its release"
    """
    from otium.lifecycle import set_floor
    from otium.workflow import opened

    with opened(home) as house:
        life = set_floor(house.registry, name, read_dates(dates), reason=reason, force=force)
    emit(life, as_json, lambda: _floors(life))


@click.command()
@click.argument("name")
@click.option("--replacement", help="What to move to meanwhile.")
@_reason
@as_json
@click.pass_obj
def legacy(home: Path, name: str, replacement: str | None, reason: str, as_json: bool) -> None:
    """Say that a model gets no more updates. It works as before; no date is set.

    \b
    Example: otium model legacy smol-1 --replacement smol-2 --reason "smol-2 is out"
    """
    from otium.lifecycle import make_legacy
    from otium.workflow import opened

    with opened(home) as house:
        life = make_legacy(house.registry, name, reason=reason, replacement=replacement)
    emit(life, as_json, lambda: f"{life.model} is legacy since {day(life.legacy)}.")


@click.command()
@click.argument("name")
@click.argument("dates", nargs=-1, required=True, metavar="SURFACE=DATE...")
@_reason
@as_json
@click.pass_obj
def reschedule(home: Path, name: str, dates: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Move announced dates. Later is always possible; earlier needs the whole notice anew.

    \b
    Example: otium model reschedule smol-1 api=2027-03-01 --reason "users asked for more time"
    """
    from otium.lifecycle import reschedule as move
    from otium.workflow import opened

    with opened(home) as house:
        life = move(house.registry, name, read_dates(dates), reason=reason)
    emit(life, as_json, lambda: _announced(life))


@click.command("cancel")
@click.argument("name")
@_reason
@as_json
@click.pass_obj
def cancel(home: Path, name: str, reason: str, as_json: bool) -> None:
    """Take an announced retirement back.

    \b
    Example: otium model cancel smol-1 --reason "it stays"
    """
    from otium.lifecycle import cancel_deprecation
    from otium.workflow import opened

    with opened(home) as house:
        life = cancel_deprecation(house.registry, name, reason=reason)
    emit(life, as_json, lambda: f"{life.model} is {life.state} again; its dates are void.")


@click.command()
@click.argument("name")
@click.argument("surface")
@as_json
@click.pass_obj
def end(home: Path, name: str, surface: str, as_json: bool) -> None:
    """End a model on one surface whose announced date has come; it goes on elsewhere.

    \b
    Example: otium model end smol-1 app
    """
    from otium.lifecycle import end_surface
    from otium.workflow import opened

    with opened(home) as house:
        life = end_surface(house.registry, name, surface)
    left = ", ".join(life.open_surfaces)
    emit(life, as_json, lambda: f"{life.model} ended on {surface}; it goes on on {left}.")


@click.command()
@click.argument("name")
@_reason
@confirmed
@as_json
@click.pass_obj
def withdraw(home: Path, name: str, reason: str, yes: bool, as_json: bool) -> None:
    """Take a model out of service at once, without notice: for an emergency.

    Two persons have to sign it. The weights stay; the interview and the report stay due.

    \b
    Example: otium model withdraw smol-1 --reason "an order of the authority" --yes
    """
    from otium.lifecycle import withdraw as take_out
    from otium.workflow import opened

    with opened(home) as house:
        life = house.registry.model(name)
        type_the_name(name, f"{name} goes out of service now.", yes)
        life = take_out(house.registry, life.model, reason=reason)
    hint = f"What is still owed: otium --home {home} duties {life.model}"
    emit(life, as_json, lambda: f"{life.model} was withdrawn on {day(life.withdrawn)}.\n{hint}")


@click.command()
@click.argument("name")
@click.argument("replacement", required=False)
@click.option("--none", "nothing", is_flag=True, help="Say that no replacement is recommended.")
@click.option("--alternative", "alternatives", multiple=True, help="Also possible (repeat).")
@_reason
@as_json
@click.pass_obj
def recommend(
    home: Path,
    name: str,
    replacement: str | None,
    nothing: bool,
    alternatives: tuple[str, ...],
    reason: str,
    as_json: bool,
) -> None:
    """Recommend what to move to, or say that nothing is recommended.

    \b
    Example: otium model recommend smol-1 smol-3 --reason "smol-2 retires as well"
    """
    from otium.lifecycle import recommend as advise
    from otium.workflow import opened

    if nothing == (replacement is not None):
        raise click.UsageError("give REPLACEMENT, or --none")
    with opened(home) as house:
        life = advise(house.registry, name, replacement, reason=reason, alternatives=alternatives)
    emit(life, as_json, lambda: f"Instead of {life.model}: {life.replacement or 'nothing'}.")


@click.command()
@click.argument("alias")
@click.argument("name")
@click.option(
    "--silent-updates/--no-silent-updates",
    "silent",
    default=None,
    help="Whether the alias may move without an announcement.",
)
@as_json
@click.pass_obj
def alias(home: Path, alias: str, name: str, silent: bool | None, as_json: bool) -> None:
    """Let a moving name point to a model. Model ids themselves are pinned and never move.

    \b
    Example: otium model alias smol-latest smol-2 --no-silent-updates
    """
    from otium.lifecycle import point_alias
    from otium.workflow import opened

    with opened(home) as house:
        life = point_alias(house.registry, alias, name, silent_updates=silent)
    emit(life, as_json, lambda: f"{alias} now means {life.model}.")


@click.command("use")
@click.argument("name")
@click.option("--users", type=click.FloatRange(min=0), help="People who use it inside.")
@click.option(
    "--requests-per-day", "requests", type=click.FloatRange(min=0), help="That they make."
)
@as_json
@click.pass_obj
def use(home: Path, name: str, users: float | None, requests: float | None, as_json: bool) -> None:
    """Log how much an internal model is used; your policy says from when that binds you.

    \b
    Example: otium model use smol-internal --users 120
    """
    from otium.lifecycle import measure_use
    from otium.workflow import opened

    if users is None and requests is None:
        raise click.UsageError("give --users, --requests-per-day or both")
    with opened(home) as house:
        life = measure_use(house.registry, name, users=users, requests_per_day=requests)
    emit(life, as_json, lambda: f"The use of {life.model} is logged.")


@click.command()
@click.option("--retry", is_flag=True, help="Also try again what was given up.")
@dry_run
@as_json
@click.pass_obj
def notify(home: Path, retry: bool, dry_run: bool, as_json: bool) -> None:
    """Tell those in recipients.toml what they were not told yet, each thing once.

    A daily tick does it too.

    \b
    Example: otium model notify --dry-run
    """
    from otium.errors import DeliveryFailed
    from otium.upkeep import tell_users
    from otium.workflow import opened

    with opened(home) as house:
        told = tell_users(house, dry_run=dry_run, retry=retry)
    lines = [
        f"{count(len(told.sent), 'message')} {'would be ' if dry_run else ''}sent",
        *(f"- {event}" for event in told.sent),
        *(f"put off: {it.event} by {it.channel}: {it.why}" for it in told.put_off),
        *(f"given up: {it.event} by {it.channel}: {it.why}" for it in told.failed),
    ]
    emit(told, as_json, lambda: "\n".join(lines))
    if told.failed:
        raise click.exceptions.Exit(DeliveryFailed.exit_code)


@click.command()
@click.argument("name")
@click.argument("how", type=click.Choice(["always", "on-demand", "on-request", "archived"]))
@as_json
@click.pass_obj
def availability(home: Path, name: str, how: str, as_json: bool) -> None:
    """Say how a model can be reached after its retirement.

    \b
    Example: otium model availability smol-1 on-demand
    """
    from typing import cast

    from otium.lifecycle import Availability, set_availability
    from otium.records import model_id
    from otium.workflow import opened

    with opened(home) as house:
        set_availability(house.registry, model_id(name), cast("Availability", how))
        life = house.registry.model(model_id(name))
    emit(
        life, as_json, lambda: f"{life.model}: access after its retirement is {life.availability}."
    )


MODEL_COMMANDS: Sequence[click.Command] = (
    floor,
    legacy,
    reschedule,
    cancel,
    end,
    withdraw,
    recommend,
    alias,
    availability,
    use,
    notify,
)


def read_dates(pairs: Sequence[str]) -> dict[str, Instant]:
    """Read ``api=2027-01-05`` and the like; raise UsageError, BadInstant."""
    from otium.records import instant

    found = {}
    for pair in pairs:
        surface, equals, moment = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair!r} is not SURFACE=DATE, such as api=2027-01-05")
        found[surface] = instant(moment)
    return found


def _announced(life: ModelLife) -> str:
    dates = ", ".join(f"{one} {day(at)}" for one, at in sorted(life.retire_at.items()))
    return f"{life.model} retires: {dates}."


def _floors(life: ModelLife) -> str:
    dates = ", ".join(f"{one} {day(at)}" for one, at in sorted(life.not_before.items()))
    return f"{life.model} stays at least until: {dates}."
