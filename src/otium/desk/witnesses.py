"""``otium ledger witness``, ``mirror`` and ``stamp``: what others say of a log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from otium.terminal import as_json, emit, progress, table

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def witness() -> None:
    """Have others see that everybody is shown one history, and do so for others.

    \b
    Example:
      otium ledger witness adopt witnesses.policy
      otium ledger witness serve --state witness --log VKEY
    """


@witness.command()
@click.argument("file", type=_FILE)
@as_json
@click.pass_obj
def adopt(home: Path, file: Path, as_json: bool) -> None:
    """Say, in the log, whose cosignatures you ask for: FILE is a C2SP tlog-policy.

    \b
    Example: otium ledger witness adopt witnesses.policy
    """
    from otium.upkeep import adopt_witnesses
    from otium.workflow import opened

    with opened(home) as house:
        entry = adopt_witnesses(house, file)
    emit(entry, as_json, lambda: "The witnesses are adopted. Next: otium ledger witness ask")


@witness.command("ask")
@as_json
@click.pass_obj
def ask_(home: Path, as_json: bool) -> None:
    """Have the newest checkpoint cosigned by your witnesses. A daily tick does it too.

    \b
    Example: otium ledger witness ask
    """
    from otium.errors import WitnessRefused
    from otium.upkeep import ask_witnesses
    from otium.workflow import opened

    with opened(home) as house:
        asked = ask_witnesses(house)
    emit(asked, as_json, lambda: str(asked))
    if not asked.met:
        raise click.exceptions.Exit(WitnessRefused.exit_code)


@witness.command("serve")
@click.option("--state", type=_FOLDER, required=True, help="Where its key and memory lie.")
@click.option("--log", "logs", multiple=True, required=True, help="A verifier key (repeat).")
@click.option("--name", help="Begin a new witness of this name: witness.example/w1.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8422, show_default=True)
def serve_(state: Path, logs: tuple[str, ...], name: str | None, host: str, port: int) -> None:
    """Be a witness for partners until Ctrl-C: cosign their logs while they only grow.

    Every key of a log is given; its origin is the keys' name.

    \b
    Example: otium ledger witness serve --state witness --name witness.example/w1 --log VKEY
    """
    from otium.witness import known_logs, open_witness, serve

    made = open_witness(state, known_logs(logs), name=name)
    for vkey in made.vkeys:
        click.echo(f"witness W {vkey}")
    click.echo(f"http://{host}:{port}/ (Ctrl-C to stop)")
    serve(made, host, port)


@click.command()
@click.argument("source")
@click.argument("into", type=_FOLDER)
@click.option("--key", "keys", multiple=True, required=True, help="A key of the log (repeat).")
@click.option("--policy", type=_FILE, help="A C2SP tlog-policy whose quorum must have cosigned.")
@click.option("--cosign", type=_FILE, help="Cosign the copy with this mirror's key.")
@as_json
def mirror(
    source: str,
    into: Path,
    keys: tuple[str, ...],
    policy: Path | None,
    cosign: Path | None,
    as_json: bool,
) -> None:
    """Keep a copy of somebody's log; a history that does not go on from it is refused.

    SOURCE is a directory or an address, of an archive or of a log alone.

    \b
    Example: otium ledger mirror https://example.org/archive copy --key VKEY --key VKEY
    """
    from otium.notes import Cosigner, read_policy
    from otium.store import LocalStore
    from otium.witness import mirror as copy

    with progress(as_json) as report:
        done = copy(
            source,
            LocalStore(into),
            keys,
            read_policy(policy.read_bytes()) if policy else None,
            cosigner=Cosigner.load(cosign) if cosign else None,
            progress=report,
        )
    emit(done, as_json, lambda: str(done))


@click.command()
@click.option("--check", is_flag=True, help="Only verify the time stamps that are there.")
@as_json
@click.pass_obj
def stamp(home: Path, check: bool, as_json: bool) -> None:
    """Have the log stamped by the authorities in authorities.toml; renew what expires soon.

    \b
    Example: otium ledger stamp --check
    """
    from otium.upkeep import stamp_log, stamps
    from otium.workflow import opened, reading

    if check:
        found = stamps(reading(home))
        head = ("entries", "authority", "time", "expires")
        rows = [(it.size, it.authority, it.time, it.expires) for it in found]
        emit(found, as_json, lambda: table(head, rows) if rows else "There is no time stamp.")
        return
    with opened(home) as house:
        done = stamp_log(house)
    emit(done, as_json, lambda: "\n".join(map(str, done)))


COMMANDS: Sequence[click.Command] = (witness, mirror, stamp)
