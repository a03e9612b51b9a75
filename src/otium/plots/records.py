"""What a picture shows, row by row, and what is drawn of it."""

from __future__ import annotations

import re
from html import escape
from typing import Literal

from otium.markdown import inert
from otium.records import Part
from otium.statistics import Estimate

Standing = Literal["reported", "caution", "withheld"]
STANDINGS: dict[Standing, str] = {
    "reported": "reported",
    "caution": "with caution",
    "withheld": "withheld",
}
"""What each standing is called in a legend and a table."""
_KINDS = {"No.": "number", "n": "number", "What": "text", "Why": "text", "Method": "text"}
"""How the columns of a table are set; the others do not break."""
_PLACE = re.compile(r"https?://|[^:]*(?:$|[/#?])")


class Row(Part):
    """One estimate with its interval, and whether it stands.

    Rows with one label that follow one another are drawn under one label; their *series* tells
    them apart, such as ``before`` and ``after``.
    """

    label: str
    estimate: Estimate
    standing: Standing = "reported"
    reason: str = ""
    """Why it is withheld or needs caution."""
    href: str = ""
    """Where the transcripts are that it rests on."""
    series: str = ""


class Panel(Part):
    """One small picture among several on one scale."""

    title: str
    rows: tuple[Row, ...]


class Table(Part):
    """A picture's twin: the same in words and numbers. ``hrefs`` has one for each row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    hrefs: tuple[str, ...]

    def html(self) -> str:
        """Return the table as HTML; the second cell of a row leads to its transcripts."""
        head = "".join(
            f'<th scope="col" class="{_KINDS.get(name, "nowrap")}">{words(name)}</th>'
            for name in self.columns
        )
        body = "".join(
            f"<tr{_off(row)}>{''.join(self._cells(row, href))}</tr>\n"
            for row, href in zip(self.rows, self.hrefs, strict=True)
        )
        return (
            f"<table><caption>{words(self.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}</tbody></table>"
        )

    def column(self, name: str) -> list[str]:
        """Return the cells of a column; none if there is no such column."""
        if name not in self.columns:
            return []
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def _cells(self, row: tuple[str, ...], href: str) -> list[str]:
        cells = []
        for name, cell in zip(self.columns, row, strict=True):
            kind, text = _KINDS.get(name, "nowrap"), words(cell)
            if name == "What":
                text = f'<a href="{address(href)}">{text}</a>' if href else text
                cells.append(f'<th scope="row" class="{kind}">{text}</th>')
            else:
                cells.append(f'<td class="{kind}">{text}</td>')
        return cells


class Drawing(Part):
    """One SVG element, without its frame."""

    title: str
    text: str
    """What it shows, for those who do not see it."""
    body: str
    height: int
    linked: bool
    """Whether marks in it lead somewhere."""


class Svg(Part):
    """A picture: what is drawn, its scale, and its twin as a table."""

    name: str
    """Unique on its page: letters, digits and ``-``."""
    title: str
    rows: tuple[Row, ...]
    """All that is drawn, in order."""
    drawings: tuple[Drawing, ...]
    legend: Drawing
    """What the marks mean; empty where there is only one kind."""
    low: float
    high: float
    table: Table


def words(text: str) -> str:
    """Return other people's *text* as text and nothing else."""
    return escape(inert(text))


def address(href: str) -> str:
    """Return *href* as an attribute; nothing for what is no place in a page, a site or the web."""
    return words(href) if _PLACE.match(href) else ""


def _off(row: tuple[str, ...]) -> str:
    return ' class="off"' if STANDINGS["withheld"] in row else ""
