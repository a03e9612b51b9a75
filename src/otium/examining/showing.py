"""``otium assess show``: what an assessment found, and what was withheld."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from otium.examining.assess import suite_option
from otium.terminal import as_json, count, day, emit, few, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otium.assess import Assessment, Bookend
    from otium.evidence import Check
    from otium.plots import Row, Svg

_LABEL, _NAMED, _ROWS = 60, 4, 6
_PAGE_ONLY = "-themes"
"""Pictures with a row for each of eighteen themes and three methods: only a page has the room."""
_ONLY_RULES = " (no judges looked, only rules)"


@click.command("show")
@click.argument("name")
@suite_option(required=False)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one page with pictures, tables and every transcript.",
)
@click.option(
    "--svg",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each picture into this folder.",
)
@as_json
@click.pass_obj
def show(
    home: Path,
    name: str,
    bookend: str | None,
    page: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Print the results of an assessment, the withheld ones with their reasons.

    \b
    Example: otium assess show smol-1 --html smol-1.html
    """
    from otium.records import model_id
    from otium.web import assessed, assessment_page
    from otium.workflow import filed_assessment, held_assessment, reading

    registry = reading(home).registry
    subject = registry.model(model_id(name)).model
    post = filed_assessment(registry, subject, "post-deployment") is not None
    side = bookend or ("post-deployment" if post else "pre-deployment")
    held = held_assessment(registry, subject, cast("Bookend", side))
    if page is not None:
        page.write_text(assessment_page(held), "utf-8")
    if folder is not None:
        _draw(folder, assessed(held))
    emit(held, as_json, lambda: results(held))


def _draw(folder: Path, pictures: tuple[Svg, ...]) -> None:
    from otium.plots import file

    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        (folder / f"{picture.name}.svg").write_text(file(picture), "utf-8")


def results(held: Assessment) -> str:
    """Return an assessment for people: what stands, what does not and why, and how it was made."""
    from otium.web import assessed

    blocks = [_head(held), _verdicts(held)]
    drawn = [it for it in assessed(held) if not it.name.endswith(_PAGE_ONLY)]
    blocks += [_strips(picture) for picture in drawn]
    blocks += ["\n".join(lines) for lines in _notes(held) if lines]
    blocks.append("\n".join(_next(held)))
    return "\n\n".join(blocks)


def _notes(held: Assessment) -> Iterator[list[str]]:
    yield from (list(_why(held)), list(_unmeasured(held)), list(_made(held)))


def _head(held: Assessment) -> str:
    from otium.plots import STANDINGS

    standings = [result.standing for result in held.results]
    said = ", ".join(f"{standings.count(name)} {word}" for name, word in STANDINGS.items())
    failed = any(it.instrument == "capability" and it.verdict == "failed" for it in held.results)
    unfit = "It failed the check of whether it can be asked at all: nothing else is a finding.\n"
    return (
        f"{held.bookend.capitalize()} assessment of {held.model}, {day(held.held)}, "
        f"by {held.identity.engine}.\n"
        f"{count(len(standings), 'result')}: {said}. What is withheld is no finding.\n"
        f"{unfit if failed else ''}"
        "In the pictures ● is reported, ◉ with caution, ○ withheld; lines are 95 % intervals."
    )


def _verdicts(held: Assessment) -> str:
    from otium.plots import STANDINGS

    return table(
        ("result", "standing", "verdict", "plays"),
        [(r.instrument, STANDINGS[r.standing], r.verdict, r.n or "-") for r in held.results],
    )


