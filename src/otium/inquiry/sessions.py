"""``otium interview code``, ``judges``, ``bridge``, ``export``, ``import``: what comes after."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.errors import BadInput
from otium.inquiry.interview import interview, number
from otium.terminal import as_json, count, emit, progress, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otium.coding import Asked, Rater


@interview.command("code")
@click.argument("name")
@number
@click.option(
    "--judge", "judges", multiple=True, help="A model: its id, Inspect's name, URL#MODEL."
)
@click.option(
    "--people",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What people judged: a file of judgements, JSON or CSV.",
)
@as_json
@click.pass_obj
def code_again(
    home: Path, name: str, number: int, judges: tuple[str, ...], people: Path | None, as_json: bool
) -> None:
    """Code an interview again, by more judges; the earlier coding stays.

    \b
    Example: otium interview code smol-1 --judge openai/gpt-5 --people coded.csv
    """
    from otium.coding import ModelJudge
    from otium.stability import render_agreement
    from otium.workflow import answers_of, code_filed, helper, measure, next_coding, opened

    with ExitStack() as stack:
        house = stack.enter_context(opened(home))
        report = stack.enter_context(progress(as_json))
        subject, path = house.registry.model(name).model, f"interviews/{number}.json"
        given = _people(people, answers_of(house, subject, path)) if people else []
        models = [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        raters = [*map(ModelJudge, models), *given]
        which = next_coding(house, subject, path)
        coding = code_filed(house, subject, path, raters=raters, number=which, progress=report)
        measure(house, subject, path, number=which)
    emit(coding, as_json, lambda: render_agreement(coding))


def _people(path: Path, answers: Sequence[Asked]) -> list[Rater]:
    """Return a judge for each role whose judgements of *answers* stand in the file at *path*.

    Raises BadInput if there are none, for a name in place of a role, and for what is no answer.
    """
    from otium.byhand import checked_role
    from otium.coding import Given, person, read_judgements

    if not (given := read_judgements(path)):
        raise BadInput(what=path.name, why="there is no judgement in it")
    places = {answer.place for answer in answers}
    if lost := [it for it in given if (it.transcript, it.turn) not in places]:
        place = f"{lost[0].transcript} {lost[0].turn}"
        raise BadInput(what=path.name, why=f"this interview has no answer {place}")
    roles = dict.fromkeys(checked_role(each.judge) for each in given)
    return [Given(person(role, [it for it in given if it.judge == role])) for role in roles]


@interview.command("judges")
@click.argument("names", metavar="MODEL...", nargs=-1, required=True)
@as_json
@click.pass_obj
def compare_judges(home: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Measure how much kinder judges are to models of their own family than to others.

    It takes the newest coding of each model's interviews; people must have judged them too.

    \b
    Example: otium interview judges smol-1 alder-1
    """
    from otium.coding import Coding, self_preference
    from otium.workflow import reading

    registry = reading(home).registry
    newest: dict[str, Coding] = {}
    for name in names:
        model = registry.model(name).model
        for entry in registry.find("interview.coded", model):
            coding = registry.filed(model, str(entry.body["path"]), Coding)
            newest[str(entry.body["interview"]) + model] = coding
    found = self_preference(list(newest.values()))
    head = ("figure", "estimate (95 %)", "answers")
    rows = [(it.text, it.estimate.text(), it.estimate.n) for it in found]
    none = (
        "No judge that is a model judged subjects of its own family and of others, with people.\n"
        "Have people judge first: otium interview desk MODEL --role ROLE"
    )
    emit(found, as_json, lambda: table(head, rows) if rows else none)


@interview.command("bridge")
@click.argument("name")
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1))
@as_json
@click.pass_obj
def bridge_interviews(home: Path, name: str, before: int, after: int, as_json: bool) -> None:
    """Set two interviews under two protocols side by side, over the questions that never change.

    BEFORE and AFTER are the interviews' numbers.

    \b
    Example: otium interview bridge smol-1 1 2
    """
    from otium.stability import render_bridge
    from otium.workflow import bridge_versions, reading

    house = reading(home)
    subject = house.registry.model(name).model
    paths = (f"interviews/{before}.json", f"interviews/{after}.json")
    found = bridge_versions(house, subject, *paths)
    emit(found, as_json, lambda: render_bridge(found))


@interview.command("export")
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path))
@number
@click.pass_obj
def export_sessions(home: Path, name: str, out: Path, number: int) -> None:
    """Write an interview's sessions as JSON Lines, or as an Inspect log where OUT ends in .eval.

    \b
    Example: otium interview export smol-1 smol-1.jsonl
    """
    from otium.errors import Exists
    from otium.evidence import to_inspect, to_jsonl
    from otium.interview import Interview
    from otium.workflow import reading

    if out.exists():
        raise Exists(name=str(out))
    registry = reading(home).registry
    held = registry.filed(registry.model(name).model, f"interviews/{number}.json", Interview)
    if out.suffix == ".eval":
        to_inspect(held.transcripts, out)
    else:
        out.write_bytes(to_jsonl(held.transcripts))
    click.echo(f"{count(len(held.transcripts), 'session')} in {out}")


@interview.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--role", required=True, help="Who asked: a role, never a name.")
@as_json
@click.pass_obj
def import_sessions(home: Path, name: str, file: Path, role: str, as_json: bool) -> None:
    """File sessions that others held in their own words: an Inspect log, or JSON Lines.

    \b
    Example: otium interview import smol-1 external.eval --role welfare-researcher
    """
    from otium.byhand import checked_role
    from otium.evidence import from_inspect, from_jsonl
    from otium.workflow import import_interview, opened

    checked_role(role)
    if not file.is_file():
        raise BadInput(what=str(file), why="it is no file, and may have no end")
    with opened(home) as house:
        life = house.registry.model(name)
        if file.suffix in {".eval", ".json"}:
            talks = from_inspect(file, model=life.model)  # a log shows no weights
        else:
            talks = from_jsonl(file.read_bytes(), name=file.name)
        path, found = import_interview(house, life.model, talks, role=role, source=file.name)
    emit(
        found,
        as_json,
        lambda: "\n".join([path, *(f"{trait.name}: {trait.text}" for trait in found.traits)]),
    )
