"""``otium watch``: the models that you depend on, in their providers' tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, dry_run, emit, table

if TYPE_CHECKING:
    from otium.feeds import Checked, Outside, Watching

_ics = click.option(
    "--ics", type=click.Path(path_type=Path), help="Write a calendar of all known dates there."
)


@click.group()
def watch() -> None:
    """Watch the models that you depend on, in tables that their providers publish.

    \b
    Example:
      otium watch add alder-1 --from https://example.org/lifecycle.json
      otium watch check
    """


@watch.command()
@click.argument("model")
@click.option("--from", "source", required=True, help="The file or URL of a table.")
@dry_run
@as_json
@click.pass_obj
def add(home: Path, model: str, source: str, dry_run: bool, as_json: bool) -> None:
    """Begin to watch MODEL as its table names it.

    Known are otium's lifecycle.json, endoflife.date, lists of models as OpenAI's and Azure's
    servers give them, and litellm's map of prices. What is no date stays unknown.

    \b
    Example: otium watch add gpt-4o --from ./models.json
    """
    from otium.feeds import fetch_table, load_watching, place, save_watching
    from otium.feeds import watch as begin
    from otium.records import SystemClock

    there = place(source)
    found = fetch_table(there)
    watching = begin(load_watching(home), model, there, found, SystemClock().now())
    if not dry_run:
        save_watching(home, watching)
    emit(watching.models[-1], as_json, lambda: f"{model}: {_dates(watching.models[-1].seen)}")


@watch.command()
@click.argument("model")
@dry_run
@as_json
@click.pass_obj
def remove(home: Path, model: str, dry_run: bool, as_json: bool) -> None:
    """Watch MODEL no longer.

    \b
    Example: otium watch remove gpt-4o
    """
    from otium.feeds import load_watching, save_watching, unwatch

    left = unwatch(load_watching(home), model)
    if not dry_run:
        save_watching(home, left)
    done = "would no longer be watched" if dry_run else "is no longer watched"
    emit(left, as_json, lambda: f"{model} {done}; still watched: {len(left.models)}")


@watch.command("list")
@_ics
@as_json
@click.pass_obj
def list_models(home: Path, ics: Path | None, as_json: bool) -> None:
    """List what is watched, with what was last seen.

    \b
    Example: otium watch list --ics models.ics
    """
    from otium.feeds import load_watching

    watching = load_watching(home)
    _write(ics, watching)
    emit(watching, as_json, lambda: _listed(watching) or "Nothing is watched.")


@watch.command()
@_ics
@dry_run
@as_json
@click.pass_obj
def check(home: Path, ics: Path | None, dry_run: bool, as_json: bool) -> None:
    """Look at the tables again: what changed, and what comes within 90 days.

    For a timer. The exit code is 1 when something changed, is near, vanished or could not be
    read, else 0. A change is told once; with --dry-run it will be told again.

    \b
    Example: otium watch check || notify-the-team
    """
    from otium.feeds import check as compare
    from otium.feeds import fetch_tables, load_watching, save_watching
    from otium.records import SystemClock

    watching = load_watching(home)
    tables, unread = fetch_tables(watching)
    found, seen = compare(watching, tables, SystemClock().now(), unread)
    emit(found, as_json, lambda: _text(found, len(seen.models)))
    _write(ics, seen)
    if not dry_run:
        save_watching(home, seen)
    if not found.quiet:
        raise click.exceptions.Exit(1)


def _listed(watching: Watching) -> str:
    """Return a line for each date that is known, then a line for each table that was read."""
    dates = [
        (one.model, what, on)
        for one in watching.models
        for what, on in sorted(one.seen.dates.items()) or [("no date known", "-")]
    ]
    tables = [
        (
            one.model,
            one.seen.replacement or ("none" if one.seen.replacement_stated else "-"),
            one.seen_at[:10],
            (one.missing_since or "-")[:10],
            one.source,
        )
        for one in watching.models
    ]
    head = ("model", "replacement", "seen", "missing since", "source")
    parts = [table(("model", "what", "day"), dates), table(head, tables)] if dates else []
    doubts = [f"{one.model}: {doubt}" for one in watching.models for doubt in one.seen.doubts]
    return "\n\n".join([*parts, *doubts])


def _dates(seen: Outside) -> str:
    dates = ", ".join(f"{what} {day}" for what, day in sorted(seen.dates.items()))
    doubts = f" ({'; '.join(seen.doubts)})" if seen.doubts else ""
    return (dates or "no date known") + doubts


def _write(ics: Path | None, watching: Watching) -> None:
    from otium.feeds import watch_calendar

    if ics:
        ics.write_bytes(watch_calendar(watching).encode())


def _text(found: Checked, count: int) -> str:
    changes = [
        (
            "ALARM" if change.alarm else "",
            change.model,
            change.kind,
            change.what,
            change.was or ("unknown" if change.what else "-"),
            change.now or ("unknown" if change.what else "-"),
        )
        for change in found.changes
    ]
    near = [(f"within {n.within}", n.model, n.what, n.day, n.days) for n in found.near]
    parts = [
        table(("", "model", "change", "of", "was", "is now"), changes) if changes else "",
        table(("days", "model", "what", "day", "days left"), near) if near else "",
        *(f"ALARM: {model} is not in its table, and no end was given" for model in found.missing),
        *(f"not read: {why}" for why in found.unread.values()),
        f"no end is known of: {', '.join(found.undated)}" if found.undated else "",
        f"models watched: {count}; nothing changed, nothing is near" if found.quiet else "",
    ]
    return "\n\n".join(filter(None, parts))