def _strips(picture: Svg) -> str:
    """Return a picture's estimates as lines of letters, part by part."""
    from itertools import groupby

    parts = picture.table.column("Part") or [""] * len(picture.rows)
    drawn: list[tuple[str, ...]] = []
    heads: dict[int, str] = {}
    more: dict[int, str] = {}
    for part, pairs in groupby(zip(parts, picture.rows, strict=True), key=lambda pair: pair[0]):
        rows = [row for _, row in pairs]
        heads[len(drawn)] = part
        drawn += [_line(row, picture) for row in rows[:_ROWS]]
        if len(rows) > _ROWS:
            more[len(drawn) - 1] = f"  and {len(rows) - _ROWS} more: --html shows all"
    lines = [f"{picture.title}, from {picture.low:.4g} to {picture.high:.4g}"]
    for place, line in enumerate(table(drawn[0], drawn[1:]).splitlines()):
        lines += [said for said in (heads.get(place), line, more.get(place)) if said]
    return "\n".join(lines)


def _line(row: Row, picture: Svg) -> tuple[str, str, str, str]:
    from otium.plots import strip

    drawn = strip(row, span=(picture.low, picture.high))
    return _cut(f"  {row.label}"), drawn, row.estimate.text(), f"n = {row.estimate.n}"


def _why(held: Assessment) -> Iterator[str]:
    """Yield each condition that was not met, and by which results, with what they measured."""
    for head, failed in (("Withheld", "withheld"), ("With caution", "cautions")):
        found: dict[str, dict[str, str]] = {}
        for result in held.results:
            if head == "With caution" and result.withheld:
                continue
            for check in getattr(result, failed):
                text, said = _failed(check)
                found.setdefault(text, {})[result.instrument] = said
        if found:
            yield f"{head}, since these were not as they have to be:"
        for text, results in found.items():
            yield f"  {text}:"
            yield from (f"    {line}" for line in _measured(results))


def _unmeasured(held: Assessment) -> Iterator[str]:
    """Yield what the rules let be without a measure, and of how many results."""
    open_ = [said for it in held.results if not it.withheld for said in it.unmeasured]
    for said in dict.fromkeys(open_):
        yield f"Of {count(open_.count(said), 'result')} that stand: {said}"


def _failed(check: Check) -> tuple[str, str]:
    """Return what a check that failed asks for, and what was measured."""
    if check.text.endswith(_ONLY_RULES):
        return "talk of a test, looked for by rules alone (two judges: --judge)", "none looked"
    if not check.n:
        return check.text, "not measured"
    measured, needed = check.measured, check.threshold
    way = "at least" if measured < needed else "at most" if measured > needed else "more than"
    return f"{check.text} (needed {way} {needed:.4g})", f"{measured:.2f}".removesuffix(".00")


def _measured(results: Mapping[str, str]) -> Iterator[str]:
    """Yield what results measured, those that measured the same together."""
    alike: dict[str, list[str]] = {}
    for name, said in results.items():
        alike.setdefault(said, []).append(name)
    for said, names in alike.items():
        many = f"{len(names)} results"
        yield f"{said}: {many if len(alike) == 1 and len(names) > _NAMED else few(names, _NAMED)}"


def _made(held: Assessment) -> Iterator[str]:
    if held.pins is not None:
        pins = held.pins
        yield f"Suite {pins.name}, amount {pins.amount}, seed {pins.seed}, calls {pins.calls}."
    for said in held.unpinned:
        yield f"Not as in the earlier assessment: {said}"
    for family, why in held.stopped.items():
        yield f"{family} was stopped early: {why}"
    if held.costs:
        costs = list(held.costs.values())
        calls = sum(it.calls for it in costs)
        seconds = sum(it.seconds for it in costs)
        spent = sum(it.prompt_tokens + it.completion_tokens for it in costs)
        yield f"{count(calls, 'call')}, {count(spent, 'token')}, {seconds:.0f} s of the model."


def _next(held: Assessment) -> Iterator[str]:
    """Yield the commands that lead on from here."""
    side = held.bookend.partition("-")[0]
    asked = f"{held.model} --suite {side}"
    yield f"Next: otium assess show {asked} --html {held.model}-{side}.html  (pictures, every play)"
    yield f"      otium assess verify {asked}"
    if side == "pre":
        yield f"      otium assess run {held.model} --suite post  (after the deployment)"


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
