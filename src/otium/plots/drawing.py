"""Marks, intervals and axes as SVG: the one way in which an interval is drawn.

Positions across are per cent and sizes are pixels, so that a picture fits a phone and a desk
with letters of one size. A mark away from the edge stands in an SVG element of its own, since
only that takes a per cent for a place and pixels for a shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.plots.records import STANDINGS, Drawing, Row, address, words
from otium.plots.scale import LEFT, WIDTH, Scale
from otium.statistics import LIMIT

LABEL, LANE, AXIS = 21, 24, 26
"""Pixels: of a label's line, of an interval's, of the numbers under the axis."""
SHORT, SHORTER = 44, 36
"""Letters of a label that have room on a phone, and in a small picture among others."""
_CORE = 2
_DOTS = (
    '<circle class="dot" r="5"/>',
    '<rect class="dot" x="-4.5" y="-4.5" width="9" height="9"/>',
    '<path class="dot" d="M0,-6.5L6.5,0L0,6.5L-6.5,0Z"/>',
    '<path class="dot" d="M0,-6L6,5L-6,5Z"/>',
)
"""A shape for each series."""


def axis(scale: Scale, height: int) -> Iterator[str]:
    """Yield the lines and numbers of *scale* for a picture whose rows are *height* high."""
    for value in scale.ticks():
        x = scale.at(value)
        name = "zero" if abs(value) < scale.step / 2 and scale.low < 0 else "tick"
        yield f'<line class="{name}" x1="{x}%" x2="{x}%" y1="4" y2="{height}"/>'
        at = f'x="{x}%" y="{height + 18}" text-anchor="middle"'
        yield f'<text class="quiet" {at}>{_short(value)}</text>'


def label(number: int, text: str, top: int, most: int) -> str:
    """Return a row's number and what it is."""
    return f'<text x="{LEFT}%" y="{top + 15}">{number} {words(shortened(text, most))}</text>'


def interval(row: Row, number: int, series: int, scale: Scale, top: int) -> str:
    """Return the mark and interval of *row* in the lane at *top*, leading to its transcripts."""
    y = top + LANE / 2
    hit = f'<rect class="hit" x="0" y="{top}" width="100%" height="{LANE}"/>' if row.href else ""
    drawn = f'<g class="row {row.standing}">{hit}{"".join(_marks(row, series, scale, y))}</g>'
    if not row.href:
        return drawn
    name = ", ".join(part for part in (row.label, row.series) if part)
    said = f"{number} {name}: {row.estimate.text()}, {STANDINGS[row.standing]}; transcripts"
    return f'<a href="{address(row.href)}" aria-label="{words(said)}">{drawn}</a>'


def _marks(row: Row, series: int, scale: Scale, y: float) -> Iterator[str]:
    it = row.estimate
    if not it.known:
        yield f'<text class="quiet" x="{LEFT}%" y="{y + 4:g}">unknown</text>'
        return
    low, high = scale.at(it.low), scale.at(it.high)
    yield f'<line class="bar" x1="{low}%" x2="{high}%" y1="{y:g}" y2="{y:g}"/>'
    if it.low <= -LIMIT or not scale.holds(it.low):
        yield _placed(low, y, '<path class="bar" d="M6,-5L0,0L6,5"/>')
    if it.high >= LIMIT or not scale.holds(it.high):
        yield _placed(high, y, '<path class="bar" d="M-6,-5L0,0L-6,5"/>')
    if scale.holds(it.value):
        core = f'<circle class="core" r="{_CORE}"/>' if row.standing == "caution" else ""
        yield _placed(scale.at(it.value), y, _DOTS[series % len(_DOTS)] + core)


def legend(rows: Sequence[Row], series: Sequence[str]) -> Drawing:
    """Return what the marks mean, where more than one kind is drawn."""
    standings = [name for name in STANDINGS if any(row.standing == name for row in rows)]
    keys: list[list[tuple[str, int, str]]] = []
    if len(series) > 1:
        keys.append([("reported", place, name) for place, name in enumerate(series)])
    if standings not in ([], ["reported"]):
        keys.append([(name, 0, STANDINGS[name]) for name in standings])
    body = []
    for line, marks in enumerate(keys):
        y = LANE * line + LANE / 2
        for place, (standing, shape, text) in enumerate(marks):
            x = round(LEFT + place * WIDTH / max(3, len(marks)), 2)
            core = f'<circle class="core" r="{_CORE}"/>' if standing == "caution" else ""
            dot = _DOTS[shape % len(_DOTS)]
            body.append(f'<g class="{standing}">{_placed(x, y, dot + core, 6)}</g>')
            said = f'<text class="quiet" x="18" y="4">{words(shortened(text))}</text>'
            body.append(_placed(x, y, said))
    height = LANE * len(keys)
    return Drawing(title="", text="", body="".join(body), height=height, linked=False)


def shortened(text: str, most: int = SHORTER) -> str:
    """Return at most *most* letters of *text*; the table has it whole."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _placed(x: float, y: float, shape: str, right: int = 0) -> str:
    moved = f'<g transform="translate({right})">{shape}</g>' if right else shape
    return f'<svg x="{x}%" y="{y:g}" overflow="visible">{moved}</svg>'


def _short(value: float) -> str:
    return f"{value:.4g}".replace("-", "−") if value else "0"  # noqa: RUF001  a minus
