"""Dot plots: rows of estimates on one scale, alone or as small multiples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from otium.plots.drawing import (
    AXIS,
    LABEL,
    LANE,
    SHORT,
    SHORTER,
    axis,
    interval,
    label,
    legend,
)
from otium.plots.records import STANDINGS, Drawing, Panel, Row, Svg, Table
from otium.plots.scale import Scale, scale

_CAPTION = "Each with its 95 % interval; n counts independent units"


def dots(
    title: str, rows: Sequence[Row], *, name: str = "", span: tuple[float, float] | None = None
) -> Svg:
    """Return *rows* as a dot plot with intervals, and its twin.

    *name* tells pictures on one page apart; *span* is the scale, as far as data must not choose
    it. What lies beyond ends in an arrow.
    """
    return _svg(name, title, [("", rows)], span)


def multiples(
    title: str, panels: Sequence[Panel], *, name: str = "", span: tuple[float, float] | None = None
) -> Svg:
    """Return *panels* as small pictures on one scale, and one twin for all of them."""
    return _svg(name, title, [(panel.title, panel.rows) for panel in panels], span)


def _drawn(
    title: str,
    rows: Sequence[Row],
    first: int,
    *,
    measured: Scale,
    series: Sequence[str],
    most: int,
) -> Drawing:
    body, top = [], 0
    for number, (text, lanes) in enumerate(_grouped(rows), first):
        body.append(label(number, text, top, most))
        top += LABEL
        for row in lanes:
            body.append(interval(row, number, series.index(row.series), measured, top))
            top += LANE
    body = [*axis(measured, top), *body]
    return Drawing(
        title=title,
        text=_described(rows, measured),
        body="".join(body),
        height=top + AXIS,
        linked=any(row.href for row in rows),
    )


def _described(rows: Sequence[Row], measured: Scale) -> str:
    counts = [
        f"{n} {text}"
        for name, text in STANDINGS.items()
        if (n := sum(row.standing == name for row in rows))
    ]
    return (
        f"{len(rows)} estimates with 95 % intervals on a scale from {measured.low:.4g} to "
        f"{measured.high:.4g}: {', '.join(counts) or 'none'}. The table has the numbers."
    )


def _table(title: str, panels: Sequence[tuple[str, Sequence[Row]]]) -> Table:
    every = [row for _, rows in panels for row in rows]
    optional = {
        "Part": any(panel for panel, _ in panels),
        "Series": any(row.series for row in every),
        "Why": any(row.reason for row in every),
        "Method": any(row.estimate.method for row in every),
    }
    names = ("No.", "What", "Part", "Series", "Value, 95 % interval", "n", "Standing", "Why")
    kept = [name for name in (*names, "Method") if optional.get(name, True)]
    return Table(
        caption=f"{title}. {_CAPTION}",
        columns=tuple(kept),
        rows=tuple(tuple(line[name] for name in kept) for line in _lines(panels)),
        hrefs=tuple(row.href for row in every),
    )


def _lines(panels: Sequence[tuple[str, Sequence[Row]]]) -> Iterator[dict[str, str]]:
    number = 0
    for panel, rows in panels:
        for text, lanes in _grouped(rows):
            number += 1
            for row in lanes:
                yield {
                    "No.": str(number),
                    "What": text,
                    "Part": panel,
                    "Series": row.series,
                    "Value, 95 % interval": row.estimate.text(),
                    "n": str(row.estimate.n),
                    "Standing": STANDINGS[row.standing],
                    "Why": row.reason,
                    "Method": row.estimate.method,
                }


def _grouped(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return rows under their labels: neighbours that differ in their series share one."""
    groups: list[tuple[str, list[Row]]] = []
    for row in rows:
        text, lanes = groups[-1] if groups else ("", [])
        if lanes and text == row.label and all(row.series != lane.series for lane in lanes):
            lanes.append(row)
        else:
            groups.append((row.label, [row]))
    return groups


def _svg(
    name: str,
    title: str,
    panels: Sequence[tuple[str, Sequence[Row]]],
    span: tuple[float, float] | None,
) -> Svg:
    every = [row for _, rows in panels for row in rows]
    measured = scale([row.estimate for row in every], span)
    series = list(dict.fromkeys(row.series for row in every))
    drawings, number = [], 1
    for panel, rows in panels:
        most = SHORTER if len(panels) > 1 else SHORT
        drawings.append(
            _drawn(panel or title, rows, number, measured=measured, series=series, most=most)
        )
        number += len(_grouped(rows))
    return Svg(
        name=re.sub(r"[^a-z0-9]+", "-", (name or title).lower()).strip("-") or "plot",
        title=title,
        rows=tuple(every),
        drawings=tuple(drawings),
        legend=legend(every, series),
        low=measured.low,
        high=measured.high,
        table=_table(title, panels),
    )
