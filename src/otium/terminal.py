"""How results and progress reach a person or a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from otium.markdown import inert, inert_json
from otium.records import Progress, silent

_REFRESH = 0.05
"""Seconds between two drawings of a bar."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
dry_run = click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
confirmed = click.option("--yes", is_flag=True, help="Do not ask for the name to be typed.")
via_option = click.option(
    "--via", default="", help="Inspect's name of it, or URL#MODEL. Default: revived."
)


def emit(result: object, as_json: bool, text: Callable[[], str]) -> None:
    """Print *result* as JSON, or what *text* makes of it: a terminal obeys no word of a model."""
    if as_json:
        said = json.dumps(msgspec.to_builtins(result), indent=2, ensure_ascii=False)
        click.echo(inert_json(said))
    else:
        click.echo(inert(text()) if sys.stdout.isatty() else text())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return aligned plain text columns that `cut` and eyes can read."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one: ``1 pack``, ``2 packs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def few(names: Sequence[str], most: int = 3) -> str:
    """Return names in one cell, the first and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def fact(value: object) -> str:
    """Return a fact of a record as a person writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        known = ((name, it) for name, it in value.items() if it is not None)
        return ", ".join(f"{name.replace('_', ' ')} {fact(it)}" for name, it in known)
    return ", ".join(map(fact, value)) if isinstance(value, list | tuple) else str(value)


def day(moment: str | None) -> str:
    """Return the date of an instant, or a dash."""
    return moment[:10] if moment else "-"


def words_of(file: Path) -> str:
    """Return what a text file that somebody named says; raise BadInput if it is no UTF-8."""
    from otium.errors import BadInput

    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(what=str(file), why="it is not UTF-8") from error


def type_the_name(name: str, what: str, yes: bool) -> None:
    """Ask for *name* to be typed before something that cannot be undone; raise Abort if not."""
    if yes:
        return
    typed = click.prompt(f"{what} Type {name} to go on", default="", show_default=False)
    if typed != name:
        raise click.Abort


@contextmanager
def progress(as_json: bool) -> Iterator[Progress]:
    """Yield a progress report: a bar on a terminal, JSON lines with --json, silence otherwise."""
    if as_json:
        yield _lines
    elif sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield silent


def _lines(what: str, done: int, total: int) -> None:
    line = {"type": "progress", "what": what, "done": done, "total": total}
    click.echo(json.dumps(line), err=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
    )
    with Bars(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bars:
        bar = bars.add_task("", total=None, visible=False)
        drawn, size = 0.0, -1

        def report(what: str, done: int, total: int) -> None:
            nonlocal drawn, size
            if total != size:
                size = total
                bars.reset(bar, total=total)
            if done >= total or time.monotonic() - drawn > _REFRESH:
                drawn = time.monotonic()
                bars.update(bar, description=what, completed=done, visible=done < total)

        yield report
