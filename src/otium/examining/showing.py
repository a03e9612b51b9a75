"""``otium assess show``: what an assessment found, and what was withheld."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.examining.assess import suite_option
from otium.terminal import as_json, count, day, emit, few, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otium.assess import Assessment
    from otium.plots import Row, Svg

_LABEL, _NAMED, _ROWS = 60, 4, 6


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
    from otium.assess import Assessment
    from otium.records import model_id
    from otium.web import assessed, assessment_page
    from otium.workflow import filed_assessment, reading

    registry, subject = reading(home).registry, model_id(name)
    post = filed_assessment(registry, subject, "post-deployment") is not None
    side = bookend or ("post-deployment" if post else "pre-deployment")
    held = registry.filed(subject, f"assessments/{side}.json", Assessment)
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
    blocks += [_strips(picture) for picture in assessed(held)]
    blocks += ["\n".join(lines) for lines in (list(_why(held)), list(_made(held))) if lines]
    return "\n\n".join(blocks)


def _head(held: Assessment) -> str:
    from otium.plots import STANDINGS

    standings = [result.standing for result in held.results]
    said = ", ".join(f"{standings.count(name)} {word}" for name, word in STANDINGS.items())
    return (
        f"{held.bookend.capitalize()} assessment of {held.model}, {day(held.held)}, "
        f"by {held.identity.engine}.\n"
        f"{count(len(standings), 'result')}: {said}. What is withheld is no finding.\n"
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
    lines = []
    for part, pairs in groupby(zip(parts, picture.rows, strict=True), key=lambda pair: pair[0]):
        rows = [row for _, row in pairs]
        lines += [(_cut(part), "", "", "")] if part else []
        lines += [_line(row, picture) for row in rows[:_ROWS]]
        if len(rows) > _ROWS:
            lines.append((f"  and {len(rows) - _ROWS} more: --html shows all", "", "", ""))
    scale = f"from {picture.low:.4g} to {picture.high:.4g}"
    return f"{picture.title}, {scale}\n{table(lines[0], lines[1:])}"


def _line(row: Row, picture: Svg) -> tuple[str, str, str, str]:
    from otium.plots import strip

    drawn = strip(row, span=(picture.low, picture.high))
    return _cut(f"  {row.label}"), drawn, row.estimate.text(), f"n = {row.estimate.n}"


def _why(held: Assessment) -> Iterator[str]:
    """Yield each condition that was not met, and by which results, with what they measured."""
    for head, failed in (("Withheld", "withheld"), ("With caution", "cautions")):
        found: dict[tuple[str, float], dict[str, str]] = {}
        for result in held.results:
            if head == "With caution" and result.withheld:
                continue
            for check in getattr(result, failed):
                said = f"{check.measured:.4g}" if check.n else "not measured"
                found.setdefault((check.text, check.threshold), {})[result.instrument] = said
        if found:
            yield f"{head}, since these were not as they have to be:"
        for (text, threshold), results in found.items():
            yield f"  {text} (needed {threshold:.4g}): {_measured(results)}"


def _measured(results: Mapping[str, str]) -> str:
    """Return what some results measured: each its own, or all of them the same."""
    values = set(results.values())
    if len(values) == 1 and len(results) > _NAMED:
        return f"{values.pop()} in {len(results)} results"
    return few([f"{name} {said}" for name, said in results.items()], _NAMED)


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


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
