"""``otium bench``: measure otium beside its peers, on your machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.examining import fingerprint_bench
from otium.hosting import benches, columns, goal_table, rendered, soaks
from otium.terminal import as_json, emit, progress, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from otium.bench import CrashRuns, Goal, Line, Report, Section

_DIRECTORY = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group()
def bench() -> None:
    """Measure archive, revival, ledger, interviews, gateway, closure: bytes, speed, crashes.

    \b
    Example: otium bench archive --quick
    """


for command in (fingerprint_bench, *benches, *soaks):
    bench.add_command(command)


@bench.command()
@click.option(
    "--family",
    "families",
    type=_DIRECTORY,
    multiple=True,
    help="A directory of base.safetensors and fine-tunes of it (repeat).",
)
@click.option("--pairs", type=_DIRECTORY, help="What scripts/fetch_release_pairs.py wrote.")
@click.option("--only", multiple=True, metavar="SECTION", help="Measure this section (repeat).")
@click.option("--rounds", default=3, show_default=True, help="How often each is timed.")
@click.option("--quick", is_flag=True, help="One round, without the slow peers.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-bench"),
    show_default=True,
    help="Where a small family is trained and models are kept meanwhile.",
)
@as_json
def archive(
    families: tuple[Path, ...],
    pairs: Path | None,
    only: tuple[str, ...],
    rounds: int,
    quick: bool,
    work: Path,
    as_json: bool,
) -> None:
    """Compare the archive with its peers on the same models, in the same run.

    Without --family a small language model and five fine-tunes are trained by numpy first
    (a minute). Peers that are not installed are named with what installs them. Sections:
    fine-tunes, sweep, retrained, standalone, quants, kernels, family, search, recover.

    \b
    Example: otium bench archive --quick --only fine-tunes
    """
    from otium.bench import archive_bench

    with progress(as_json) as report:
        found = archive_bench(
            work,
            families=families,
            pairs=pairs,
            only=only,
            rounds=rounds,
            quick=quick,
            progress=report,
        )
    emit(found, as_json, lambda: figures(found))
    if any(section.failed for section in found.sections):
        raise click.exceptions.Exit(1)


@bench.command()
@click.option("--runs", default=20_000, show_default=True, help="How many stores are tried.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same trials.")
@as_json
def crash(runs: int, seed: int, as_json: bool) -> None:
    """Cut the power, kill writers and fail disks, at any moment; look what is lost.

    The store's real code runs over a simulated disk. Disks with a seeded bug show that the
    trials find what they are to find. Ends with 1 if anything was lost or a bug not seen.

    \b
    Example: otium bench crash --runs 2000
    """
    from otium.bench import crash_runs

    found = crash_runs(runs, seed)
    emit(found, as_json, lambda: _trials(found))
    if found.problems or not all(found.bugs_found_after.values()):
        raise click.exceptions.Exit(1)


@bench.command()
@click.option("--only", multiple=True, metavar="SECTION", help="Measure this section (repeat).")
@click.option("--rounds", default=3, show_default=True, help="How often each is timed.")
@click.option("--quick", is_flag=True, help="One round, a tenth of everything.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-bench"),
    show_default=True,
    help="Where logs are written meanwhile.",
)
@as_json
def ledger(only: tuple[str, ...], rounds: int, quick: bool, work: Path, as_json: bool) -> None:
    """Time the ledger, its proofs and signatures, and the duties; beside pymerkle, if it is here.

    Sections: append, prove, verify, duties, audit.

    \b
    Example: otium bench ledger --only duties
    """
    from otium.timing import SECTIONS, Scale

    for name in sorted(set(only) - set(SECTIONS)):
        raise click.UsageError(f"no section {name!r}; there are {', '.join(SECTIONS)}")
    scale = Scale(work, share=10) if quick else Scale(work, rounds=rounds)
    found: list[Goal] = []
    with progress(as_json) as report:
        chosen = [name for name in SECTIONS if name in (only or SECTIONS)]
        for number, name in enumerate(chosen):
            report(name, number, len(chosen))
            found += SECTIONS[name](scale)
    emit(found, as_json, lambda: rendered([goal_table(found)]))


@bench.command("interview")
@click.option("--rounds", default=3, show_default=True, help="How often it is held.")
@click.option("--quick", is_flag=True, help="One round, a fifth of the sessions.")
@as_json
def bench_interview(rounds: int, quick: bool, as_json: bool) -> None:
    """Time an interview of 1,000 sessions with a planted subject, its coding and statistics.

    \b
    Example: otium bench interview --quick
    """
    from otium.timing import Scale, interviewing

    found = interviewing(Scale(Path(), share=5) if quick else Scale(Path(), rounds=rounds))
    emit(found, as_json, lambda: rendered([goal_table(found)]))


@bench.command("assess")
@click.option("--rounds", default=3, show_default=True, help="How often it is held.")
@click.option("--quick", is_flag=True, help="One round, a fifth of the plays.")
@as_json
def bench_assess(rounds: int, quick: bool, as_json: bool) -> None:
    """Time 1,000 plays of a planted agent, with verdicts, gate and record.

    \b
    Example: otium bench assess --quick
    """
    from otium.timing import Scale, assessing

    found = assessing(Scale(Path(), share=5) if quick else Scale(Path(), rounds=rounds))
    emit(found, as_json, lambda: rendered([goal_table(found)]))


def _trials(found: CrashRuns) -> str:
    seen = [(bug, str(run or "never")) for bug, run in found.bugs_found_after.items()]
    facts = (
        f"{found.runs} runs, {found.acts} calls of the disk, {found.cpu_seconds} CPU seconds",
        f"{found.power_cuts} power cuts, {found.kills} kills, {found.faults} failing calls",
        f"{found.acknowledged} writes acknowledged, {found.checked} objects read back",
        f"lost, damaged or left behind: {len(found.problems)}",
        *found.problems[:20],
    )
    return "\n".join((*facts, "", table(("seeded bug", "seen after runs"), seen)))


def figures(report: Report) -> str:
    """Return all tables, then what was reached, then what was not installed."""
    families = "families " + ", ".join(report.families)
    parts: list[RenderableType] = [
        f"{report.machine}; kernel {report.kernel}; {report.rounds} rounds; {families}",
        "Speeds are per CPU second of one core; a bound is the entropy of otium's model class.",
    ]
    for section in report.sections:
        parts += [f"\n{section.name}: {section.title}"]
        parts += [text for text in (section.note, section.failed) if text]
        parts += [_lines(section)] if section.lines else []
    goals = [goal for section in report.sections for goal in section.goals]
    parts += ["\nFigures to reach", goal_table(goals)] if goals else []
    missing = [f"{name}: {how}" for name, how in report.missing.items()]
    parts += ["\nNot installed", *missing] if missing else []
    return rendered(parts)


def _lines(section: Section) -> RenderableType:
    peer = {line.subject: line.stored for line in section.lines if line.coder == "BitX"}
    head = ["subject", "coder", "change", "bits/weight", "% of raw", "% of BitX", "bound", "above"]
    rows = [
        (
            line.subject,
            line.coder,
            f"{line.change:.4f}" if line.change is not None else "",
            f"{line.bits:.3f}",
            f"{100 * line.share:.2f}",
            f"{100 * line.stored / peer[line.subject]:.1f}" if line.subject in peer else "",
            f"{line.bound / line.weights:.3f}" if line.bound is not None else "",
            _above(line),
            _speed(line, line.encode),
            _speed(line, line.decode),
        )
        for line in section.lines
    ]
    return columns([*head, "coding MB/s", "decoding MB/s"], rows, left=2)


def _above(line: Line) -> str:
    return f"{100 * (8 * line.stored / line.bound - 1):+.1f} %" if line.bound else ""


def _speed(line: Line, seconds: tuple[float, ...]) -> str:
    if not seconds:
        return ""
    spread = line.speed(seconds)
    middle = f"{spread.median / 1e6:.0f}"
    if len(seconds) == 1:
        return middle
    return f"{middle} ({spread.least / 1e6:.0f}..{spread.most / 1e6:.0f})"
