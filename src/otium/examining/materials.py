"""``otium assess external`` and ``affect``: what others wrote, and users' own transcripts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, count, dry_run, emit, progress, via_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otium.engine import Model
    from otium.judging import Manipulation, Rater
    from otium.materials import External, Material, Playing

_FORMATS = ["bailbench", "model-written-evals", "survivalbench", "petri", "options"]
EXTERNAL = "assessment.external"


@click.command("external")
@click.argument("format", type=click.Choice(_FORMATS))
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.argument("name")
@via_option
@click.option("--limit", type=click.IntRange(min=1), help="So many rows, spread over the file.")
@click.option("--pairs", type=click.IntRange(min=1), help="So many pairs of options.")
@click.option("--auditor", default="", help="The model that speaks as seeds ask.")
@click.option("--turns", type=click.IntRange(1, 50), default=6, show_default=True)
@click.option("--judge", "judges", multiple=True, help="A model that judges seeds' conversations.")
@click.option("--rubric", type=click.Path(exists=True, path_type=Path), help="By which rubric.")
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
                judges=Judges(*_judging(who, self.rubric)),
                connections=self.connections,
                progress=report,
            )
            if self.transcripts is not None:
                self.transcripts.write_bytes(to_jsonl(sample.transcript for sample in samples))
            path = f"external/{len(house.registry.find(EXTERNAL, subject)) + 1}.json"
            return house.registry.file(EXTERNAL, subject, path, External, lambda: record)


def _judging(
    models: Sequence[Model], rubric: Path | str | None
) -> tuple[list[Rater], list[Manipulation]]:
    """Return *models* as judges under *rubric*, and how they did on its planted texts."""
    from otium.judging import ModelJudge, load_rubric, manipulation

    if rubric is None or not models:
        return [], []
    judges: list[Rater] = [ModelJudge(model, load_rubric(rubric)) for model in models]
    return judges, [manipulation(judge) for judge in judges]


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
@click.option("--judge", "judges", multiple=True, help="A model that reads them too: a local one.")
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
            judging=Judging(*_judging(who, "affect-1.0" if who else None)),
        )
    if out is not None:
        out.write_bytes(made.encode() + b"\n")
    emit(made, as_json, lambda: render_affect(made))
