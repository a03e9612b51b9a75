"""Plain tables: one row for each surface of each model, under heads that do not change."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from otium.feeds.records import surfaces_of
from otium.lifecycle import ModelLife

HEAD = (
    "model",
    "title",
    "state",
    "availability",
    "surface",
    "not_before",
    "retire_at",
    "ended",
    "replacement",
    "reason",
)
"""Heads are only ever added, at the end."""


def rows(lives: Iterable[ModelLife]) -> list[tuple[str, ...]]:
    """Return the table's rows; what is not known is an empty cell."""
    return [
        (
            life.model,
            life.title,
            life.state,
            life.availability,
            one.surface,
            one.not_before or "",
            one.retire_at or "",
            one.ended or "",
            life.replacement or ("none" if life.replacement_stated else ""),
            life.reason,
        )
        for life in lives
        for one in surfaces_of(life)
    ]


def csv_table(lives: Iterable[ModelLife]) -> str:
    """Return the table as CSV (RFC 4180: CRLF, quotes doubled)."""
    out = io.StringIO()
    csv.writer(out).writerows([HEAD, *rows(lives)])
    return out.getvalue()


def text_table(lives: Iterable[ModelLife]) -> str:
    """Return the table as aligned text, a line for each row."""
    lines: list[Sequence[str]] = [HEAD, *([_flat(cell) for cell in row] for row in rows(lives))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(map(str.ljust, line, widths)).rstrip() + "\n"  # no column ends a line in blanks
        for line in lines
    )


def _flat(cell: str) -> str:
    """Return a cell without line breaks; an empty one as a dash, so that columns can be cut."""
    return " ".join(cell.split()) or "-"
