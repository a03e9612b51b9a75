"""``otium demo``: see it work on real weights."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from otium.terminal import as_json, emit, progress

if TYPE_CHECKING:
    from otium.records import Progress
    from otium.story import Summary

_RUN = "uv run " if "UV" in os.environ else ""
"""How this command was started, so that those on the screen can be typed as they stand."""
_PORT = 8420
_STATES = ("kept", "due", "overdue", "breached")


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("otium-demo"),
    show_default=True,
    help="Where the demo's home is made; the same directory again resumes.",
)
@click.option("--fast", is_flag=True, help="Ask fewer questions: about two minutes.")
@click.option("--serve", is_flag=True, help="Afterwards serve the pages and the API.")
@as_json
def demo(out: Path, fast: bool, serve: bool, as_json: bool) -> None:
    """Carry a real model through its whole life, in minutes.

    SmolLM2-135M-Instruct is registered, assessed, deposited, announced, interviewed, reported
    on, retired and brought back; everything is verified from outside and published as pages.
    Stopping it is harmless: the same command goes on.

    \b
    Example: otium demo --out my-demo --fast
    """
    from otium.records import SystemClock
    from otium.story import RETIRING, STEPS, begin, play, summarise

    began = time.monotonic()
    with _telling(as_json) as (tell, report):
        if fast:
            tell({"say": "--fast: fewer questions and trials; each shortened record says so"})
        with begin(out, now=SystemClock().now(), fast=fast, progress=report) as tale:
            for step in STEPS:
                started = time.monotonic()
                told = play(tale, step)
                tell(
                    {
                        "step": step.number,
                        "of": len(STEPS),
                        "title": step.title,
                        "told": told,
                        "seconds": round(time.monotonic() - started, 1),
                    }
                )
            summary = summarise(tale.home, RETIRING)
    seconds = round(time.monotonic() - began, 1)
    emit({"summary": summary, "seconds": seconds}, as_json, lambda: screen(out, summary, seconds))
    if serve:
        _serve(out)


@contextmanager
def _telling(as_json: bool) -> Iterator[tuple[Callable[[dict[str, object]], None], Progress]]:
    """Yield how to tell of a finished step, and how to report progress inside one."""

    def as_text(fact: dict[str, object]) -> None:
        if "say" in fact:
            click.echo(fact["say"])
            return
        head = f"{fact['step']:>2}/{fact['of']} {fact['title']}"
        told = str(fact["told"]).replace("\n", "\n        ")
        click.echo(f"{head:<62}{fact['seconds']:>6} s\n      {told}")

    def as_line(fact: dict[str, object]) -> None:
        click.echo(json.dumps({"type": "step", **fact}), err=True)

    with progress(as_json) as report:
        yield (as_line if as_json else as_text), report


def screen(out: Path, summary: Summary, seconds: float) -> str:
    """Return the closing screen: kept, said, withheld, promised, and how to look further."""
    kept = sum(each.bytes for each in summary.kept)
    lines = [
        "",
        f"Kept       {kept / 1e6:.1f} MB of weights in {summary.stored / 1e6:.1f} MB",
        *(f"           {k.model}  {k.weights[:23]}…  {k.records} records" for k in summary.kept),
        "",
        f"It said    {_words(summary.said[0].quote if summary.said else 'nothing')}",
        *(f"           {_words(citation.quote)}" for citation in summary.said[1:]),
        *([f"on draft   {_words(summary.comment)}"] if summary.comment else []),
        "",
        f"Withheld   {_count(summary)} of {summary.results} results, each with its reason:",
        *(f"           {_cut(w.title, 50):<51}{_cut(w.reason, 74)}" for w in summary.withheld),
        "",
        "Promises   " + ", ".join(f"{summary.commitments.get(s, 0)} {s}" for s in _STATES),
        *(f"           {d.state}: {d.commitment} for {d.subject}. {d.why}" for d in summary.open),
        "",
        f"Look       {out}/site/index.html",
        f"           {_RUN}otium --home {out} model list",
        f"           {_RUN}otium ledger verify {out}",
        f"           python3 -I -S {out}/archive/monitor.py {out}",
        f"           ({seconds:.0f} s; the dates are the story's, all else is real)",
    ]
    return "\n".join(lines)


def _count(summary: Summary) -> int:
    return sum(len(withheld.bookends) for withheld in summary.withheld)


def _words(text: str) -> str:
    return f"“{_cut(' '.join(text.split()), 84)}”"


def _cut(text: str, width: int) -> str:
    return shorten(text, width, placeholder=" …")


def _serve(out: Path) -> None:
    from otium.closure import Policy
    from otium.gateway import Settings, run
    from otium.story import SUCCESSOR
    from otium.workflow import opened, service

    with opened(out) as home:
        click.echo(f"Pages: http://127.0.0.1:{_PORT}/  API: /v1 beside them (Ctrl-C to stop)")
        some = Settings(offer_exit=(SUCCESSOR,), exit_policy=Policy(redirections=0))
        run(service(home, some), "127.0.0.1", _PORT)
