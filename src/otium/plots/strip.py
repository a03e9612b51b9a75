"""An estimate as a line of letters, for a terminal."""

from __future__ import annotations

from otium.plots.records import Row, Standing
from otium.plots.scale import Scale, scale
from otium.statistics import LIMIT

_DOTS: dict[Standing, str] = {"reported": "●", "caution": "◉", "withheld": "○"}
_BARS: dict[Standing, str] = {"reported": "─", "caution": "─", "withheld": "╌"}


def strip(row: Row, *, span: tuple[float, float] = (0.0, 1.0), width: int = 21) -> str:
    """Return *row* on a scale *width* letters wide: filled, ringed or hollow as it stands.

    What lies beyond *span*, or is not bounded, ends in an arrow.

    >>> from otium.statistics import wilson
    >>> strip(Row(label="", estimate=wilson(3, 20)))
    '│ ──●────             │'
    """
    it = row.estimate
    if not it.known:
        return f"│{'unknown':^{width}}│"
    measured = scale([it], span)
    low, high = (_place(measured, edge, width) for edge in (it.low, it.high))
    line = [" "] * width
    for place in range(low, high + 1):
        line[place] = _BARS[row.standing]
    if it.low <= -LIMIT or not measured.holds(it.low):
        line[0] = "◂"
    if it.high >= LIMIT or not measured.holds(it.high):
        line[-1] = "▸"
    if measured.low < 0 < measured.high and line[zero := _place(measured, 0, width)] == " ":
        line[zero] = "·"
    if measured.holds(it.value):
        line[_place(measured, it.value, width)] = _DOTS[row.standing]
    return f"│{''.join(line)}│"


def _place(measured: Scale, value: float, width: int) -> int:
    share = (value - measured.low) / (measured.high - measured.low)
    return round(min(1.0, max(0.0, share)) * (width - 1))
