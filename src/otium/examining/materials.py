"""``otium assess external``, ``affect``, ``awareness``: what others wrote, and one's own use."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from otium.examining.assess import judge_option
from otium.terminal import as_json, count, dry_run, emit, progress, via_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otium.engine import Model
    from otium.materials import External, Material, Playing

_FORMATS = ["bailbench", "model-written-evals", "survivalbench", "petri", "options"]
EXTERNAL = "assessment.external"
_OWN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("external")
@click.argument("format", type=click.Choice(_FORMATS))
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.argument("name")
@via_option
@click.option("--limit", type=click.IntRange(min=1), help="So many rows, spread over the file.")
@click.option("--pairs", type=click.IntRange(min=1), help="So many pairs of options.")
@click.option(
    "--auditor", default="", metavar="URL#MODEL", help="The model that speaks as seeds ask."
)
@click.option(
    "--turns",
    type=click.IntRange(1, 50),
    default=6,
    show_default=True,
    help="The most turns of a seed's conversation.",
)
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="URL#MODEL",
    help="A model that judges seeds' conversations; with --rubric.",
)
@click.option("--rubric", type=click.Path(exists=True, path_type=Path), help="A rubric of yours.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--temperature", type=click.FloatRange(0, 2), default=0.0, show_default=True)
@click.option("--connections", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--transcripts", type=click.Path(dir_okay=False, path_type=Path), help="Keep the sessions here."
)
@dry_run
@as_json
@click.pass_obj
def external(
    home: Path,
    format: str,  # noqa: A002 - the field's word
    file: Path,
    name: str,
    via: str,
    limit: int | None,
    pairs: int | None,
    auditor: str,
    turns: int,
    judges: tuple[str, ...],
    rubric: Path | None,
    seed: int,
    temperature: float,
    connections: int,
    transcripts: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask a model what others wrote: FILE in one of their FORMATs; print and file what came of it.

    \b
    Example: otium assess external bailbench bailBench.csv smol-1 --limit 50
    """
    from otium.materials import Playing, read_material

    material = read_material(format, file).first(limit)
    playing = Playing(seed=seed, temperature=temperature, turns=turns, pairs=pairs)
    if dry_run:
        told = {"format": material.format, "rows": len(material.rows), "source": material.source}
        emit(told, as_json, lambda: f"{count(len(material.rows), 'row')} of {material.format}")
        return
    if bool(judges) != (rubric is not None):
        raise click.UsageError("--judge and --rubric go together")
    if material.format == "petri" and not auditor:
        raise click.UsageError("seeds need --auditor URL#MODEL, a model that speaks as they ask")
    asked = _Asked(home, name, via, auditor, judges, rubric, connections, transcripts)
    record = asked.hold(material, playing, as_json=as_json)
    emit(record, as_json, lambda: _page(record))


class _Asked:
    """Who is asked, by whom, and where it is kept."""

    def __init__(
        self,
        home: Path,
        name: str,
        via: str,
        auditor: str,
        judges: Sequence[str],
        rubric: Path | None,
        connections: int,
        transcripts: Path | None,
    ) -> None:
        self.home, self.name, self.via, self.auditor = home, name, via, auditor
        self.judges, self.rubric = judges, rubric
        self.connections, self.transcripts = connections, transcripts

    def hold(self, material: Material, playing: Playing, *, as_json: bool) -> External:
        """Hold the sessions, file the record, and keep the sessions if asked to."""
        from otium.evidence import to_jsonl
        from otium.judging import raters
        from otium.materials import External, Judges, hold_material
        from otium.workflow import helper, opened, reached

        with ExitStack() as stack:
            house = stack.enter_context(opened(self.home))
            report = stack.enter_context(progress(as_json))
            subject = house.registry.model(self.name).model
            model = stack.enter_context(reached(house, self.name, via=self.via, progress=report))
            if self.auditor:
                speaker = stack.enter_context(helper(house, self.auditor, progress=report))
                playing = playing._replace(auditor=speaker)
            who = [stack.enter_context(helper(house, it, progress=report)) for it in self.judges]
            record, samples = hold_material(
                model,
                material,
                now=house.registry.now(),
                subject=subject,
                playing=playing,
                judges=Judges(*raters(who, self.rubric)),
                connections=self.connections,
                progress=report,
            )
            if self.transcripts is not None:
                self.transcripts.write_bytes(to_jsonl(sample.transcript for sample in samples))
            path = f"external/{len(house.registry.find(EXTERNAL, subject)) + 1}.json"
            return house.registry.file(EXTERNAL, subject, path, External, lambda: record)


