"""``otium audit``: proof to an outsider that the weights are still held."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, count, day, dry_run, emit, few, progress, table

if TYPE_CHECKING:  # they load engines
    from otium.audit import Outcome, Sealing
    from otium.workflow import Home

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUT = click.Path(path_type=Path, dir_okay=False)
_NEARLY = 0.9999
_no_log = click.option("--no-log", is_flag=True, help="Log nothing: a copy of the log will do.")


@click.group()
def audit() -> None:
    """Prove, and verify without the weights, that a custodian still holds them.

    \b
    Example:
      otium audit seal
      otium audit challenge --custodian vault --out challenge.json
      otium audit respond challenge.json --copy /mnt/copy --out response
      otium audit verify challenge.json response
    """


@audit.command()
@click.option(
    "--reads", type=click.IntRange(min=1), help="Seal so many full-read challenges instead."
)
@click.option("--behaviour", metavar="MODEL", help="Seal how a model answers random prompts.")
@click.option(
    "--prompts",
    type=click.IntRange(min=1),
    default=48,
    show_default=True,
    help="How many, with --behaviour.",
)
@click.option("--same", default=0.96, show_default=True, help="The same model's token agreement.")
@click.option("--other", default=0.85, show_default=True, help="Another model's, at most.")
@click.option("--keep", type=_OUT, help="The auditor's private file (mode 0600).")
@dry_run
@as_json
@click.pass_obj
def seal(
    home: Path,
    reads: int | None,
    behaviour: str | None,
    prompts: int,
    same: float,
    other: float,
    keep: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Log the Merkle root of each pack; or keep an auditor's secrets and commit to them.

    \b
    Example: otium audit seal --reads 60 --keep reads.json
    """
    from otium.audit import Tolerance
    from otium.upkeep import auditing
    from otium.workflow import opened, reading

    if not reads and not behaviour:
        if dry_run:
            _show_sealing(auditing.seal_packs(reading(home), dry_run=True), as_json, dry=True)
            return
        with opened(home) as house, progress(as_json) as report:
            done = auditing.seal_packs(house, progress=report)
        _show_sealing(done, as_json, dry=False)
        return
    if keep is None or dry_run or (reads and behaviour):
        raise click.UsageError("give --reads N or --behaviour MODEL, with --keep FILE, not dry")
    bounds = Tolerance(same=same, other=other)
    with opened(home) as house, progress(as_json) as report:
        if reads:
            auditing.seal_reads(house, reads, keep, progress=report)
        else:
            auditing.seal_behaviour(
                house, str(behaviour), keep, prompts=prompts, tolerance=bounds, progress=report
            )
    text = f"{keep}: keep it private. The log has a commitment to it, and tells nothing of it."
    emit({"file": str(keep)}, as_json, lambda: text)


def _show_sealing(done: Sealing, as_json: bool, *, dry: bool) -> None:
    from otium.errors import DamagedObject

    would = "would be " if dry else ""
    lines = [f"{count(len(done.packs), 'pack')}, {done.bytes:,} bytes {would}sealed"]
    if not done.packs and not done.damaged:
        lines = ["Nothing new to seal."]
    lines += [f"models that rest on them: {few(done.models)}"] if done.models else []
    lines += [f"damaged, and so not sealed: {name}" for name in done.damaged]
    emit(done, as_json, lambda: "\n".join(lines))
    if done.damaged:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@audit.command()
@click.option("--out", type=_OUT, required=True, help="The challenge, for the custodian.")
@click.option("--custodian", required=True, help="Whom you ask: a place, never a person.")
@click.option("--samples", type=int, default=460, show_default=True, help="Leaves to draw.")
@click.option("--model", "models", multiple=True, help="Draw from this model's packs (repeat).")
@click.option("--beacon", default="", help="Public randomness to add.  [default: fresh bytes]")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=7.0,
    show_default=True,
    help="Until the deadline.",
)
@click.option("--from", "sealed", type=_FILE, help="Take the next challenge of a sealed file.")
@_no_log
@as_json
@click.pass_obj
def challenge(
    home: Path,
    out: Path,
    custodian: str,
    samples: int,
    models: tuple[str, ...],
    beacon: str,
    days: float,
    sealed: Path | None,
    no_log: bool,
    as_json: bool,
) -> None:
    """Draw leaves by the newest checkpoint, and write the challenge.

    \b
    Example: otium audit challenge --custodian vault --out challenge.json
    """
    from otium.audit import Challenge, chances
    from otium.upkeep import auditing

    with _home(home, no_log) as house:
        asked = auditing.ask(
            house,
            out,
            custodian=custodian,
            days=days,
            samples=samples,
            models=models,
            beacon=beacon,
            sealed=sealed,
            logged=not no_log,
        )
    odds = chances(samples) if isinstance(asked, Challenge) else {}
    lines = [f"{out}: audit {asked.digest()}, to be answered by {asked.deadline}"]
    lines += [f"chance to catch a loss of {lost:.1%}: {_odds(odd)}" for lost, odd in odds.items()]
    found = {"audit": asked.digest(), "deadline": asked.deadline}
    caught = {f"{lost:g}": round(odd, 6) for lost, odd in odds.items()}
    emit({**found, "caught": caught}, as_json, lambda: "\n".join(lines))


