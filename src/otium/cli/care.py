"""``otium ledger``, ``duties``, ``tick`` and ``doctor``: what was promised, and is all well."""

from __future__ import annotations

from pathlib import Path

import click

from otium.terminal import as_json, day, dry_run, emit, progress, table


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


@click.command()
@click.argument("name", required=False)
@click.option("--state", type=click.Choice(["kept", "due", "overdue", "breached"]))
@as_json
@click.pass_obj
def duties(home: Path, name: str | None, state: str | None, as_json: bool) -> None:
    """Say which promises are kept, due, overdue or breached.

    \b
    Example: otium duties smol-1 --state due
    """
    from otium.lifecycle import standing
    from otium.workflow import reading

    registry = reading(home).registry
    if name not in {None, *(entry.body.get("preference") for entry in registry.entries())}:
        registry.model(str(name))
    chosen = [
        d
        for d in standing(registry, registry.clock.now())
        if name in (None, d.subject) and state in (None, d.state)
    ]
    rows = [(d.state, d.commitment, d.subject, day(d.due), d.why) for d in chosen]
    head = ("state", "commitment", "subject", "due", "why")
    emit(chosen, as_json, lambda: table(head, rows) if rows else "No duty to show.")


@click.command()
@dry_run
@as_json
@click.pass_obj
def tick(home: Path, dry_run: bool, as_json: bool) -> None:
    """Do what is due: heartbeat, full reads, restore drills. Run it daily.

    \b
    Example (cron): 7 4 * * *  otium --home /srv/lab tick --json
    """
    from otium.errors import DamagedObject
    from otium.workflow import opened
    from otium.workflow import tick as act

    with opened(home) as house, progress(as_json) as report:
        done = act(house, dry_run=dry_run, progress=report)
    rows = [(d.state, d.commitment, d.subject, day(d.due)) for d in done.waiting]
    summary = [
        f"heartbeat: {'logged' if done.heartbeat else 'not due'}",
        f"full reads: {', '.join(done.checked) or 'none due'}",
        f"restore drills: {', '.join(done.drilled) or 'none due'}",
        *(f"damaged: {d.name}, {d.found} where {d.expected} was stored" for d in done.damage),
        "waiting for people:" if rows else "nothing waits for people",
    ]
    emit(
        done,
        as_json,
        lambda: (
            "\n".join(summary)
            + (f"\n{table(('state', 'commitment', 'subject', 'due'), rows)}" if rows else "")
        ),
    )
    if done.damage:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@click.command()
@as_json
@click.pass_obj
def doctor(home: Path, as_json: bool) -> None:
    """Look at what otium needs on this machine and in this home, and say what mends it.

    \b
    Example: otium --home lab doctor
    """
    from otium.workflow import examine

    asked = click.get_current_context().find_root()
    named = asked.get_parameter_source("home") != click.core.ParameterSource.DEFAULT
    findings = examine(home if named or home.exists() else None)
    rows = [(f.state, f.name, f.text, f.mend) for f in findings]
    emit(findings, as_json, lambda: table(("state", "what", "found", "mend with"), rows))
    if any(f.state == "missing" for f in findings):
        raise click.exceptions.Exit(1)
