"""The commands that record how a model behaves, and certify that it still does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, count, emit, progress, table

if TYPE_CHECKING:
    from otium.fingerprints import Certificate, FingerprintStudy, Row

_FILES = click.Path(path_type=Path, exists=True)
_calibration = click.option(
    "--calibration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Judge by these measurements, not by otium's own.",
)


@click.command()
@click.argument("name")
@as_json
@click.pass_obj
def fingerprint(home: Path, name: str, as_json: bool) -> None:
    """Record how a model behaves, so that a revival can be certified.

    Greedy tokens, their likeliest alternatives, and what rules read in answers about style,
    refusals, leaving and choices; with engine, settings and hardware.

    \b
    Example: otium model fingerprint smol-1
    """
    from otium.workflow import fingerprint_model, opened, running

    with (
        opened(home) as house,
        progress(as_json) as report,
        running(house, name, progress=report) as alive,
    ):
        taken = fingerprint_model(house, alive.identity.model, alive)
    probes = len(taken.probes)
    emit(taken, as_json, lambda: f"{probes} probes recorded for {taken.identity.weights}")


@click.command()
@click.argument("name")
@as_json
@click.pass_obj
def revive(home: Path, name: str, as_json: bool) -> None:
    """Start an archived model once and certify that it behaves as it did.

    A canary: it asks a few prompts of the fingerprint, and stops as soon as it is sure.

    \b
    Example: otium model revive smol-1
    """
    from otium.records import model_id
    from otium.workflow import opened, revive_model

    with opened(home) as house, progress(as_json) as report:
        found = revive_model(house, model_id(name), progress=report)
    emit(found, as_json, lambda: _certificate(found))


@click.command()
@click.argument("name")
@_calibration
@as_json
@click.pass_obj
def drill(home: Path, name: str, calibration: Path | None, as_json: bool) -> None:
    """Start an archived model and compare it with its whole fingerprint.

    The certificate is filed and logged, also if it is a bad one; the command then ends with 42.

    \b
    Example: otium model drill smol-1 --json
    """
    from otium.records import model_id
    from otium.workflow import drill_model, opened

    with opened(home) as house, progress(as_json) as report:
        found = drill_model(house, model_id(name), calibration=calibration, progress=report)
    _shown(found, as_json)


@click.command()
@click.argument("name")
@click.argument("files", type=_FILES)
@click.option("--whole", is_flag=True, help="Ask everything, not just until it is sure.")
@_calibration
@as_json
@click.pass_obj
def certify(
    home: Path, name: str, files: Path, whole: bool, calibration: Path | None, as_json: bool
) -> None:
    """Compare what runs from FILES, quantised or converted, with a model's fingerprint.

    The certificate says what was run beside what was fingerprinted. Nothing is logged. Ends with
    42 if what was run may not be called the model.

    \b
    Example: otium model certify smol-1 ./smol-1-q8.gguf --whole
    """
    from otium.records import model_id
    from otium.workflow import certify_files, opened

    with opened(home) as house:
        found = certify_files(
            house,
            model_id(name),
            files,
            scope="battery" if whole else "canary",
            calibration=calibration,
        )
    _shown(found, as_json)


CERTIFYING: Sequence[click.Command] = (fingerprint, revive, drill, certify)


@click.command("fingerprint")
@click.option("--files", type=_FILES, help="A GGUF, or a directory with one and an adapter.")
@click.option("--only", multiple=True, metavar="VARIANT", help="Try this variant (repeat).")
@click.option("--quick", is_flag=True, help="Every third prompt, and the quick variants.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-bench"),
    show_default=True,
    help="Where variants are written meanwhile.",
)
@as_json
def fingerprint_bench(
    files: Path | None, only: tuple[str, ...], quick: bool, work: Path, as_json: bool
) -> None:
    """Print how often certificates err, on real variants of a model.

    Other settings and arithmetic, requantised, damaged, another template, vocabulary or adapter.
    Both error rates are printed beside the declared ones. Without --files the demo's model is
    taken: about ten minutes, or one with --quick. Ends with 1 if a battery is wrong.

    \b
    Example: otium bench fingerprint --quick
    """
    from otium.engine import packaged_weights
    from otium.fingerprints import QUICK, every_third, fingerprint_study

    with progress(as_json) as report:
        found = fingerprint_study(
            files or packaged_weights(),
            work,
            name=files.stem if files else "SmolLM2-135M",
            only=only or (QUICK if quick else ()),
            prompts=every_third() if quick else None,
            progress=report,
        )
    emit(found, as_json, lambda: _study(found))
    if any(row.wrong_battery for row in found.rows):
        raise click.exceptions.Exit(1)


def _shown(found: Certificate, as_json: bool) -> None:
    from otium.errors import FingerprintDiffers

    emit(found, as_json, lambda: _certificate(found))
    if not found.same:
        raise click.exceptions.Exit(FingerprintDiffers.exit_code)


def _certificate(found: Certificate) -> str:
    equal = f"{found.tokens_equal} of {found.tokens_compared} tokens equal"
    lines = [f"{found.verdict}: {equal}, {found.identity.weights}"]
    if found.label:
        asked = f"{count(len(found.asked), 'prompt')} of its {found.scope}"
        lines.append(f"{found.label}; {asked}: {found.name}")
    if found.scope:
        errors = f"alpha {found.alpha:g}, beta {found.beta:g}"
        lines.append(f"the test found {found.decision} after {found.decided_after} ({errors})")
    if found.behaviours:
        said = (f"{it.kind} {it.agreed} of {it.asked}" for it in found.behaviours)
        lines.append("behaves as before: " + ", ".join(said))
    if found.unexpected:
        lines.append(f"{found.expected} was expected: find out what changed")
    return "\n".join(lines)


def _study(found: FingerprintStudy) -> str:
    head = ("variant", "truth", "moved", "exact", "canary", "prompts", "tokens", "wrong")
    shares = ", ".join(f"{it:.0%}" for it in found.shares) or "all"
    canaries = f"false alarms {found.false_alarms.text(3)}, misses {found.misses.text(3)}"
    drawn = f"false alarms {found.battery_false_alarms:.3f}, misses {found.battery_misses:.3f}"
    declared = f"false alarms {found.alpha:g}, misses {found.beta:g}"
    lines = [
        f"{found.model}, {found.storage}: {found.probes} prompts, {found.engine}",
        table((*head, "battery", "drawn anew, wrong"), [_row(row) for row in found.rows]),
        f"canaries: {canaries}; undecided: {found.undecided:.3f}",
        f"batteries, drawn anew, at most: {drawn}",
        f"declared: {declared}, for faults on {shares} of the prompts; undecided is a false alarm",
    ]
    if found.left_out:
        lines.append("judged by what was measured on other models")
    return "\n".join(lines)


def _row(row: Row) -> tuple[object, ...]:
    canary = ", ".join(f"{side} {share:.0%}" for side, share in row.canary.items() if share)
    either = "either is right"
    wrong = row.wrong.text() if row.wrong else either
    moved = "-" if row.moved is None else f"{row.moved:.3f}"
    drawn = either if row.battery_wrong is None else f"{row.battery_wrong:.3f}"
    cells = (row.variant, row.truth, moved, row.exact, canary)
    return (*cells, f"{row.probes:g}", f"{row.tokens:g}", wrong, row.battery, drawn)
