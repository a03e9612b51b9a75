"""Figures in columns, as every measuring command prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from otium.bench import Goal


def goal_table(found: Sequence[Goal]) -> RenderableType:
    """Return figures to reach beside those that were measured."""
    rows = [
        (
            goal.what,
            f"{'≤' if goal.better == 'less' else '≥'} {goal.target:g} {goal.unit}".rstrip(),
            f"{goal.reached:.4g}",
            _spread(goal),
            f"{goal.bound:.3g}" if goal.bound is not None else "",
            "reached" if goal.met else "short",
        )
        for goal in found
    ]
    return columns(["what", "reach", "measured", "spread", "at the bound", ""], rows, left=1)


def _spread(goal: Goal) -> str:
    if goal.spread is None or goal.spread.least == goal.spread.most:
        return ""
    return f"{goal.spread.least:.3g}..{goal.spread.most:.3g}"


def columns(head: Sequence[str], rows: Sequence[tuple[str, ...]], left: int) -> RenderableType:
    """Return rows under *head*, the first *left* columns set left."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(head):
        table.add_column(title, justify="left" if number < left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def rendered(parts: Sequence[RenderableType]) -> str:
    """Return *parts* one under another as plain text."""
    from rich.console import Console

    console = Console(width=160, highlight=False, markup=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get().rstrip()