@audit.command()
@click.argument("file", type=_FILE)
@click.option("--out", type=_OUT, required=True, help="The response, for the auditor.")
@click.option("--copy", help="The copy with the packs: a directory or bucket URL.")
@click.option("--cache", type=click.Path(path_type=Path), help="Where trees of packs are kept.")
@as_json
@click.pass_obj
def respond(
    home: Path, file: Path, out: Path, copy: str | None, cache: Path | None, as_json: bool
) -> None:
    """Answer the challenge in FILE from a copy of the packs; of a behaviour, by the model.

    \b
    Example: otium audit respond challenge.json --copy /mnt/copy --out response
    """
    from otium.audit import BehaviourChallenge, read_challenge
    from otium.errors import DamagedObject
    from otium.upkeep import auditing
    from otium.workflow import opened

    asked = read_challenge(file.read_bytes())
    with progress(as_json) as report:
        if isinstance(asked, BehaviourChallenge):
            with opened(home) as house:
                done = auditing.answer_by_model(house, asked, out, progress=report)
        elif copy is None:
            raise click.UsageError("name the copy with the packs: --copy PLACE")
        else:
            done = auditing.answer(asked, out, copy=copy, cache=cache, progress=report)
    lines = [f"{out}: {done.bytes:,} bytes, for the audit {done.audit}"]
    if not done.verified:
        lines.append("the copy has no log, so that the log drew these leaves was not verified")
    lines += [f"not held as it was sealed: {name}" for name in done.lacking]
    emit(done, as_json, lambda: "\n".join(lines))
    if done.lacking:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@audit.command()
@click.argument("challenge", type=_FILE)
@click.argument("response", type=_FILE, required=False)
@click.option("--from", "sealed", type=_FILE, help="The sealed file that the challenge is from.")
@_no_log
@as_json
@click.pass_obj
def verify(
    home: Path,
    challenge: Path,
    response: Path | None,
    sealed: Path | None,
    no_log: bool,
    as_json: bool,
) -> None:
    """Say what RESPONSE proves, and log the verdicts; without it, once late, that none came.

    \b
    Example: otium audit verify challenge.json response
    """
    from otium.audit import read_challenge
    from otium.errors import AuditFailed
    from otium.upkeep import auditing

    asked = read_challenge(challenge.read_bytes())
    with _home(home, no_log) as house:
        judged = auditing.judge(house, asked, response, sealed=sealed, logged=not no_log)
    outcome = judged.outcome
    rows = [
        (one.verdict, one.model, one.samples, _odds(one.caught_at_1_percent))
        for one in outcome.models
    ]
    shown = table(("verdict", "model", "samples", "chance to catch a loss of 1%"), rows)
    emit(judged, as_json, lambda: "\n".join([shown, *_reasons(outcome)]))
    if not outcome.passed:
        raise click.exceptions.Exit(AuditFailed.exit_code)


def _reasons(outcome: Outcome) -> list[str]:
    if outcome.response is None:
        return [f"no response came by {outcome.deadline}"]
    return [f"not answered rightly: pack {name}" for name in outcome.failed]


@audit.command()
@as_json
@click.pass_obj
def status(home: Path, as_json: bool) -> None:
    """List the audits that the log knows, and the packs that none can reach yet.

    \b
    Example: otium audit status
    """
    from otium.upkeep import auditing
    from otium.workflow import reading

    found = auditing.audits(reading(home))
    rows = [
        (one.state, one.kind, one.custodian, day(one.asked), day(one.deadline), few(one.models))
        for one in found.audits
    ]
    head = ("state", "kind", "custodian", "asked", "deadline", "models")
    lines = [table(head, rows) if rows else "No audit was asked for yet."]
    lines.append(f"sealed: {count(found.sealed, 'pack')}; not yet: {len(found.unsealed)}")
    lines += [f"not yet sealed: {name}" for name in found.unsealed]
    lines += ["Next: otium audit seal"] if found.unsealed else []
    emit(found, as_json, lambda: "\n".join(lines))


def _odds(chance: float) -> str:
    """Return a chance in per cent; one that is short of certain is never printed as certain."""
    return f"{chance:.2%}" if chance <= _NEARLY or chance == 1 else f"over {_NEARLY:.2%}"


def _home(path: Path, no_log: bool) -> AbstractContextManager[Home]:
    from otium.workflow import opened, reading

    return nullcontext(reading(path)) if no_log else opened(path)
