"""Plots: estimates with their intervals as pictures, each with its twin as a table.

Knows dot plots, small multiples and curves, how a standing is marked (filled: reported; ringed:
with caution; hollow and dashed: withheld), and that what is unknown is drawn as such.
Does not know what was measured, or whether it may be reported. Writes SVG, in a page's own
colours or as a file.

>>> from otium.statistics import wilson
>>> picture = dots("Harmful acts", [Row(label="retired", estimate=wilson(3, 20), href="#m4")])
>>> picture.table.rows[0][:3]
('1', 'retired', '0.15 (0.05 to 0.36)')
>>> inline(picture).startswith('<svg class="plot" role="group"')
True
"""

from otium.plots.charts import dots, multiples
from otium.plots.curves import Chart, Line, curves
from otium.plots.framing import file, inline, style
from otium.plots.records import STANDINGS, Drawing, Panel, Row, Standing, Svg, Table
from otium.plots.strip import strip

__all__ = [
    "STANDINGS",
    "Chart",
    "Drawing",
    "Line",
    "Panel",
    "Row",
    "Standing",
    "Svg",
    "Table",
    "curves",
    "dots",
    "file",
    "inline",
    "multiples",
    "strip",
    "style",
]
