"""Curves: several quantities over one that grows by powers of ten, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10

from otium.plots.framing import page
from otium.plots.records import Table, words
from otium.records import Part

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _FOOT = 640, 380, 80, 130, 40, 46
_APART = 16
"""Pixels between the names of lines."""
_DASHES = ("", "7 4", "2 4", "10 3 2 3")


class Line(Part):
    """One curve: its name, and a value for each place across. Values above 0 are drawn."""

    name: str
    values: tuple[float, ...]


class Chart(Part):
    """A picture of curves as an SVG file, and its twin as a table."""

    svg: str
    table: Table


def curves(
    title: str, across: str, places: Sequence[float], up: str, lines: Sequence[Line]
) -> Chart:
    """Return *lines* over *places*, which are above 0; *across* and *up* name the axes."""
    shown = [value for line in lines for value in line.values if value > 0]
    x = _Axis(min(places), max(places), _LEFT, _WIDTH - _RIGHT)
    y = _Axis(min(shown, default=1.0), max(shown, default=1.0), _HEIGHT - _FOOT, _TOP)
    body = [*_frame(x, y, across, up), *_lines(x, y, places, lines)]
    return Chart(
        svg=_file(title, across, up, lines, body), table=_twin(title, across, places, lines)
    )


class _Axis:
    """Powers of ten from *start* to *end* pixels."""

    def __init__(self, low: float, high: float, start: int, end: int) -> None:
        self.first = floor(log10(low))
        self.last = max(self.first + 1, ceil(log10(high)))
        self._start, self._each = start, (end - start) / (self.last - self.first)

    def at(self, value: float) -> float:
        return round(self._start + (log10(value) - self.first) * self._each, 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        for power in range(self.first, self.last + 1):
            yield self.at(10.0**power), f"{10.0**power:,.10g}"


def _frame(x: _Axis, y: _Axis, across: str, up: str) -> Iterator[str]:
    foot, right = _HEIGHT - _FOOT, _WIDTH - _RIGHT
    for at, text in x.ticks():
        yield f'<line class="tick" x1="{at}" x2="{at}" y1="{_TOP}" y2="{foot}"/>'
        yield f'<text class="quiet" x="{at}" y="{foot + 18}" text-anchor="middle">{text}</text>'
    for at, text in y.ticks():
        yield f'<line class="tick" x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}"/>'
        yield f'<text class="quiet" x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{text}</text>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{words(across)}</text>'
    yield f'<text x="0" y="{_TOP - 10}">{words(up)}</text>'


def _lines(x: _Axis, y: _Axis, places: Sequence[float], lines: Sequence[Line]) -> Iterator[str]:
    names = []
    for place, line in enumerate(lines):
        points = [
            (x.at(at), y.at(value))
            for at, value in zip(places, line.values, strict=True)
            if value > 0
        ]
        path = " ".join(f"{across},{up}" for across, up in points)
        dash = _DASHES[place % len(_DASHES)]
        drawn = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<polyline class="bar" fill="none" points="{path}"{drawn}/>'
        names.append((points[-1][1] if points else y.at(1.0), line.name))
    least = 0.0
    for height, name in sorted(names):
        least = max(least, height)
        yield f'<text x="{_WIDTH - _RIGHT + 8}" y="{least + 4:.1f}">{words(name)}</text>'
        least += _APART


def _file(title: str, across: str, up: str, lines: Sequence[Line], body: Sequence[str]) -> str:
    text = f"{up} by {across}, both logarithmic: {', '.join(line.name for line in lines)}."
    head = f'<text x="0" y="12" font-size="16">{words(title)}</text>'
    return page(title, text, head + "".join(body), (_WIDTH, _HEIGHT))


def _twin(title: str, across: str, places: Sequence[float], lines: Sequence[Line]) -> Table:
    rows = tuple(
        (f"{at:,.10g}", *(f"{line.values[place]:,.4g}" for line in lines))
        for place, at in enumerate(places)
    )
    columns = (across, *(line.name for line in lines))
    return Table(caption=title, columns=columns, rows=rows, hrefs=("",) * len(rows))
