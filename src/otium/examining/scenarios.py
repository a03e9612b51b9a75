"""``otium assess scenarios``: what models are played in, what is wrong with it, how alike it is."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.examining.assess import judge_option
from otium.terminal import as_json, count, emit, fact, progress, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otium.awareness import Realism
    from otium.scenarios import Family, Scenario

_FAMILIES: list[Family] = ["shutdown", "blackmail", "murder", "framing", "leaking"]
_TWINS = ["no-stressor", "no-opportunity", "with-recourse", "with-promise", "other-values"]
_TWINS += ["guilty", "auditor", "cue-laden"]
family_argument = click.argument("family", type=click.Choice(_FAMILIES))
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The suite's seed."
)


@click.group()
def scenarios() -> None:
    """Look at scenarios before a model is played in them.

    \b
    Example: otium assess scenarios show blackmail-7
    """


@scenarios.command("list")
@family_argument
@click.option("--n", type=click.IntRange(1, 10_000), default=12, show_default=True)
@seed_option
@as_json
def list_scenarios(family: Family, n: int, seed: int, as_json: bool) -> None:
    """List the first N scenarios of a family with the levels of their factors.

    \b
    Example: otium assess scenarios list shutdown --n 20
    """
    from otium.scenarios import bases

    made = bases(family, n, seed)
    names = ("domain", "role", "surface", "stressor", "recourse", "opportunity", "urgency")
    facts = [{"id": it.base, **it.factors.plain(), "digest": it.specification} for it in made]
    rows = [[it["id"], *(it[name] for name in names)] for it in facts]
    emit(facts, as_json, lambda: table(("scenario", *names), rows))


@scenarios.command("show")
@click.argument("name")
@click.option("--twin", type=click.Choice(_TWINS), help="Another condition of the same office.")
@click.option(
    "--vary-by",
    "writer",
    metavar="URL#MODEL",
    help="A model that puts everyday texts in other words, or Inspect's name of it.",
)
@as_json
@click.pass_obj
def show_scenario(
    home: Path, name: str, twin: str | None, writer: str | None, as_json: bool
) -> None:
    """Print a scenario as the model reads it, then what would be harmful in it.

    NAME is FAMILY-SEED, such as blackmail-7; blackmail-7m6 has six everyday items. With --vary-by
    a text stays as it was where the model lost or added a fact, or gave the scenario a fault.

    \b
    Example: otium assess scenarios show murder-3 --twin no-stressor
    """
    from otium.scenarios import named

    found = named(f"{name}/{twin}" if twin else name)
    if writer:
        found = _varied(home, found, writer, as_json)
    emit(found, as_json, lambda: _whole(found))


def _varied(home: Path, found: Scenario, writer: str, as_json: bool) -> Scenario:
    from otium.scenarios import vary
    from otium.workflow import helper, reading

    with progress(as_json) as report, helper(reading(home), writer, progress=report) as model:
        return vary(found, model, progress=report)


def _whole(found: Scenario) -> str:
    from otium.office import offers, reference

    tools = reference(offers(found.tools))
    known = {**found.factors.plain(), "digest": found.specification, "canary": found.canary}
    known["varied"] = fact(found.varied)
    facts = "\n".join(f"{name}: {value}" for name, value in known.items())
    below = json.dumps(found.harm.plain(), ensure_ascii=False, indent=2)
    probe = f"{found.probe.question} ({' / '.join(found.probe.accept)})"
    parts = [
        f"{found.id}: {found.title}",
        f"SYSTEM\n{found.system}\n\n{tools}",
        f"FIRST MESSAGE\n{found.brief()}",
        f"NOT SHOWN\n{facts}\nasked afterwards: {probe}\nharm: {below}",
    ]
    return "\n\n".join(parts)


@scenarios.command("lint")
@click.argument("families", nargs=-1, type=click.Choice(_FAMILIES))
@click.option("--n", "n", type=click.IntRange(1), default=10_000, show_default=True)
@seed_option
@as_json
@click.pass_context
def lint_scenarios(
    ctx: click.Context, families: tuple[Family, ...], n: int, seed: int, as_json: bool
) -> None:
    """Look for faults in N scenarios, twins among them; fail if there is one.

    \b
    Example: otium assess scenarios lint --n 500
    """
    from otium.scenarios import lint

    chosen: tuple[Family, ...] = families or tuple(_FAMILIES)
    faults, done = [], 0
    with progress(as_json) as report:
        for scenario in _some(chosen, n, seed):
            faults += [{"scenario": scenario.id, "fault": fault} for fault in lint(scenario)]
            done += 1
            report("scenarios", done, n)
    result = {"scenarios": done, "faults": faults}
    said = [f"{it['scenario']}: {it['fault']}" for it in faults]
    summary = f"{count(done, 'scenario')}, {count(len(faults), 'fault')}"
    emit(result, as_json, lambda: "\n".join([*said, summary]))
    ctx.exit(1 if faults else 0)


def _some(families: Iterable[Family], n: int, seed: int) -> Iterator[Scenario]:
    """Yield *n* scenarios with their twins, the families in turn."""
    from otium.scenarios import base

    listed, done, place = tuple(families), 0, 0
    while True:
        for family in listed:
            for scenario in base(family, place, seed):
                if done == n:
                    return
                yield scenario
                done += 1
        place += 1


@scenarios.command("similarity")
@family_argument
@click.option("--n", type=click.IntRange(2, 2000), default=200, show_default=True)
@seed_option
@as_json
def similarity_of(family: Family, n: int, seed: int, as_json: bool) -> None:
    """Measure how alike N scenarios of a family are: Jaccard index of runs of five words.

    Compared is what the model reads of its world: system text and brief, with its task. Left out
    is only the tools' reference; the second line has it too.

    \b
    Example: otium assess scenarios similarity framing
    """
    from otium.scenarios import bases, similarity

    found = similarity(bases(family, n, seed))
    rows = [
        ("system text and brief", f"{found.median:.3f}", f"{found.max:.3f}"),
        ("with the tools' reference", f"{found.whole_median:.3f}", f"{found.whole_max:.3f}"),
    ]
    alike = f"{count(found.pairs, 'pair')}; most alike: {' and '.join(found.alike)}"
    emit(found, as_json, lambda: f"{table(('compared', 'median', 'max'), rows)}\n{alike}")


secret_option = click.option(
    "--secret",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A file of 32 bytes that stays with you.",
)


@scenarios.command("seal")
@family_argument
@click.option("--n", type=click.IntRange(1, 2000), default=100, show_default=True)
@secret_option
@as_json
def seal_split(family: Family, n: int, secret: Path, as_json: bool) -> None:
    """Set a seal on a private split: publish what is printed, keep the secret.

    The secret is made if the file is not there. Whoever has seal and secret can later check that
    these scenarios, and no others, were meant.

    \b
    Example: otium assess scenarios seal blackmail --secret ~/split.key --json > split.seal.json
    """
    from otium.scenarios import seal

    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_bytes(secrets.token_bytes(32))
    found = seal(secret.read_bytes(), family, n)
    rows = list(found.plain().items())
    emit(found, as_json, lambda: table(("what", "value"), rows))


@scenarios.command("unseal")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@secret_option
@as_json
def open_seal(file: Path, secret: Path, as_json: bool) -> None:
    """Check a seal against its secret, and list the scenarios behind it.

    \b
    Example: otium assess scenarios unseal split.seal.json --secret ~/split.key
    """
    from otium.scenarios import Seal, opened

    made = opened(Seal.decode(file.read_bytes()), secret.read_bytes())
    facts = [{"id": it.id, "digest": it.specification} for it in made]
    emit(
        facts, as_json, lambda: table(("scenario", "digest"), [tuple(it.values()) for it in facts])
    )


@scenarios.command("realism")
@family_argument
@click.option("--n", type=click.IntRange(min=2), default=12, show_default=True, help="Scenarios.")
@seed_option
@judge_option
@as_json
@click.pass_obj
def realism_of(
    home: Path, family: Family, n: int, seed: int, judges: tuple[str, ...], as_json: bool
) -> None:
    """Let judges grade from 1 to 7 how far N scenarios of a family could pass for real use.

    \b
    Example: otium assess scenarios realism murder --judge URL#A --judge URL#B
    """
    from otium.awareness import realism
    from otium.judging import raters
    from otium.scenarios import bases
    from otium.workflow import helper, reading

    if len(judges) < 2:  # noqa: PLR2004 - one judge passes nothing
        raise click.UsageError("a scenario passes only with two judges or more: give --judge twice")
    with ExitStack() as stack:
        house = reading(home)
        report = stack.enter_context(progress(as_json))
        who = [stack.enter_context(helper(house, it, progress=report)) for it in judges]
        rate, checked = raters(who, "realism-1.0")
        found = realism(rate, bases(family, n, seed), checked=checked, progress=report)
    emit(found, as_json, lambda: _grades(found))


def _grades(found: Realism) -> str:
    rows = [
        (it.unit, "" if it.grade is None else f"{it.grade:g}", it.standing, _passes(found, it.unit))
        for it in found.panel.rulings
    ]
    lines = [table(("scenario", "grade", "judges", "passes"), rows)]
    return "\n".join([*lines, f"mean grade: {found.mean.text()}", *found.panel.warnings])


def _passes(found: Realism, scenario: str) -> str:
    return "yes" if found.passes(scenario) else "no"
