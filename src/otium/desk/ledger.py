"""``otium ledger``: what was logged, by whom, and how anyone can tell."""

from __future__ import annotations

from pathlib import Path

import click

from otium.desk.documents import document
from otium.desk.witnesses import COMMANDS
from otium.terminal import as_json, day, emit, table

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def ledger() -> None:
    """Show, verify and prove what was logged; say who may sign, and who saw it.

    \b
    Example:
      otium ledger show --last 10
      otium ledger verify otium-demo
    """


for _command in (*COMMANDS, document):
    ledger.add_command(_command)


@ledger.command()
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many entries."
)
@click.option("--model", help="Only entries about this model.")
@click.option("--type", "kind", help="Only entries of this type.")
@as_json
@click.pass_obj
def show(home: Path, last: int, model: str | None, kind: str | None, as_json: bool) -> None:
    """Show the newest entries, with who signed each.

    \b
    Example: otium ledger show --model smol-1
    """
    from otium.workflow import reading

    registry = reading(home).registry
    if model:
        registry.model(model)
    refused = {it.index: it.why for it in registry.journal.refused()}
    chosen = [
        (n, entry)
        for n, entry in enumerate(registry.journal.logged())
        if model in (None, entry.subject) and kind in (None, entry.type)
    ][-last:]
    rows = [
        (
            n,
            it.time,
            it.type,
            it.subject,
            it.actor,
            f"no: {refused[n]}"
            if n in refused
            else ", ".join(s.key.split("+")[0] for s in it.sigs) or "-",
        )
        for n, it in chosen
    ]
    head = ("entry", "time", "type", "subject", "actor", "signed by")
    found = [{"index": n, **it.plain()} for n, it in chosen]
    emit(found, as_json, lambda: table(head, rows) if rows else "No such entry.")


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
    lines = [
        f"{found.entries} entries, {found.objects} objects, {found.bytes:,} bytes: all verified",
        f"root {found.root}",
        *(
            f"not authorised: entry {it.index}, {it.type} of {it.subject}: {it.why}"
            for it in found.refused
        ),
        *(
            f"doubtful: entry {it.index} was signed by {it.key} when that was compromised"
            for it in found.doubtful
        ),
    ]
    emit(found, as_json, lambda: table(head, rows) if rows else "\n".join(lines))
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


@ledger.command()
@as_json
@click.pass_obj
def keys(home: Path, as_json: bool) -> None:
    """List the keys that may sign entries, their roles, and those that lost them.

    \b
    Example: otium ledger keys
    """
    from otium.authority import Keyring
    from otium.workflow import reading

    house = reading(home)
    mine = Keyring.load(house.role_keys)
    standing = list(house.registry.journal.judge().keys.values())
    rows = [
        (
            it.id,
            ", ".join(it.roles) or "-",
            day(it.since),
            day(it.revoked),
            "yes" if it.id in mine else "no",
            it.reason or "-",
        )
        for it in standing
    ]
    head = ("key", "roles", "since", "revoked", "lies here", "why")
    none = "This log has no roles: whoever holds its key may say anything."
    emit(standing, as_json, lambda: table(head, rows) if rows else none)


@ledger.command("key")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--cosigner", is_flag=True, help="Make a mirror's keys, for ledger mirror --cosign.")
def make_key(name: str, out: Path, cosigner: bool) -> None:
    """Make a role key for a person or machine; NAME is no person's name.

    Its owner keeps the file. Its public part, which is printed, is granted roles by
    `otium ledger grant`.

    \b
    Example: otium ledger key steward-2 --out steward-2.pem
    """
    from otium.notes import Cosigner, RoleKey

    if cosigner:
        mirror = Cosigner.generate(name)
        mirror.save(out)
        click.echo("\n".join(mirror.vkeys))
        return
    made = RoleKey.generate(name)
    made.save(out)
    click.echo(made.vkey)
    click.echo(f"Next, where a root key lies: otium ledger grant {made.vkey} ROLE", err=True)


@ledger.command()
@click.argument("key", metavar="VKEY")
@click.argument("roles", nargs=-1, required=True)
@as_json
@click.pass_obj
def grant(home: Path, key: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Give a key its roles from now on, and no others. A root key has to lie here.

    \b
    Example: otium ledger grant steward-2+1a2b3c4d+AQ... steward decider
    """
    from otium.authority import ROLES
    from otium.lifecycle import grant_key
    from otium.workflow import opened

    chosen = [role for role in ROLES if role in roles]
    for role in sorted(set(roles) - set(chosen)):
        raise click.UsageError(f"{role!r} is not one of {', '.join(ROLES)}")
    with opened(home) as house:
        entry = grant_key(house.registry, key, chosen)
    emit(entry, as_json, lambda: f"{_id(key)} is {', '.join(chosen)} from now on.")


@ledger.command()
@click.argument("key", metavar="NAME+ID")
@click.option("--reason", required=True, help="Why, for the public record.")
@click.option("--compromised-since", help="What it signed from then on is named as suspect.")
@as_json
@click.pass_obj
def revoke(home: Path, key: str, reason: str, compromised_since: str | None, as_json: bool) -> None:
    """Take a key's roles for ever, because it was lost, stolen or its owner left.

    \b
    Example: otium ledger revoke steward-1+1a2b3c4d --reason "lost with a notebook"
    """
    from otium.lifecycle import revoke_key
    from otium.records import instant
    from otium.workflow import opened

    since = instant(compromised_since) if compromised_since else None
    with opened(home) as house:
        entry = revoke_key(house.registry, key, reason=reason, compromised_since=since)
    emit(entry, as_json, lambda: f"{key} has no role from now on.")


@ledger.command()
@as_json
@click.pass_obj
def waiting(home: Path, as_json: bool) -> None:
    """List the acts that wait for a second person's signature.

    \b
    Example: otium ledger waiting
    """
    from otium.workflow import reading
    from otium.workflow import waiting as acts

    found = acts(reading(home))
    rows = [
        (name, it.type, it.subject, day(it.time), ", ".join(s.key for s in it.sigs))
        for name, it in found.items()
    ]
    head = ("name", "act", "subject", "since", "signed by")
    emit(found, as_json, lambda: table(head, rows) if rows else "Nothing waits.")


@ledger.command()
@click.argument("name")
@click.option("--key", "keys", multiple=True, type=_FILE, help="Your role key (repeat).")
@as_json
@click.pass_obj
def approve(home: Path, name: str, keys: tuple[Path, ...], as_json: bool) -> None:
    """Sign an act that waits for a second person, and log it.

    \b
    Example: otium ledger approve model-retired-smol-1-5f3a9c01 --key steward-2.pem
    """
    from otium.workflow import approve as sign
    from otium.workflow import opened

    with opened(home) as house:
        entry = sign(house, name, keys)
    emit(entry, as_json, lambda: f"{entry.type} of {entry.subject} was logged at {entry.time}.")


def _id(vkey: str) -> str:
    """Return the ``name+ID`` of a verifier key, whose base64 may have a plus too."""
    return "+".join(vkey.split("+")[:2])


@ledger.command()
@click.argument("name")
@click.pass_obj
def discard(home: Path, name: str) -> None:
    """Forget an act that waits for a second person. Nothing of it was logged.

    \b
    Example: otium ledger discard model-retired-smol-1-5f3a9c01
    """
    from otium.workflow import discard as forget
    from otium.workflow import opened

    with opened(home) as house:
        forget(house, name)
    click.echo(f"{name} is forgotten.")
