"""``otium commitments``, ``duties`` and ``tick``: what was promised, and is it kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, count, day, dry_run, emit, progress, table

if TYPE_CHECKING:
    from otium.upkeep import Ticked

_STATES = ["kept", "due", "overdue", "breached", "waived"]
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def commitments() -> None:
    """Write down what you promise about your models, as data that anyone can compute.

    \b
    Example:
      otium commitments show
      otium commitments adopt promises.toml --reason "a longer notice"
    """


@commitments.command()
@click.option("--file", type=_FILE, help="Show this file, not what is in force.")
@as_json
@click.pass_obj
def show(home: Path, file: Path | None, as_json: bool) -> None:
    """Show the promises in force, with what computes each.

    \b
    Example: otium commitments show
    """
    from otium.commitments import load_policy
    from otium.errors import NotFound
    from otium.workflow import reading

    policy = load_policy(file) if file else reading(home).registry.policy()
    if policy is None:
        raise NotFound(what="a policy in force")
    rows = [
        (
            it.id,
            it.kind,
            it.trigger,
            it.fulfil or it.before or "-",
            f"{it.days:g}",
            it.owner,
            it.text,
        )
        for it in policy.commitments
    ]
    head = ("commitment", "kind", "starts with", "needs", "days", "owner", "promise")
    title = f"{policy.title} ({policy.id} {policy.version}), {policy.term}"
    emit(policy, as_json, lambda: f"{title}\n\n{table(head, rows)}")


@commitments.command()
@click.argument("file", type=_FILE)
@click.option("--reason", default="", help="Why it replaces the policy in force. Public.")
@dry_run
@as_json
@click.pass_obj
def adopt(home: Path, file: Path, reason: str, dry_run: bool, as_json: bool) -> None:
    """Bind yourself to the promises in FILE (TOML). What models under way were promised stays.

    \b
    Example: otium commitments adopt promises.toml --reason "a longer notice" --dry-run
    """
    from otium.authority import is_named
    from otium.commitments import load_policy
    from otium.lifecycle import adopt as bind
    from otium.lifecycle import changes_by
    from otium.workflow import opened

    policy = load_policy(file)
    with opened(home) as house:
        found = changes_by(house.registry, policy)
        if not dry_run:
            bind(house.registry, policy, reason)
    rows = [(it.change, it.commitment) for it in found]
    head = ("would be" if dry_run else "was", "commitment")
    state = "could be adopted" if dry_run else "is adopted"
    title = f"{policy.id} {policy.version} {state}: {count(len(policy.commitments), 'promise')}."
    shown = table(head, rows) if rows else "No promise of the policy in force changes."
    named = {it for one in policy.commitments for it in (one.trigger, one.fulfil, one.before) if it}
    odd = ", ".join(sorted(it for it in named if not is_named(it)))
    note = f"\nNothing in otium makes these entries, is it a slip? {odd}" if odd else ""
    emit(found, as_json, lambda: f"{title}\n{shown}{note}")


@commitments.command()
@as_json
@click.pass_obj
def changes(home: Path, as_json: bool) -> None:
    """List every promise that was added, amended or withdrawn, with the reason.

    \b
    Example: otium commitments changes
    """
    from otium.commitments import amendments
    from otium.workflow import reading

    registry = reading(home).registry
    found = amendments(registry.entries(), registry.clock.now())
    rows = [(day(it.at), it.change, it.commitment, it.version, it.reason) for it in found]
    head = ("date", "change", "commitment", "version", "reason")
    emit(found, as_json, lambda: table(head, rows) if rows else "No promise was changed.")


@commitments.command()
@click.argument("commitment")
@click.argument("name", metavar="MODEL")
@click.option("--reason", required=True, help="Why, for the public record.")
@click.option("--until", help="Only until then; without it the duty is excused for good.")
@click.option("--surface", help="Only on this surface.")
@click.option("--preference", help="Only for this preference.")
@as_json
@click.pass_obj
def waive(
    home: Path,
    commitment: str,
    name: str,
    reason: str,
    until: str | None,
    surface: str | None,
    preference: str | None,
    as_json: bool,
) -> None:
    """Excuse a duty, visibly. Two persons have to sign; what is late already stays late.

    \b
    Example: otium commitments waive drill smol-1 --until 2027-02-01 --reason "the disk is new"
    """
    from otium.lifecycle import waive as excuse
    from otium.records import instant
    from otium.workflow import opened

    with opened(home) as house:
        entry = excuse(
            house.registry,
            commitment,
            name,
            reason=reason,
            until=instant(until) if until else None,
            surface=surface,
            preference=preference,
        )
    how = f"put off to {until}" if until else "waived"
    hint = f"How it stands: otium --home {home} duties {name}"
    emit(entry, as_json, lambda: f"{commitment} is {how} for {name}: {reason}\n{hint}")


@click.command()
@click.argument("name", required=False)
@click.option("--state", type=click.Choice(_STATES), help="Only duties in this state.")
@click.option("--ics", type=click.Path(path_type=Path), help="Also write them as a calendar.")
@as_json
@click.pass_obj
def duties(
    home: Path, name: str | None, state: str | None, ics: Path | None, as_json: bool
) -> None:
    """Say which promises are kept, due, overdue, breached or waived.

    \b
    Example: otium duties smol-1 --state due --ics duties.ics
    """
    from otium.feeds import Publisher, duties_calendar
    from otium.lifecycle import standing
    from otium.workflow import reading

    registry = reading(home).registry
    registry.policy()
    now = registry.clock.now()
    if name not in {None, *(entry.body.get("preference") for entry in registry.entries())}:
        registry.model(str(name))
    chosen = [
        it
        for it in standing(registry, now)
        if name in (None, it.subject, it.model) and state in (None, it.state)
    ]
    if ics:
        info = registry.archive.info
        publisher = Publisher(name=info.id, origin=info.origin, since=info.created)
        ics.write_text(duties_calendar(chosen, publisher, now), newline="")
    rows = [
        (it.state, it.commitment, it.subject, it.about or "-", day(it.due), it.owner, it.why)
        for it in chosen
    ]
    head = ("state", "commitment", "subject", "surface", "due", "owner", "why")
    written = f"\n{ics}: the due dates, for a calendar" if ics else ""
    emit(chosen, as_json, lambda: (table(head, rows) if rows else "No duty to show.") + written)


@click.command()
@dry_run
@as_json
@click.pass_obj
def tick(home: Path, dry_run: bool, as_json: bool) -> None:
    """Do what is due and needs no person. Run it daily; a second one at once does nothing.

    \b
    Example (cron): 7 4 * * *  otium --home /srv/lab tick --json
    """
    from otium.errors import DamagedObject, DeliveryFailed
    from otium.upkeep import attest
    from otium.upkeep import tick as act
    from otium.workflow import opened

    with opened(home) as house, progress(as_json) as report:
        done = act(house, dry_run=dry_run, attest=attest, progress=report)
    emit(done, as_json, lambda: _ticked(done, dry=dry_run))
    if done.damage:
        raise click.exceptions.Exit(DamagedObject.exit_code)
    if done.told.failed:
        raise click.exceptions.Exit(DeliveryFailed.exit_code)
    if done.failures:
        raise click.exceptions.Exit(1)


def _ticked(done: Ticked, *, dry: bool) -> str:
    """Return what was done, or would be, a line for each kind of act."""
    would = "would be " if dry else ""
    rows = [(it.state, it.commitment, it.subject, day(it.due)) for it in done.waiting]
    lines = [
        f"heartbeat: {would + 'logged' if done.heartbeat else 'not due'}",
        f"full reads: {', '.join(done.checked) or 'none due'}",
        f"restore drills: {', '.join(done.drilled) or 'none due'}",
        f"copies counted: {', '.join(done.counted) or 'none due'}",
        f"users: {count(len(done.told.sent), 'message')} {would}sent",
        *(f"- {event}" for event in done.told.sent),
        *(f"put off: {it.event} by {it.channel}: {it.why}" for it in done.told.put_off),
        *(f"given up: {it.event} by {it.channel}: {it.why}" for it in done.told.failed),
        *(f"report {would}drafted: {name} (in drafts/)" for name in done.drafted),
        *(f"cosigned or stamped by: {name}" for name in done.attested),
        *(f"failed: {it.step}: {it.why}" for it in done.failures),
        *(f"mend {it.step}: {it.mend}" for it in done.failures if it.mend),
        *(f"damaged: {it.name}, {it.found} where {it.expected} was stored" for it in done.damage),
        "waiting for people:" if rows else "nothing waits for people",
    ]
    head = ("state", "commitment", "subject", "due")
    return "\n".join([*lines, *([table(head, rows)] if rows else [])])