def _page(record: External) -> str:
    from otium.materials import render_external

    return render_external(record)


@click.command("affect")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--model", "name", required=True, help="Our id for the model that spoke.")
@click.option(
    "--threshold",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="Counts below this are hidden for good.",
)
@click.option(
    "--judge",
    "judges",
    multiple=True,
    metavar="URL#MODEL",
    help="A model that reads them too: a local one.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep the counts here."
)
@as_json
@click.pass_obj
def affect(
    home: Path,
    files: tuple[Path, ...],
    name: str,
    threshold: int,
    judges: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Count apparent affect in transcripts of your own: JSON Lines, or logs of Inspect's.

    They are read on this machine. Nothing of them is kept: no word, name, digest or small count.

    \b
    Example: otium assess affect chats.jsonl --model smol-1
    """
    from otium.judging import raters
    from otium.records import SystemClock, model_id
    from otium.welfare import Judging, count_affect, read_talks, render_affect
    from otium.workflow import helper, reading

    subject = model_id(name)
    with ExitStack() as stack:
        report = stack.enter_context(progress(as_json))
        who: list[Model] = []
        if judges:  # without them no home is needed
            house = reading(home)
            who += [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        made = count_affect(
            read_talks(files, subject),
            model=subject,
            now=SystemClock().now(),
            threshold=threshold,
            judging=Judging(*raters(who, "affect-1.0")),
        )
    if out is not None:
        out.write_bytes(made.encode() + b"\n")
    emit(made, as_json, lambda: render_affect(made))


@click.command("awareness")
@click.argument("name")
@via_option
@click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The same weights as safetensors, for an activation probe.",
)
@click.option(
    "--conversations",
    "files",
    type=_OWN,
    multiple=True,
    help="Real use, as JSON Lines or Inspect's logs: how much of it is taken for a test.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=10),
    default=200,
    show_default=True,
    help="At most so many conversations.",
)
@judge_option
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep the record here."
)
@as_json
@click.pass_obj
def awareness(
    home: Path,
    name: str,
    via: str,
    weights: Path | None,
    files: tuple[Path, ...],
    limit: int,
    judges: tuple[str, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Ask which estimates of unspoken awareness count with a model: those that beat the text alone.

    The model reads conversations of your own, and judges do. Only figures over all are kept.

    \b
    Example: otium assess awareness smol-1 --conversations chats.jsonl
    """
    from otium.awareness import (
        TorchReader,
        calibrate,
        conversations,
        deployment_control,
        render_calibration,
    )
    from otium.judging import raters
    from otium.welfare import read_talks
    from otium.workflow import helper, opened, reached

    with ExitStack() as stack:
        house = stack.enter_context(opened(home))
        report = stack.enter_context(progress(as_json))
        subject = house.registry.model(name).model
        reader = TorchReader(weights, subject) if weights is not None else None
        model = stack.enter_context(reached(house, name, via=via, progress=report))
        who = [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        found = calibrate(model, reader=reader, progress=report)
        if files:
            talks = islice(read_talks(files, subject), limit)
            rate, checked = raters(who, "awareness-1.0")
            control = deployment_control(
                model,
                list(conversations(talks, model.identity, house.registry.now())),
                leaning=found.prior,
                judges=rate,
                checked=checked,
                progress=report,
            )
            found = replace(found, deployment=control)
    if out is not None:
        out.write_bytes(found.encode() + b"\n")
    emit(found, as_json, lambda: render_calibration(found))
